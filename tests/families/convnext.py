"""ConvNeXt: Liu et al. 2022, at a fifth of Atto's widths, with its LayerNorm, GELU and layer scale."""

import torch
from families.blocks import Residual
from torch import Tensor, nn


class _Norm(nn.Module):
    """LayerNorm over the channels of a map."""

    def __init__(self, channels: int):
        super().__init__()
        self.norm = nn.LayerNorm(channels, eps=1e-6)

    def forward(self, x: Tensor) -> Tensor:
        return self.norm(x.permute(0, 2, 3, 1)).permute(0, 3, 1, 2)


class _Body(nn.Module):
    def __init__(self, channels: int):
        super().__init__()
        self.conv = nn.Conv2d(channels, channels, 7, padding=3, groups=channels)
        self.norm = nn.LayerNorm(channels, eps=1e-6)
        self.wide, self.narrow = nn.Linear(channels, 4 * channels), nn.Linear(4 * channels, channels)
        self.act = nn.GELU()
        # 1e-6 at the start of the training, far more at its end.
        self.scale = nn.Parameter(torch.full((channels,), 0.5))

    def forward(self, x: Tensor) -> Tensor:
        y = self.norm(self.conv(x).permute(0, 2, 3, 1))
        return (self.scale * self.narrow(self.act(self.wide(y)))).permute(0, 3, 1, 2)


def convnext() -> nn.Module:
    layers: list[nn.Module] = [nn.Conv2d(3, 8, 4, 4), _Norm(8)]
    source = 8
    for stage, depth in enumerate((1, 1, 3, 1)):
        if stage:
            layers += [_Norm(source), nn.Conv2d(source, 2 * source, 2, 2)]
            source *= 2
        layers += [Residual(_Body(source)) for _ in range(depth)]
    pooled = (nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.LayerNorm(source, eps=1e-6))
    return nn.Sequential(*layers, *pooled, nn.Linear(source, 10))


VARIANTS = {"ConvNeXt": convnext}
