"""MobileNet V2: Sandler et al. 2018, at 0.35 of its widths."""

from families.blocks import Residual, classifier, conv_bn, depthwise, narrow
from torch import nn


def _inverted(source: int, target: int, factor: int, stride: int) -> nn.Module:
    inner = source * factor
    body = nn.Sequential(
        *([conv_bn(source, inner, 1, act=nn.ReLU6)] if factor > 1 else []),
        depthwise(inner, 3, stride, act=nn.ReLU6),
        conv_bn(inner, target, 1, act=None),
    )
    return Residual(body) if source == target and stride == 1 else body


def mobilenet_v2() -> nn.Module:
    source = narrow(32, 0.35)
    layers = [conv_bn(3, source, 3, 2, act=nn.ReLU6)]
    for factor, width, count, stride in (
        (1, 16, 1, 1),
        (6, 24, 2, 2),
        (6, 32, 3, 2),
        (6, 64, 4, 2),
        (6, 96, 3, 1),
        (6, 160, 3, 2),
        (6, 320, 1, 1),
    ):
        for number in range(count):
            target = narrow(width, 0.35)
            layers.append(_inverted(source, target, factor, stride if not number else 1))
            source = target
    return nn.Sequential(*layers, conv_bn(source, 256, 1, act=nn.ReLU6), classifier(256))


VARIANTS = {"MobileNet V2": mobilenet_v2}
