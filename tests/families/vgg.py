"""VGG: Simonyan and Zisserman 2015, configuration A with batch norm, at an eighth of its widths."""

from families.blocks import conv_bn
from torch import nn

SIZE = 32


def vgg11() -> nn.Module:
    layers: list[nn.Module] = []
    source = 3
    for target in (8, 0, 16, 0, 32, 32, 0, 64, 64, 0, 64, 64, 0):
        layers.append(conv_bn(source, target) if target else nn.MaxPool2d(2))
        source = target or source
    dense = (nn.Linear(64, 64), nn.ReLU(), nn.Dropout(), nn.Linear(64, 64), nn.ReLU(), nn.Linear(64, 10))
    return nn.Sequential(*layers, nn.Flatten(), *dense)


VARIANTS = {"VGG-11": vgg11}
