"""Xception: Chollet 2017, at an eighth of its widths, with three of its eight equal middle blocks."""

from families.blocks import Residual, classifier, conv_bn
from torch import nn


def _separable(source: int, target: int) -> nn.Module:
    return nn.Sequential(
        nn.Conv2d(source, source, 3, padding=1, groups=source, bias=False),
        nn.Conv2d(source, target, 1, bias=False),
        nn.BatchNorm2d(target),
    )


def _down(source: int, inner: int, target: int, first: bool) -> nn.Module:
    body = [*([] if first else [nn.ReLU()]), _separable(source, inner), nn.ReLU(), _separable(inner, target)]
    body.append(nn.MaxPool2d(3, 2, 1))
    return Residual(nn.Sequential(*body), conv_bn(source, target, 1, 2, act=None))


def _middle(width: int) -> nn.Module:
    # ReLU must not work in place: the sum needs the block's input.
    return Residual(nn.Sequential(*(nn.Sequential(nn.ReLU(), _separable(width, width)) for _ in range(3))))


def xception() -> nn.Module:
    return nn.Sequential(
        conv_bn(3, 4, 3, 2),
        conv_bn(4, 8),
        _down(8, 16, 16, True),
        _down(16, 32, 32, False),
        _down(32, 92, 92, False),
        *(_middle(92) for _ in range(3)),
        _down(92, 92, 128, False),
        _separable(128, 192),
        nn.ReLU(),
        _separable(192, 256),
        nn.ReLU(),
        classifier(256),
    )


VARIANTS = {"Xception": xception}
