"""StarNet: Ma et al., Rewrite the stars, 2024, at half of S1's widths and a third of its depth."""

from families.blocks import classifier, conv_bn, depthwise
from torch import Tensor, nn


class _Star(nn.Module):
    """Two expansions multiplied with each other."""

    def __init__(self, channels: int):
        super().__init__()
        self.before = depthwise(channels, 7, act=None)
        self.left, self.right = nn.Conv2d(channels, 4 * channels, 1), nn.Conv2d(channels, 4 * channels, 1)
        self.relu = nn.ReLU6()
        self.join = conv_bn(4 * channels, channels, 1, act=None)
        self.after = nn.Conv2d(channels, channels, 7, padding=3, groups=channels)

    def forward(self, x: Tensor) -> Tensor:
        y = self.before(x)
        return x + self.after(self.join(self.relu(self.left(y)) * self.right(y)))


def starnet() -> nn.Module:
    layers = [conv_bn(3, 16, 3, 2, act=nn.ReLU6)]
    source = 16
    for target, depth in ((12, 1), (24, 1), (48, 2), (96, 1)):
        layers += [conv_bn(source, target, 3, 2, act=None), *(_Star(target) for _ in range(depth))]
        source = target
    return nn.Sequential(*layers, nn.BatchNorm2d(source), classifier(source))


VARIANTS = {"StarNet": starnet}
