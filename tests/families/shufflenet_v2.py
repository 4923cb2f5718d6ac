"""ShuffleNet V2: Ma et al. 2018, at half of its narrowest widths."""

import torch
from families.blocks import classifier, conv_bn, depthwise
from torch import Tensor, nn


def _shuffle(x: Tensor) -> Tensor:
    batch, channels, height, width = x.shape
    return x.reshape(batch, 2, channels // 2, height, width).transpose(1, 2).reshape(x.shape)


class _Unit(nn.Module):
    def __init__(self, channels: int):
        super().__init__()
        half = channels // 2
        self.body = nn.Sequential(conv_bn(half, half, 1), depthwise(half, act=None), conv_bn(half, half, 1))

    def forward(self, x: Tensor) -> Tensor:
        kept, worked = x.chunk(2, 1)
        return _shuffle(torch.cat([kept, self.body(worked)], 1))


class _Down(nn.Module):
    def __init__(self, source: int, target: int):
        super().__init__()
        half = target // 2
        self.left = nn.Sequential(depthwise(source, 3, 2, act=None), conv_bn(source, half, 1))
        self.right = nn.Sequential(
            conv_bn(source, half, 1), depthwise(half, 3, 2, act=None), conv_bn(half, half, 1)
        )

    def forward(self, x: Tensor) -> Tensor:
        return _shuffle(torch.cat([self.left(x), self.right(x)], 1))


def shufflenet_v2() -> nn.Module:
    layers = [conv_bn(3, 12, 3, 2), nn.MaxPool2d(3, 2, 1)]
    source = 12
    for target, depth in ((24, 4), (48, 8), (96, 4)):
        layers += [_Down(source, target), *(_Unit(target) for _ in range(depth - 1))]
        source = target
    return nn.Sequential(*layers, conv_bn(source, 256, 1), classifier(256))


VARIANTS = {"ShuffleNet V2": shufflenet_v2}
