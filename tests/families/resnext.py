"""ResNeXt: Xie et al. 2017, and SE-ResNeXt: Hu et al. 2018, of 26 layers with 8 groups."""

from families.blocks import Residual, SqueezeExcite, classifier, conv_bn
from torch import nn


def _block(source: int, width: int, stride: int, excite: bool) -> nn.Module:
    target = 2 * width
    body = nn.Sequential(
        conv_bn(source, width, 1),
        conv_bn(width, width, 3, stride, groups=8),
        conv_bn(width, target, 1, act=None),
        *([SqueezeExcite(target, target // 8)] if excite else []),
    )
    shortcut = None if source == target and stride == 1 else conv_bn(source, target, 1, stride, act=None)
    return Residual(body, shortcut, nn.ReLU())


def _net(excite: bool) -> nn.Module:
    layers = [conv_bn(3, 16, 7, 2), nn.MaxPool2d(3, 2, 1)]
    source = 16
    for stage, width in enumerate((16, 32, 64, 128)):
        for number in range(2):
            layers.append(_block(source, width, 2 if stage and not number else 1, excite))
            source = 2 * width
    return nn.Sequential(*layers, classifier(source))


VARIANTS = {"ResNeXt-26": lambda: _net(False), "SE-ResNeXt-26": lambda: _net(True)}
