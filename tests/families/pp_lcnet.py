"""PP-LCNet: Cui et al. 2021, and PP-LCNetV2 (PaddleClas), at half of their widths.

V2 trains several depthwise branches that are merged for inference, splits some pointwise layers in two, and
has shortcuts.
"""

from families.blocks import Residual, SqueezeExcite, conv_bn, depthwise
from families.merge import Branches
from torch import nn


def _separable(source: int, target: int, kernel: int, stride: int, excite: bool) -> nn.Module:
    return nn.Sequential(
        depthwise(source, kernel, stride, act=nn.Hardswish),
        *([SqueezeExcite(source, source // 4, nn.Hardsigmoid)] if excite else []),
        conv_bn(source, target, 1, act=nn.Hardswish),
    )


def pp_lcnet() -> nn.Module:
    source = 8
    layers = [conv_bn(3, source, 3, 2, act=nn.Hardswish)]
    rows = [(3, 16, 1), (3, 32, 2), (3, 32, 1), (3, 64, 2), (3, 64, 1), (3, 128, 2), *[(5, 128, 1)] * 5]
    for kernel, target, stride in rows:
        layers.append(_separable(source, target, kernel, stride, False))
        source = target
    layers += [_separable(128, 192, 5, 2, True), _separable(192, 192, 5, 1, True)]
    end = (nn.AdaptiveAvgPool2d(1), nn.Conv2d(192, 256, 1), nn.Hardswish(), nn.Flatten(), nn.Linear(256, 10))
    return nn.Sequential(*layers, *end)


def _rep(
    source: int, target: int, stride: int, kernels: tuple[int, ...], split: bool, excite: bool
) -> nn.Module:
    wide = (conv_bn(source, target // 2, 1), conv_bn(target // 2, target, 1))
    body = nn.Sequential(
        Branches(source, source, kernels, stride, groups=source, identity=False),
        nn.ReLU(),
        *([SqueezeExcite(source, source // 4, nn.Hardsigmoid)] if excite else []),
        *(wide if split else (conv_bn(source, target, 1),)),
    )
    return Residual(body) if source == target and stride == 1 else body


def pp_lcnet_v2() -> nn.Module:
    layers = [conv_bn(3, 8, 3, 2), Branches(8, 8, (3, 1), 1, groups=8, identity=False), nn.ReLU()]
    layers += [conv_bn(8, 16, 1)]
    source = 16
    for target, depth, kernels, split, excite in (
        (32, 2, (3, 1), False, False),
        (64, 2, (3, 1), False, False),
        (128, 4, (5, 3, 1), True, False),
        (192, 2, (5, 3, 1), False, True),
    ):
        for number in range(depth):
            layers.append(_rep(source, target, 1 if number else 2, kernels, split, excite))
            source = target
    end = (nn.AdaptiveAvgPool2d(1), nn.Conv2d(192, 192, 1), nn.ReLU(), nn.Flatten(), nn.Linear(192, 10))
    return nn.Sequential(*layers, *end)


VARIANTS = {"PP-LCNet": pp_lcnet, "PP-LCNetV2": pp_lcnet_v2}
