"""ViT: Dosovitskiy et al. 2021, and the image tower of CLIP: Radford et al. 2021.

CLIP's tower has PyTorch's own attention with the tokens first, a norm before the first block, QuickGELU, and
a projection into the space shared with texts; a dense layer over that space is the classifier here.
"""

import torch
from torch import Tensor, nn


class _QuickGelu(nn.Module):
    def forward(self, x: Tensor) -> Tensor:
        return x * torch.sigmoid(1.702 * x)


class _Attention(nn.Module):
    def __init__(self, channels: int, heads: int):
        super().__init__()
        self.heads = heads
        self.qkv, self.out = nn.Linear(channels, 3 * channels), nn.Linear(channels, channels)

    def forward(self, x: Tensor) -> Tensor:
        batch, count, channels = x.shape
        parts = self.qkv(x).reshape(batch, count, 3, self.heads, channels // self.heads)
        query, key, value = parts.permute(2, 0, 3, 1, 4).unbind(0)
        weights = torch.softmax(query @ key.transpose(-2, -1) * (channels // self.heads) ** -0.5, -1)
        return self.out((weights @ value).transpose(1, 2).reshape(batch, count, channels))


class _Multihead(nn.Module):
    def __init__(self, channels: int, heads: int):
        super().__init__()
        self.attention = nn.MultiheadAttention(channels, heads)

    def forward(self, x: Tensor) -> Tensor:
        first = x.permute(1, 0, 2)
        return self.attention(first, first, first, need_weights=False)[0].permute(1, 0, 2)


class _Block(nn.Module):
    def __init__(self, channels: int, attention: nn.Module, act: nn.Module):
        super().__init__()
        self.before, self.between = nn.LayerNorm(channels), nn.LayerNorm(channels)
        self.attention = attention
        self.mlp = nn.Sequential(nn.Linear(channels, 4 * channels), act, nn.Linear(4 * channels, channels))

    def forward(self, x: Tensor) -> Tensor:
        x = x + self.attention(self.before(x))
        return x + self.mlp(self.between(x))


class _Tower(nn.Module):
    def __init__(self, channels: int, heads: int, depth: int, patch: int, clip: bool):
        super().__init__()
        self.patches = nn.Conv2d(3, channels, patch, patch, bias=not clip)
        self.token = nn.Parameter(0.5 * torch.randn(1, 1, channels))
        self.places = nn.Parameter(0.5 * torch.randn(1, (96 // patch) ** 2 + 1, channels))
        self.first = nn.LayerNorm(channels) if clip else nn.Identity()
        attention = _Multihead if clip else _Attention
        act = _QuickGelu if clip else nn.GELU
        self.blocks = nn.Sequential(
            *(_Block(channels, attention(channels, heads), act()) for _ in range(depth))
        )
        self.last = nn.LayerNorm(channels)
        shared = nn.Linear(channels, channels, bias=False) if clip else nn.Identity()
        self.head = nn.Sequential(shared, nn.Linear(channels, 10))

    def forward(self, x: Tensor) -> Tensor:
        patches = self.patches(x).flatten(2).transpose(1, 2)
        tokens = torch.cat([self.token.expand(x.shape[0], -1, -1), patches], 1) + self.places
        return self.head(self.last(self.blocks(self.first(tokens))[:, 0]))


VARIANTS = {
    "ViT": lambda: _Tower(48, 3, 3, 12, False),
    "CLIP image tower": lambda: _Tower(64, 4, 3, 16, True),
}
