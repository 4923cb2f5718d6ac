"""Structural re-parameterisation: what is trained as several convolutions becomes one.

Ding et al., RepVGG, 2021: a batch norm behind a convolution is a scale and an offset of its outputs, a
smaller window is a larger one with zeros around it, and the sum of convolutions of equal windows is one
convolution. So is a convolution behind another one if its window is a single pixel.
"""

import torch
from torch import Tensor, nn


class Branches(nn.Module):
    """The sum of convolutions with batch norm, one per kernel size, and of a batch norm of the input."""

    def __init__(
        self,
        source: int,
        target: int,
        kernels: tuple[int, ...],
        stride: int = 1,
        groups: int = 1,
        identity: bool | None = None,
    ):
        super().__init__()
        self.stride, self.groups, self.kernel = stride, groups, max(kernels)
        self.convs = nn.ModuleList(
            nn.Sequential(
                nn.Conv2d(source, target, k, stride, k // 2, groups=groups, bias=False),
                nn.BatchNorm2d(target),
            )
            for k in kernels
        )
        possible = source == target and stride == 1
        self.identity = nn.BatchNorm2d(source) if possible and identity is not False else None

    def forward(self, x: Tensor) -> Tensor:
        total = sum(conv(x) for conv in self.convs)
        return total if self.identity is None else total + self.identity(x)

    def merged(self) -> nn.Conv2d:
        """Return one convolution that computes the same with the running statistics."""
        first = self.convs[0][0]
        made = nn.Conv2d(
            first.in_channels,
            first.out_channels,
            self.kernel,
            self.stride,
            self.kernel // 2,
            groups=self.groups,
        )
        kernel, bias = torch.zeros_like(made.weight), torch.zeros(first.out_channels)
        for conv, norm in self.convs:
            edge = (self.kernel - conv.kernel_size[0]) // 2
            end = self.kernel - edge
            scale, offset = _affine(norm)
            kernel[:, :, edge:end, edge:end] += conv.weight * scale.view(-1, 1, 1, 1)
            bias += offset
        if self.identity is not None:
            scale, offset = _affine(self.identity)
            outputs = torch.arange(first.out_channels)
            inputs = outputs % (first.in_channels // self.groups)
            kernel[outputs, inputs, self.kernel // 2, self.kernel // 2] += scale
            bias += offset
        made.weight.data, made.bias.data = kernel, bias
        return made


class Chain(nn.Module):
    """A convolution with batch norm and 1x1 convolutions behind it, each with a batch norm as shortcut."""

    def __init__(self, source: int, target: int, kernel: int, depth: int = 2):
        super().__init__()
        self.first = Branches(source, target, (kernel,), identity=False)
        self.links = nn.ModuleList(Branches(target, target, (1,)) for _ in range(depth))

    def forward(self, x: Tensor) -> Tensor:
        x = self.first(x)
        for link in self.links:
            x = link(x)
        return x

    def merged(self) -> nn.Conv2d:
        """Return one convolution that computes the same with the running statistics."""
        made = self.first.merged()
        for link in self.links:
            behind = link.merged()
            matrix = behind.weight[:, :, 0, 0]
            made.bias.data = matrix @ made.bias + behind.bias
            made.weight.data = torch.einsum("om,mihw->oihw", matrix, made.weight)
        return made


@torch.no_grad()
def merge(module: nn.Module) -> nn.Module:
    """Replace what can be merged inside a module by its one convolution, in place; return the module."""
    for name, child in module.named_children():
        if isinstance(child, Branches | Chain):
            setattr(module, name, child.merged())
        else:
            merge(child)
    return module


def _affine(norm: nn.BatchNorm2d) -> tuple[Tensor, Tensor]:
    """Return the factor and the offset that a batch norm is with its running statistics."""
    scale = norm.weight / torch.sqrt(norm.running_var + norm.eps)
    return scale, norm.bias - norm.running_mean * scale
