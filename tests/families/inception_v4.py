"""Inception v4: Szegedy et al., Inception-v4, Inception-ResNet, 2017, at an eighth of its widths.

The stem and the reductions are padded, as 96x96 is a third of the paper's input, and blocks stand once.
"""

from families.blocks import Concat, classifier, conv_bn
from torch import nn


def _chain(source: int, *layers: tuple[int, int | tuple[int, int]]) -> nn.Sequential:
    made = []
    for width, kernel in layers:
        made.append(conv_bn(source, width, kernel))
        source = width
    return nn.Sequential(*made)


def _pooled(source: int, width: int) -> nn.Module:
    # The paper's average is over the pixels that exist.
    return nn.Sequential(nn.AvgPool2d(3, 1, 1, count_include_pad=False), conv_bn(source, width, 1))


def _fork(source: int, width: int) -> nn.Module:
    return Concat(conv_bn(source, width, (1, 3)), conv_bn(source, width, (3, 1)))


def _stem() -> nn.Module:
    return nn.Sequential(
        conv_bn(3, 4, 3, 2),
        conv_bn(4, 4),
        conv_bn(4, 8),
        Concat(nn.MaxPool2d(3, 2, 1), conv_bn(8, 12, 3, 2)),
        Concat(_chain(20, (8, 1), (12, 3)), _chain(20, (8, 1), (8, (7, 1)), (8, (1, 7)), (12, 3))),
        Concat(conv_bn(24, 24, 3, 2), nn.MaxPool2d(3, 2, 1)),
    )


def _a() -> nn.Module:
    return Concat(
        _pooled(48, 12), conv_bn(48, 12, 1), _chain(48, (8, 1), (12, 3)), _chain(48, (8, 1), (12, 3), (12, 3))
    )


def _reduce_a() -> nn.Module:
    return Concat(
        nn.MaxPool2d(3, 2, 1),
        conv_bn(48, 48, 3, 2),
        nn.Sequential(*_chain(48, (24, 1), (28, 3)), conv_bn(28, 32, 3, 2)),
    )


def _b() -> nn.Module:
    return Concat(
        _pooled(128, 16),
        conv_bn(128, 48, 1),
        _chain(128, (24, 1), (28, (1, 7)), (32, (7, 1))),
        _chain(128, (24, 1), (24, (1, 7)), (28, (7, 1)), (28, (1, 7)), (32, (7, 1))),
    )


def _reduce_b() -> nn.Module:
    return Concat(
        nn.MaxPool2d(3, 2, 1),
        nn.Sequential(conv_bn(128, 24, 1), conv_bn(24, 24, 3, 2)),
        nn.Sequential(*_chain(128, (32, 1), (32, (1, 7)), (40, (7, 1))), conv_bn(40, 40, 3, 2)),
    )


def _c() -> nn.Module:
    return Concat(
        _pooled(192, 32),
        conv_bn(192, 32, 1),
        nn.Sequential(conv_bn(192, 48, 1), _fork(48, 32)),
        nn.Sequential(*_chain(192, (48, 1), (56, (1, 3)), (64, (3, 1))), _fork(64, 32)),
    )


def inception_v4() -> nn.Module:
    return nn.Sequential(_stem(), _a(), _reduce_a(), _b(), _reduce_b(), _c(), classifier(192))


VARIANTS = {"Inception v4": inception_v4}
