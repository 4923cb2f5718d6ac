"""DenseNet: Huang et al. 2017, with bottlenecks and compression, growth 8."""

import torch
from families.blocks import classifier, conv_bn
from torch import Tensor, nn

_GROWTH = 8


class _Layer(nn.Module):
    def __init__(self, source: int):
        super().__init__()
        self.body = nn.Sequential(
            nn.BatchNorm2d(source),
            nn.ReLU(),
            conv_bn(source, 4 * _GROWTH, 1),
            nn.Conv2d(4 * _GROWTH, _GROWTH, 3, padding=1, bias=False),
        )

    def forward(self, x: Tensor) -> Tensor:
        return torch.cat([x, self.body(x)], 1)


def densenet() -> nn.Module:
    source = 2 * _GROWTH
    layers = [conv_bn(3, source, 7, 2), nn.MaxPool2d(3, 2, 1)]
    for stage, depth in enumerate((3, 4, 6, 4)):
        if stage:
            layers += [nn.BatchNorm2d(source), nn.ReLU(), nn.Conv2d(source, source // 2, 1, bias=False)]
            layers.append(nn.AvgPool2d(2))
            source //= 2
        for _ in range(depth):
            layers.append(_Layer(source))
            source += _GROWTH
    return nn.Sequential(*layers, nn.BatchNorm2d(source), nn.ReLU(), classifier(source))


VARIANTS = {"DenseNet": densenet}
