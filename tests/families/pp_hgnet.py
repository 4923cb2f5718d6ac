"""PP-HGNet and PP-HGNetV2 (PaddleClas): blocks that gather the outputs of all of their layers.

V1 weighs the gathered channels by one layer of squeeze-and-excitation; V2 has light layers, a stem of two
branches, and a learnt scale and offset behind every activation.
"""

import torch
from families.blocks import classifier, conv_bn, depthwise
from torch import Tensor, nn
from torch.nn import functional


class _Affine(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.scale, self.offset = nn.Parameter(torch.tensor(1.1)), nn.Parameter(torch.tensor(0.05))

    def forward(self, x: Tensor) -> Tensor:
        return self.scale * x + self.offset


def _affine_relu() -> nn.Module:
    return nn.Sequential(nn.ReLU(), _Affine())


def _light(source: int, target: int, kernel: int) -> nn.Module:
    return nn.Sequential(conv_bn(source, target, 1, act=None), depthwise(target, kernel, act=_affine_relu))


class _Excite(nn.Module):
    def __init__(self, channels: int):
        super().__init__()
        self.weigh = nn.Sequential(nn.AdaptiveAvgPool2d(1), nn.Conv2d(channels, channels, 1), nn.Sigmoid())

    def forward(self, x: Tensor) -> Tensor:
        return x * self.weigh(x)


class _Block(nn.Module):
    def __init__(self, layers: list[nn.Module], gather: nn.Module, identity: bool):
        super().__init__()
        self.layers, self.gather, self.identity = nn.ModuleList(layers), gather, identity

    def forward(self, x: Tensor) -> Tensor:
        found = [x]
        for layer in self.layers:
            found.append(layer(found[-1]))
        gathered = self.gather(torch.cat(found, 1))
        return gathered + x if self.identity else gathered


def _block(source: int, inner: int, target: int, count: int, identity: bool) -> nn.Module:
    layers = [conv_bn(source if i == 0 else inner, inner) for i in range(count)]
    gather = nn.Sequential(conv_bn(source + count * inner, target, 1), _Excite(target))
    return _Block(layers, gather, identity)


def _block_v2(source: int, inner: int, target: int, count: int, kernel: int, light: bool) -> nn.Module:
    def layer(width: int) -> nn.Module:
        return _light(width, inner, kernel) if light else conv_bn(width, inner, kernel, act=_affine_relu)

    gathered = source + count * inner
    gather = nn.Sequential(
        conv_bn(gathered, target // 2, 1, act=_affine_relu),
        conv_bn(target // 2, target, 1, act=_affine_relu),
    )
    return _Block([layer(source if i == 0 else inner) for i in range(count)], gather, source == target)


class _Stem(nn.Module):
    """Two branches side by side: a pool and two 2x2 convolutions, padded below and on the right."""

    def __init__(self, inner: int, target: int):
        super().__init__()
        self.first = conv_bn(3, inner, 3, 2, act=_affine_relu)
        self.left = self._two(inner, inner // 2)
        self.right = self._two(inner // 2, inner)
        self.pool = nn.MaxPool2d(2, 1, ceil_mode=True)
        self.down = conv_bn(2 * inner, inner, 3, 2, act=_affine_relu)
        self.last = conv_bn(inner, target, 1, act=_affine_relu)

    @staticmethod
    def _two(source: int, target: int) -> nn.Module:
        layers = (nn.Conv2d(source, target, 2, bias=False), nn.BatchNorm2d(target), _affine_relu())
        return nn.Sequential(*layers)

    def forward(self, x: Tensor) -> Tensor:
        x = functional.pad(self.first(x), (0, 1, 0, 1))
        worked = self.right(functional.pad(self.left(x), (0, 1, 0, 1)))
        return self.last(self.down(torch.cat([self.pool(x), worked], 1)))


def pp_hgnet() -> nn.Module:
    return nn.Sequential(
        conv_bn(3, 8, 3, 2),
        conv_bn(8, 8),
        conv_bn(8, 16),
        nn.MaxPool2d(3, 2, 1),
        _block(16, 12, 24, 4, False),
        depthwise(24, 3, 2, act=None),
        _block(24, 16, 32, 4, False),
        depthwise(32, 3, 2, act=None),
        _block(32, 20, 48, 4, False),
        _block(48, 20, 48, 4, True),
        depthwise(48, 3, 2, act=None),
        _block(48, 24, 64, 4, False),
        nn.AdaptiveAvgPool2d(1),
        nn.Conv2d(64, 128, 1),
        nn.ReLU(),
        nn.Flatten(),
        nn.Linear(128, 10),
    )


def pp_hgnet_v2() -> nn.Module:
    return nn.Sequential(
        _Stem(8, 8),
        _block_v2(8, 8, 16, 3, 3, False),
        depthwise(16, 3, 2, act=None),
        _block_v2(16, 8, 32, 3, 3, False),
        depthwise(32, 3, 2, act=None),
        _block_v2(32, 16, 64, 3, 5, True),
        _block_v2(64, 16, 64, 3, 5, True),
        depthwise(64, 3, 2, act=None),
        _block_v2(64, 24, 128, 3, 5, True),
        classifier(128),
    )


VARIANTS = {"PP-HGNet": pp_hgnet, "PP-HGNetV2": pp_hgnet_v2}
