"""The digits classifier: the layers of a small MobileNet-like network, 7,000 weights."""

import torch
from torch import Tensor, nn


def _conv(inputs: int, outputs: int, kernel: int, stride: int = 1, groups: int = 1) -> nn.Sequential:
    return nn.Sequential(
        nn.Conv2d(inputs, outputs, kernel, stride, kernel // 2, groups=groups, bias=False),
        nn.BatchNorm2d(outputs),
    )


class Digits(nn.Module):
    """32x32 gray to 10 scores: strided and depthwise convolutions, one residual addition, a mean."""

    def __init__(self) -> None:
        super().__init__()
        self.stem = nn.Sequential(_conv(1, 8, 3, stride=2), nn.ReLU())
        self.down = nn.Sequential(_conv(8, 8, 3, stride=2, groups=8), nn.ReLU(), _conv(8, 16, 1), nn.ReLU())
        self.residual = nn.Sequential(_conv(16, 16, 3, groups=16), nn.ReLU(), _conv(16, 16, 1))
        self.head = nn.Sequential(_conv(16, 32, 3, stride=2), nn.ReLU())
        self.classify = nn.Linear(32, 10)

    def forward(self, x: Tensor) -> Tensor:
        x = self.down(self.stem(x))
        x = torch.relu(x + self.residual(x))
        scores: Tensor = self.classify(self.head(x).mean(dim=(2, 3)))
        return scores


def build() -> nn.Module:
    """What `--builder model:build` calls."""
    return Digits()
