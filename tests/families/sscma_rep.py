"""MobileNetV2-0.35-Rep of Seeed's SSCMA: MobileNet V2 whose plain convolutions are chains while it trains.

Each is a convolution and two 1x1 convolutions with a batch norm as shortcut; without an activation between
them they are one convolution, into which they are merged before the export. The stem halves the image by a
pool.
"""

from families.blocks import Residual, classifier, depthwise, narrow
from families.merge import Chain
from torch import nn


def _inverted(source: int, target: int, factor: int, stride: int) -> nn.Module:
    inner = source * factor
    body = nn.Sequential(
        *([Chain(source, inner, 1), nn.ReLU6()] if factor > 1 else []),
        depthwise(inner, 3, stride, act=nn.ReLU6),
        Chain(inner, target, 1),
    )
    return Residual(body) if source == target and stride == 1 else body


def mobilenet_v2_rep() -> nn.Module:
    source = narrow(32, 0.35)
    layers: list[nn.Module] = [nn.MaxPool2d(2), Chain(3, source, 3), nn.ReLU6()]
    for factor, width, count, stride in (
        (1, 16, 1, 1),
        (6, 24, 2, 2),
        (6, 32, 3, 2),
        (6, 64, 4, 2),
        (6, 96, 3, 1),
        (6, 160, 2, 2),
    ):
        for number in range(count):
            target = narrow(width, 0.35)
            layers.append(_inverted(source, target, factor, stride if not number else 1))
            source = target
    return nn.Sequential(*layers, Chain(source, 160, 1), nn.ReLU6(), classifier(160))


VARIANTS = {"MobileNetV2-0.35-Rep": mobilenet_v2_rep}
