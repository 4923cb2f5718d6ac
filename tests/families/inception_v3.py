"""Inception v3: Szegedy et al., Rethinking the Inception architecture, 2016, at an eighth of its widths.

Its unpadded stem would leave a single pixel of 96x96, so the stem and the reductions are padded here. Blocks
that repeat with equal shapes stand once or twice.
"""

from families.blocks import Concat, classifier, conv_bn
from torch import nn


def _chain(source: int, *layers: tuple[int, int | tuple[int, int]]) -> nn.Module:
    made = []
    for width, kernel in layers:
        made.append(conv_bn(source, width, kernel))
        source = width
    return nn.Sequential(*made)


def _a(source: int, pooled: int) -> nn.Module:
    return Concat(
        conv_bn(source, 8, 1),
        _chain(source, (6, 1), (8, 5)),
        _chain(source, (8, 1), (12, 3), (12, 3)),
        nn.Sequential(nn.AvgPool2d(3, 1, 1), conv_bn(source, pooled, 1)),
    )


def _reduce_a(source: int) -> nn.Module:
    return Concat(
        conv_bn(source, 48, 3, 2),
        nn.Sequential(_chain(source, (8, 1), (12, 3)), conv_bn(12, 12, 3, 2)),
        nn.MaxPool2d(3, 2, 1),
    )


def _b(source: int, width: int) -> nn.Module:
    return Concat(
        conv_bn(source, 24, 1),
        _chain(source, (width, 1), (width, (1, 7)), (24, (7, 1))),
        _chain(source, (width, 1), (width, (7, 1)), (width, (1, 7)), (width, (7, 1)), (24, (1, 7))),
        nn.Sequential(nn.AvgPool2d(3, 1, 1), conv_bn(source, 24, 1)),
    )


def _reduce_b(source: int) -> nn.Module:
    return Concat(
        nn.Sequential(conv_bn(source, 24, 1), conv_bn(24, 40, 3, 2)),
        nn.Sequential(_chain(source, (24, 1), (24, (1, 7)), (24, (7, 1))), conv_bn(24, 24, 3, 2)),
        nn.MaxPool2d(3, 2, 1),
    )


def _fork(source: int, width: int) -> nn.Module:
    return Concat(conv_bn(source, width, (1, 3)), conv_bn(source, width, (3, 1)))


def _c(source: int) -> nn.Module:
    return Concat(
        conv_bn(source, 40, 1),
        nn.Sequential(conv_bn(source, 48, 1), _fork(48, 48)),
        nn.Sequential(_chain(source, (56, 1), (48, 3)), _fork(48, 48)),
        nn.Sequential(nn.AvgPool2d(3, 1, 1), conv_bn(source, 24, 1)),
    )


def inception_v3() -> nn.Module:
    return nn.Sequential(
        conv_bn(3, 4, 3, 2),
        conv_bn(4, 4),
        conv_bn(4, 8),
        nn.MaxPool2d(3, 2, 1),
        conv_bn(8, 10, 1),
        conv_bn(10, 24),
        nn.MaxPool2d(3, 2, 1),
        _a(24, 4),
        _a(32, 8),
        _reduce_a(36),
        _b(96, 16),
        _b(96, 24),
        _reduce_b(96),
        _c(160),
        classifier(256),
    )


VARIANTS = {"Inception v3": inception_v3}
