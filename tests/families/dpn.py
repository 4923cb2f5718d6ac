"""DPN, dual path networks: Chen et al. 2017: each block adds to some channels and appends others."""

import torch
from families.blocks import classifier, conv_bn
from torch import Tensor, nn


class _Block(nn.Module):
    def __init__(self, source: int, width: int, added: int, appended: int, stride: int, project: bool):
        super().__init__()
        self.added = added
        self.project = conv_bn(source, added + 2 * appended, 1, stride, act=None) if project else None
        self.body = nn.Sequential(
            conv_bn(source, width, 1),
            conv_bn(width, width, 3, stride, groups=8),
            conv_bn(width, added + appended, 1, act=None),
        )
        self.relu = nn.ReLU()

    def forward(self, x: Tensor) -> Tensor:
        straight = x if self.project is None else self.project(x)
        new = self.body(x)
        total = straight[:, : self.added] + new[:, : self.added]
        return self.relu(torch.cat([total, straight[:, self.added :], new[:, self.added :]], 1))


def dpn() -> nn.Module:
    layers = [conv_bn(3, 16, 7, 2), nn.MaxPool2d(3, 2, 1)]
    source = 16
    for stage, (depth, width, added, appended) in enumerate(
        ((2, 16, 16, 8), (2, 32, 32, 8), (2, 64, 64, 16), (2, 128, 128, 16))
    ):
        for number in range(depth):
            stride = 2 if stage and not number else 1
            layers.append(_Block(source, width, added, appended, stride, not number))
            source = added + (3 + number) * appended
    return nn.Sequential(*layers, classifier(source))


VARIANTS = {"DPN": dpn}
