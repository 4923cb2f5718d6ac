"""SqueezeNet 1.1: Iandola et al. 2016, at a quarter of its widths; its pools round their sizes up."""

from families.blocks import Concat
from torch import nn


def _fire(source: int, squeezed: int, expanded: int) -> nn.Module:
    return nn.Sequential(
        nn.Conv2d(source, squeezed, 1),
        nn.ReLU(),
        Concat(
            nn.Sequential(nn.Conv2d(squeezed, expanded, 1), nn.ReLU()),
            nn.Sequential(nn.Conv2d(squeezed, expanded, 3, padding=1), nn.ReLU()),
        ),
    )


def squeezenet() -> nn.Module:
    return nn.Sequential(
        nn.Conv2d(3, 16, 3, 2),
        nn.ReLU(),
        nn.MaxPool2d(3, 2, ceil_mode=True),
        _fire(16, 4, 16),
        _fire(32, 4, 16),
        nn.MaxPool2d(3, 2, ceil_mode=True),
        _fire(32, 8, 32),
        _fire(64, 8, 32),
        nn.MaxPool2d(3, 2, ceil_mode=True),
        _fire(64, 12, 48),
        _fire(96, 12, 48),
        _fire(96, 16, 64),
        _fire(128, 16, 64),
        nn.Dropout(),
        nn.Conv2d(128, 10, 1),
        nn.ReLU(),
        nn.AdaptiveAvgPool2d(1),
        nn.Flatten(),
    )


VARIANTS = {"SqueezeNet 1.1": squeezenet}
