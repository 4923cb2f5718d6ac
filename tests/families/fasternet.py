"""FasterNet: Chen et al., Run, don't walk, 2023: convolutions over a quarter of the channels."""

import torch
from families.blocks import Residual, conv_bn
from torch import Tensor, nn


class _Partial(nn.Module):
    def __init__(self, channels: int):
        super().__init__()
        self.sizes = (channels // 4, channels - channels // 4)
        self.conv = nn.Conv2d(self.sizes[0], self.sizes[0], 3, padding=1, bias=False)

    def forward(self, x: Tensor) -> Tensor:
        worked, kept = torch.split(x, self.sizes, 1)
        return torch.cat([self.conv(worked), kept], 1)


def _block(channels: int) -> nn.Module:
    wide = conv_bn(channels, 2 * channels, 1, act=nn.GELU)
    return Residual(nn.Sequential(_Partial(channels), wide, nn.Conv2d(2 * channels, channels, 1, bias=False)))


def fasternet() -> nn.Module:
    layers: list[nn.Module] = [nn.Conv2d(3, 16, 4, 4, bias=False), nn.BatchNorm2d(16)]
    source = 16
    for stage, depth in enumerate((1, 2, 4, 2)):
        if stage:
            layers += [nn.Conv2d(source, 2 * source, 2, 2, bias=False), nn.BatchNorm2d(2 * source)]
            source *= 2
        layers += [_block(source) for _ in range(depth)]
    end = (nn.AdaptiveAvgPool2d(1), nn.Conv2d(source, 160, 1, bias=False), nn.GELU(), nn.Flatten())
    return nn.Sequential(*layers, *end, nn.Linear(160, 10))


VARIANTS = {"FasterNet": fasternet}
