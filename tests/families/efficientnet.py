"""EfficientNet: Tan and Le 2019, B0 at 0.35 of its widths."""

from families.blocks import Residual, SqueezeExcite, classifier, conv_bn, depthwise, narrow
from torch import nn


def _mbconv(source: int, target: int, factor: int, kernel: int, stride: int) -> nn.Module:
    inner = source * factor
    body = nn.Sequential(
        *([conv_bn(source, inner, 1, act=nn.SiLU)] if factor > 1 else []),
        depthwise(inner, kernel, stride, act=nn.SiLU),
        SqueezeExcite(inner, max(2, source // 4), nn.Sigmoid, nn.SiLU),
        conv_bn(inner, target, 1, act=None),
    )
    return Residual(body) if source == target and stride == 1 else body


def efficientnet() -> nn.Module:
    source = narrow(32, 0.35)
    layers = [conv_bn(3, source, 3, 2, act=nn.SiLU)]
    for factor, width, count, kernel, stride in (
        (1, 16, 1, 3, 1),
        (6, 24, 2, 3, 2),
        (6, 40, 2, 5, 2),
        (6, 80, 3, 3, 2),
        (6, 112, 3, 5, 1),
        (6, 192, 4, 5, 2),
        (6, 320, 1, 3, 1),
    ):
        target = narrow(width, 0.35)
        for number in range(count):
            layers.append(_mbconv(source, target, factor, kernel, stride if not number else 1))
            source = target
    return nn.Sequential(*layers, conv_bn(source, 256, 1, act=nn.SiLU), classifier(256))


VARIANTS = {"EfficientNet": efficientnet}
