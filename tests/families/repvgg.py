"""RepVGG: Ding et al. 2021, A0 at an eighth of its widths; its branches are merged before the export."""

from families.blocks import classifier
from families.merge import Branches
from torch import nn


def repvgg() -> nn.Module:
    layers = [Branches(3, 8, (3, 1), 2), nn.ReLU()]
    source = 8
    for target, depth in ((8, 2), (12, 4), (24, 14), (160, 1)):
        for number in range(depth):
            layers += [Branches(source, target, (3, 1), 1 if number else 2), nn.ReLU()]
            source = target
    return nn.Sequential(*layers, classifier(source))


VARIANTS = {"RepVGG": repvgg}
