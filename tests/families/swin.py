"""Swin Transformer: Liu et al. 2021: attention in windows that shift by half in every other block."""

import torch
from torch import Tensor, nn

_WINDOW = 6


class _Attention(nn.Module):
    def __init__(self, channels: int, heads: int):
        super().__init__()
        self.heads = heads
        self.qkv, self.out = nn.Linear(channels, 3 * channels), nn.Linear(channels, channels)
        self.bias = nn.Parameter(0.5 * torch.randn((2 * _WINDOW - 1) ** 2, heads))
        places = torch.stack(torch.meshgrid(torch.arange(_WINDOW), torch.arange(_WINDOW), indexing="ij"))
        away = places.flatten(1)[:, :, None] - places.flatten(1)[:, None, :] + _WINDOW - 1
        self.register_buffer("index", away[0] * (2 * _WINDOW - 1) + away[1])

    def forward(self, x: Tensor, mask: Tensor | None) -> Tensor:
        windows, count, channels = x.shape
        size = channels // self.heads
        query, key, value = self.qkv(x).reshape(windows, count, 3, self.heads, size).permute(2, 0, 3, 1, 4)
        scores = (query * size**-0.5) @ key.transpose(-2, -1)
        bias = self.bias[self.index.view(-1)].view(count, count, self.heads).permute(2, 0, 1)
        scores = scores + bias
        if mask is not None:
            each = (-1, len(mask), self.heads, count, count)
            scores = (scores.view(each) + mask[:, None]).view(scores.shape)
        seen = torch.softmax(scores, -1) @ value
        return self.out(seen.transpose(1, 2).reshape(windows, count, channels))


class _Block(nn.Module):
    def __init__(self, channels: int, heads: int, side: int, shift: int):
        super().__init__()
        self.side, self.shift = side, shift
        self.before, self.between = nn.LayerNorm(channels), nn.LayerNorm(channels)
        self.attention = _Attention(channels, heads)
        self.mlp = nn.Sequential(
            nn.Linear(channels, 4 * channels), nn.GELU(), nn.Linear(4 * channels, channels)
        )
        self.register_buffer("mask", _mask(side, shift) if shift else None)

    def forward(self, x: Tensor) -> Tensor:
        y = self.before(x)
        if self.shift:
            y = torch.roll(y, (-self.shift, -self.shift), (1, 2))
        y = _merge(self.attention(_split(y), self.mask), self.side)
        if self.shift:
            y = torch.roll(y, (self.shift, self.shift), (1, 2))
        x = x + y
        return x + self.mlp(self.between(x))


class _Join(nn.Module):
    """Each 2x2 patches become one of twice the channels."""

    def __init__(self, channels: int):
        super().__init__()
        self.norm, self.reduce = nn.LayerNorm(4 * channels), nn.Linear(4 * channels, 2 * channels, bias=False)

    def forward(self, x: Tensor) -> Tensor:
        corners = [x[:, 0::2, 0::2], x[:, 1::2, 0::2], x[:, 0::2, 1::2], x[:, 1::2, 1::2]]
        return self.reduce(self.norm(torch.cat(corners, -1)))


class _Patches(nn.Module):
    def __init__(self, channels: int):
        super().__init__()
        self.conv, self.norm = nn.Conv2d(3, channels, 4, 4), nn.LayerNorm(channels)

    def forward(self, x: Tensor) -> Tensor:
        return self.norm(self.conv(x).permute(0, 2, 3, 1))


class _Head(nn.Module):
    def __init__(self, channels: int):
        super().__init__()
        self.norm, self.dense = nn.LayerNorm(channels), nn.Linear(channels, 10)

    def forward(self, x: Tensor) -> Tensor:
        return self.dense(self.norm(x).mean((1, 2)))


def _split(x: Tensor) -> Tensor:
    batch, height, width, channels = x.shape
    parts = x.view(batch, height // _WINDOW, _WINDOW, width // _WINDOW, _WINDOW, channels)
    return parts.permute(0, 1, 3, 2, 4, 5).reshape(-1, _WINDOW * _WINDOW, channels)


def _merge(windows: Tensor, side: int) -> Tensor:
    channels, across = windows.shape[-1], side // _WINDOW
    parts = windows.view(-1, across, across, _WINDOW, _WINDOW, channels)
    return parts.permute(0, 1, 3, 2, 4, 5).reshape(-1, side, side, channels)


def _mask(side: int, shift: int) -> Tensor:
    """Return what keeps pixels of opposite edges apart, which a shift brings into one window."""
    region = torch.zeros(1, side, side, 1)
    cuts = (slice(0, -_WINDOW), slice(-_WINDOW, -shift), slice(-shift, None))
    for number, (rows, columns) in enumerate((a, b) for a in cuts for b in cuts):
        region[:, rows, columns] = number
    numbers = _split(region).squeeze(-1)
    return torch.where(numbers[:, None] == numbers[:, :, None], 0.0, -100.0)


def swin() -> nn.Module:
    return nn.Sequential(
        _Patches(16),
        _Block(16, 2, 24, 0),
        _Block(16, 2, 24, 3),
        _Join(16),
        _Block(32, 4, 12, 0),
        _Block(32, 4, 12, 3),
        _Join(32),
        _Block(64, 8, 6, 0),
        _Head(64),
    )


VARIANTS = {"Swin": swin}
