"""MobileNet V1: Howard et al. 2017, at a quarter of its widths."""

from families.blocks import classifier, conv_bn, depthwise
from torch import nn


def mobilenet_v1() -> nn.Module:
    layers = [conv_bn(3, 8, 3, 2)]
    source = 8
    strides_targets = [
        (1, 16),
        (2, 32),
        (1, 32),
        (2, 64),
        (1, 64),
        (2, 128),
        *[(1, 128)] * 5,
        (2, 256),
        (1, 256),
    ]
    for stride, target in strides_targets:
        layers += [depthwise(source, 3, stride), conv_bn(source, target, 1)]
        source = target
    return nn.Sequential(*layers, classifier(source))


VARIANTS = {"MobileNet V1": mobilenet_v1}
