"""DarkNet-53: Redmon and Farhadi, YOLOv3, 2018, at an eighth of its widths and its full depth."""

from families.blocks import Residual, classifier, conv_bn
from torch import nn


def _leaky() -> nn.Module:
    return nn.LeakyReLU(0.1)


def darknet53() -> nn.Module:
    layers: list[nn.Module] = [conv_bn(3, 4, act=_leaky)]
    source = 4
    for depth in (1, 2, 8, 8, 4):
        layers.append(conv_bn(source, 2 * source, 3, 2, act=_leaky))
        source *= 2
        for _ in range(depth):
            narrowed = conv_bn(source, source // 2, 1, act=_leaky)
            layers.append(Residual(nn.Sequential(narrowed, conv_bn(source // 2, source, act=_leaky))))
    return nn.Sequential(*layers, classifier(source))


VARIANTS = {"DarkNet-53": darknet53}
