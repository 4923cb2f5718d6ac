"""ResNet: He et al. 2016, at an eighth of its widths and its full depth.

The -vd form is that of He et al., Bag of tricks, 2019: three convolutions in the stem, the stride in the 3x3,
and projections that average before they reduce.
"""

from families.blocks import Residual, classifier, conv_bn
from torch import nn

_WIDTHS = (8, 16, 32, 64)


def _shortcut(source: int, target: int, stride: int, vd: bool) -> nn.Module | None:
    if source == target and stride == 1:
        return None
    if not vd or stride == 1:
        return conv_bn(source, target, 1, stride, act=None)
    return nn.Sequential(nn.AvgPool2d(2, 2, ceil_mode=True), conv_bn(source, target, 1, act=None))


def _basic(source: int, width: int, stride: int, vd: bool) -> nn.Module:
    body = nn.Sequential(conv_bn(source, width, 3, stride), conv_bn(width, width, act=None))
    return Residual(body, _shortcut(source, width, stride, vd), nn.ReLU())


def _bottleneck(source: int, width: int, stride: int, vd: bool) -> nn.Module:
    first, second = (1, stride) if vd else (stride, 1)
    body = nn.Sequential(
        conv_bn(source, width, 1, first),
        conv_bn(width, width, 3, second),
        conv_bn(width, 4 * width, 1, act=None),
    )
    return Residual(body, _shortcut(source, 4 * width, stride, vd), nn.ReLU())


def _net(depths: tuple[int, ...], *, bottleneck: bool = False, vd: bool = False) -> nn.Module:
    block = _bottleneck if bottleneck else _basic
    layers = [conv_bn(3, 4, 3, 2), conv_bn(4, 4), conv_bn(4, 8)] if vd else [conv_bn(3, 8, 7, 2)]
    layers.append(nn.MaxPool2d(3, 2, 1))
    source = 8
    for stage, (depth, width) in enumerate(zip(depths, _WIDTHS, strict=True)):
        for number in range(depth):
            layers.append(block(source, width, 2 if stage and not number else 1, vd))
            source = width * (4 if bottleneck else 1)
    return nn.Sequential(*layers, classifier(source))


VARIANTS = {
    "ResNet-18": lambda: _net((2, 2, 2, 2)),
    "ResNet-34": lambda: _net((3, 4, 6, 3)),
    "ResNet-50": lambda: _net((3, 4, 6, 3), bottleneck=True),
    "ResNet-18-vd": lambda: _net((2, 2, 2, 2), vd=True),
    "ResNet-50-vd": lambda: _net((3, 4, 6, 3), bottleneck=True, vd=True),
}
