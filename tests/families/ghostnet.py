"""GhostNet: Han et al. 2020, at 0.35 of its widths, with fewer repetitions in the fourth stage."""

import torch
from families.blocks import Residual, SqueezeExcite, conv_bn, depthwise, narrow
from torch import Tensor, nn


class _Ghost(nn.Module):
    """Half of the channels by a convolution, the other half from these by a cheap depthwise one."""

    def __init__(self, source: int, target: int, relu: bool = True):
        super().__init__()
        act = nn.ReLU if relu else None
        self.primary = conv_bn(source, target // 2, 1, act=act)
        self.cheap = depthwise(target // 2, act=act)

    def forward(self, x: Tensor) -> Tensor:
        real = self.primary(x)
        return torch.cat([real, self.cheap(real)], 1)


def _block(source: int, inner: int, target: int, kernel: int, stride: int, excite: bool) -> nn.Module:
    body = nn.Sequential(
        _Ghost(source, inner),
        *([depthwise(inner, kernel, stride, act=None)] if stride > 1 else []),
        *([SqueezeExcite(inner, narrow(inner / 4), nn.Hardsigmoid)] if excite else []),
        _Ghost(inner, target, relu=False),
    )
    if source == target and stride == 1:
        return Residual(body)
    shortcut = nn.Sequential(
        depthwise(source, kernel, stride, act=None), conv_bn(source, target, 1, act=None)
    )
    return Residual(body, shortcut)


def ghostnet() -> nn.Module:
    source = 8
    layers = [conv_bn(3, source, 3, 2)]
    for kernel, inner, target, excite, stride in (
        (3, 16, 16, False, 1),
        (3, 48, 24, False, 2),
        (3, 72, 24, False, 1),
        (5, 72, 40, True, 2),
        (5, 120, 40, True, 1),
        (3, 240, 80, False, 2),
        (3, 200, 80, False, 1),
        (3, 480, 112, True, 1),
        (5, 672, 160, True, 2),
        (5, 960, 160, True, 1),
    ):
        width = narrow(target, 0.35)
        layers.append(_block(source, narrow(inner, 0.35), width, kernel, stride, excite))
        source = width
    end = (nn.AdaptiveAvgPool2d(1), nn.Conv2d(336, 128, 1), nn.ReLU(), nn.Flatten(), nn.Linear(128, 10))
    return nn.Sequential(*layers, conv_bn(source, 336, 1), *end)


VARIANTS = {"GhostNet": ghostnet}
