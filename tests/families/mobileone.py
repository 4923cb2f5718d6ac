"""MobileOne: Vasu et al. 2023, S0 at a fifth of its widths; over-parameterised branches are merged."""

from families.blocks import classifier
from families.merge import Branches
from torch import nn

_BRANCHES = 4


def _block(source: int, target: int, stride: int) -> list[nn.Module]:
    # Every kernel stands several times, and a 1x1 beside each depthwise 3x3.
    return [
        Branches(source, source, (3,) * _BRANCHES + (1,), stride, groups=source),
        nn.ReLU(),
        Branches(source, target, (1,) * _BRANCHES),
        nn.ReLU(),
    ]


def mobileone() -> nn.Module:
    layers = [Branches(3, 12, (3,) * _BRANCHES + (1,), 2), nn.ReLU()]
    source = 12
    for target, depth in ((12, 2), (24, 4), (48, 6), (192, 1)):
        for number in range(depth):
            layers += _block(source, target, 1 if number else 2)
            source = target
    return nn.Sequential(*layers, classifier(source))


VARIANTS = {"MobileOne": mobileone}
