"""MobileNet V3, small and large: Howard et al. 2019, at 0.35 of their widths."""

from families.blocks import Residual, SqueezeExcite, conv_bn, depthwise, narrow
from torch import nn

# kernel, expanded, target, squeeze-and-excitation, hard-swish, stride: the paper's tables 1 and 2.
_Row = tuple[int, int, int, bool, bool, int]
_LARGE: tuple[_Row, ...] = (
    (3, 16, 16, False, False, 1),
    (3, 64, 24, False, False, 2),
    (3, 72, 24, False, False, 1),
    (5, 72, 40, True, False, 2),
    (5, 120, 40, True, False, 1),
    (5, 120, 40, True, False, 1),
    (3, 240, 80, False, True, 2),
    (3, 200, 80, False, True, 1),
    (3, 184, 80, False, True, 1),
    (3, 184, 80, False, True, 1),
    (3, 480, 112, True, True, 1),
    (3, 672, 112, True, True, 1),
    (5, 672, 160, True, True, 2),
    (5, 960, 160, True, True, 1),
    (5, 960, 160, True, True, 1),
)
_SMALL: tuple[_Row, ...] = (
    (3, 16, 16, True, False, 2),
    (3, 72, 24, False, False, 2),
    (3, 88, 24, False, False, 1),
    (5, 96, 40, True, True, 2),
    (5, 240, 40, True, True, 1),
    (5, 240, 40, True, True, 1),
    (5, 120, 48, True, True, 1),
    (5, 144, 48, True, True, 1),
    (5, 288, 96, True, True, 2),
    (5, 576, 96, True, True, 1),
    (5, 576, 96, True, True, 1),
)


def _block(source: int, inner: int, target: int, row: _Row) -> nn.Module:
    kernel, _, _, excite, swish, stride = row
    act = nn.Hardswish if swish else nn.ReLU
    body = nn.Sequential(
        conv_bn(source, inner, 1, act=act),
        depthwise(inner, kernel, stride, act=act),
        *([SqueezeExcite(inner, narrow(inner / 4), nn.Hardsigmoid)] if excite else []),
        conv_bn(inner, target, 1, act=None),
    )
    return Residual(body) if source == target and stride == 1 else body


def _net(rows: tuple[_Row, ...], last: int) -> nn.Module:
    source = 8
    layers = [conv_bn(3, source, 3, 2, act=nn.Hardswish)]
    for row in rows:
        inner, target = narrow(row[1], 0.35), narrow(row[2], 0.35)
        layers.append(_block(source, inner, target, row))
        source = target
    return nn.Sequential(
        *layers,
        conv_bn(source, last, 1, act=nn.Hardswish),
        nn.AdaptiveAvgPool2d(1),
        nn.Flatten(),
        nn.Linear(last, 128),
        nn.Hardswish(),
        nn.Linear(128, 10),
    )


VARIANTS = {"MobileNet V3 small": lambda: _net(_SMALL, 200), "MobileNet V3 large": lambda: _net(_LARGE, 336)}
