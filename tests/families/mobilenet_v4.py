"""MobileNet V4, conv-small and hybrid: Qin et al. 2024, at a quarter of their widths, with fewer repetitions.

The universal inverted bottleneck has two optional depthwise convolutions; the hybrid form has mobile
multi-query attention, whose heads share keys and values that a strided depthwise convolution thins out.
"""

import torch
from families.blocks import Residual, conv_bn, depthwise
from torch import Tensor, nn


def _uib(source: int, target: int, first: int, second: int, stride: int, factor: int) -> nn.Module:
    inner = source * factor
    body = nn.Sequential(
        *([depthwise(source, first, 1 if second else stride, act=None)] if first else []),
        conv_bn(source, inner, 1),
        *([depthwise(inner, second, stride)] if second else []),
        conv_bn(inner, target, 1, act=None),
    )
    return Residual(body) if source == target and stride == 1 else body


class _Scale(nn.Module):
    def __init__(self, channels: int):
        super().__init__()
        self.factor = nn.Parameter(torch.full((channels, 1, 1), 0.5))

    def forward(self, x: Tensor) -> Tensor:
        return x * self.factor


class _Attention(nn.Module):
    """Mobile multi-query attention over a map."""

    def __init__(self, channels: int, heads: int, size: int, stride: int):
        super().__init__()
        self.heads, self.size = heads, size
        self.query = nn.Conv2d(channels, heads * size, 1, bias=False)
        self.thin = depthwise(channels, 3, stride, act=None) if stride > 1 else nn.Identity()
        self.key = nn.Conv2d(channels, size, 1, bias=False)
        self.value = nn.Conv2d(channels, size, 1, bias=False)
        self.out = nn.Conv2d(heads * size, channels, 1, bias=False)

    def forward(self, x: Tensor) -> Tensor:
        batch, _, height, width = x.shape
        query = self.query(x).reshape(batch, self.heads, self.size, height * width).transpose(2, 3)
        few = self.thin(x)
        key = self.key(few).reshape(batch, 1, self.size, -1)
        value = self.value(few).reshape(batch, 1, self.size, -1).transpose(2, 3)
        weights = torch.softmax(query @ key * self.size**-0.5, -1)
        seen = (weights @ value).transpose(2, 3).reshape(batch, self.heads * self.size, height, width)
        return self.out(seen)


def _attend(channels: int, heads: int, size: int, stride: int) -> nn.Module:
    return Residual(
        nn.Sequential(nn.BatchNorm2d(channels), _Attention(channels, heads, size, stride), _Scale(channels))
    )


def _end(source: int) -> tuple[nn.Module, ...]:
    return (
        conv_bn(source, 96, 1),
        nn.AdaptiveAvgPool2d(1),
        conv_bn(96, 128, 1),
        nn.Flatten(),
        nn.Linear(128, 10),
    )


def conv() -> nn.Module:
    return nn.Sequential(
        conv_bn(3, 8, 3, 2),
        conv_bn(8, 8, 3, 2),
        conv_bn(8, 8, 1),
        conv_bn(8, 24, 3, 2),
        conv_bn(24, 16, 1),
        _uib(16, 24, 5, 5, 2, 3),
        _uib(24, 24, 0, 3, 1, 2),
        _uib(24, 24, 0, 3, 1, 2),
        _uib(24, 24, 3, 0, 1, 4),
        _uib(24, 32, 3, 3, 2, 6),
        _uib(32, 32, 5, 5, 1, 4),
        _uib(32, 32, 0, 5, 1, 4),
        *_end(32),
    )


def hybrid() -> nn.Module:
    return nn.Sequential(
        conv_bn(3, 8, 3, 2),
        conv_bn(8, 32, 3, 2),
        conv_bn(32, 12, 1),
        _uib(12, 20, 3, 5, 2, 4),
        _uib(20, 20, 3, 3, 1, 2),
        _uib(20, 40, 3, 5, 2, 6),
        _uib(40, 40, 0, 0, 1, 2),
        _attend(40, 4, 16, 2),
        _uib(40, 40, 3, 3, 1, 4),
        _attend(40, 4, 16, 2),
        _uib(40, 64, 5, 5, 2, 4),
        _attend(64, 4, 16, 1),
        _uib(64, 64, 5, 0, 1, 4),
        *_end(64),
    )


VARIANTS = {"MobileNet V4 conv": conv, "MobileNet V4 hybrid": hybrid}
