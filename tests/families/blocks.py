"""What the families share: convolution with batch norm, squeeze-and-excitation, rounding of widths."""

from collections.abc import Callable

import torch
from torch import Tensor, nn

Activation = Callable[[], nn.Module]


def conv_bn(
    source: int,
    target: int,
    kernel: int | tuple[int, int] = 3,
    stride: int = 1,
    *,
    groups: int = 1,
    act: Activation | None = nn.ReLU,
) -> nn.Sequential:
    """Return a convolution padded to SAME at stride 1, its batch norm and its activation."""
    sides = (kernel, kernel) if isinstance(kernel, int) else kernel
    padding = (sides[0] // 2, sides[1] // 2)
    layers: list[nn.Module] = [
        nn.Conv2d(source, target, sides, stride, padding, groups=groups, bias=False),
        nn.BatchNorm2d(target),
    ]
    return nn.Sequential(*layers, *([act()] if act else []))


def depthwise(
    channels: int, kernel: int = 3, stride: int = 1, *, act: Activation | None = nn.ReLU
) -> nn.Module:
    """Return a depthwise convolution with batch norm."""
    return conv_bn(channels, channels, kernel, stride, groups=channels, act=act)


class SqueezeExcite(nn.Module):
    """Squeeze-and-excitation (Hu et al. 2018): channels weighted by what their means say."""

    def __init__(self, channels: int, inner: int, gate: Activation = nn.Sigmoid, act: Activation = nn.ReLU):
        super().__init__()
        self.weigh = nn.Sequential(
            nn.AdaptiveAvgPool2d(1),
            nn.Conv2d(channels, inner, 1),
            act(),
            nn.Conv2d(inner, channels, 1),
            gate(),
        )

    def forward(self, x: Tensor) -> Tensor:
        return x * self.weigh(x)


class Residual(nn.Module):
    """The sum of a body and its input, or of a body and a projection, and what follows the sum."""

    def __init__(self, body: nn.Module, shortcut: nn.Module | None = None, after: nn.Module | None = None):
        super().__init__()
        self.body = body
        self.shortcut = shortcut or nn.Identity()
        self.after = after or nn.Identity()

    def forward(self, x: Tensor) -> Tensor:
        return self.after(self.body(x) + self.shortcut(x))


class Concat(nn.Module):
    """Branches over one input, side by side in the channels."""

    def __init__(self, *branches: nn.Module):
        super().__init__()
        self.branches = nn.ModuleList(branches)

    def forward(self, x: Tensor) -> Tensor:
        return torch.cat([branch(x) for branch in self.branches], 1)


def classifier(channels: int, classes: int = 10) -> nn.Sequential:
    """Return the mean over the map and a dense layer."""
    return nn.Sequential(nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(channels, classes))


def narrow(channels: float, factor: float = 1.0, by: int = 4) -> int:
    """Return a width times a factor, rounded to a multiple and at least that."""
    return max(by, round(channels * factor / by) * by)
