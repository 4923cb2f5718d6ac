"""GoogLeNet: Szegedy et al., Going deeper with convolutions, 2015, with batch norm, at an eighth."""

from families.blocks import Concat, classifier, conv_bn
from torch import nn

# 1x1, 3x3 reduced and 3x3, 5x5 reduced and 5x5, behind the pool: the paper's table 1; 0 is a pool.
_TABLE: tuple[tuple[int, ...], ...] = (
    (64, 96, 128, 16, 32, 32),
    (128, 128, 192, 32, 96, 64),
    (0,),
    (192, 96, 208, 16, 48, 64),
    (160, 112, 224, 24, 64, 64),
    (128, 128, 256, 24, 64, 64),
    (112, 144, 288, 32, 64, 64),
    (256, 160, 320, 32, 128, 128),
    (0,),
    (256, 160, 320, 32, 128, 128),
    (384, 192, 384, 48, 128, 128),
)


def _inception(source: int, *widths: int) -> nn.Module:
    one, three_in, three, five_in, five, pooled = (width // 8 for width in widths)
    return Concat(
        conv_bn(source, one, 1),
        nn.Sequential(conv_bn(source, three_in, 1), conv_bn(three_in, three, 3)),
        nn.Sequential(conv_bn(source, five_in, 1), conv_bn(five_in, five, 5)),
        nn.Sequential(nn.MaxPool2d(3, 1, 1), conv_bn(source, pooled, 1)),
    )


def googlenet() -> nn.Module:
    def pool() -> nn.Module:
        return nn.MaxPool2d(3, 2, ceil_mode=True)

    layers = [conv_bn(3, 8, 7, 2), pool(), conv_bn(8, 8, 1), conv_bn(8, 24), pool()]
    source = 24
    for row in _TABLE:
        if row == (0,):
            layers.append(pool())
            continue
        layers.append(_inception(source, *row))
        source = sum(row[i] // 8 for i in (0, 2, 4, 5))
    return nn.Sequential(*layers, classifier(source))


VARIANTS = {"GoogLeNet": googlenet}
