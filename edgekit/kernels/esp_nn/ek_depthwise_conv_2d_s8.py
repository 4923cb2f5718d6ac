"""DEPTHWISE_CONV_2D by ESP-NN."""

from collections.abc import Mapping
from dataclasses import replace

import numpy as np

from edgekit.graph.ir import Graph
from edgekit.kernels.esp_nn._common import (
    constant,
    dilated,
    number,
    padding_behind,
    shifts_bytes,
    sizes_fit,
)
from edgekit.ops.step import Constant, Param, Step


def adapt(graph: Graph, step: Step) -> Step | None:  # noqa: ARG001
    """Return the step for ESP-NN; None for dilation, and for padding that ESP-NN 1.1.2 has no scratch for.

    It must be the same above and left; behind, no more than in front, or anything where none is in front.
    """
    params = step.params
    before = number(params, "pad_top")
    behind = max(padding_behind(params))
    uneven = number(params, "pad_left") != before or (before > 0 and behind > before)
    if dilated(params) or not sizes_fit(params) or uneven:
        return None
    channels = number(params, "input_channels") * number(params, "depth_multiplier")
    scratch = shifts_bytes(channels) + scratch_bytes(params)
    return replace(step, params=_with_offset(step), scratch_bytes=scratch)


def _with_offset(step: Step) -> dict[str, Param]:
    """Return the parameters with the zero point where ESP-NN wants it.

    Inside the image it may stay in the bias, and ESP-NN has less to do with an offset of 0. Where an output
    looks outside, ESP-NN puts minus the offset there, so it must be the zero point, and leave the bias.
    """
    params = dict(step.params)
    zero_point = number(params, "input_zero_point")
    if number(params, "pad_top") or any(padding_behind(params)):
        sums = constant(params, "weights").values.astype(np.int64).sum(axis=(0, 1, 2))
        bias = constant(params, "bias").values.astype(np.int64) + zero_point * sums
        params["bias"] = Constant("bias", bias.astype(np.int32))
    else:
        params["input_zero_point"] = 0
    return params


def scratch_bytes(params: Mapping[str, Param]) -> int:
    """Return at least what esp_nn_get_depthwise_conv_scratch_size_esp32s3 of ESP-NN 1.1.2 says.

    More where its kernel uses more: it leaves up to 16 elements between the weights and the input, of two
    bytes where it widens them.
    """
    height, width = number(params, "input_height"), number(params, "input_width")
    channels, multiplier = number(params, "input_channels"), number(params, "depth_multiplier")
    filter_size = (number(params, "filter_height"), number(params, "filter_width"))
    weights = filter_size[0] * filter_size[1] * channels * multiplier
    widened = 2 * (weights + 16 + height * width * channels) + 32
    if multiplier == 1 and channels % 8 == 0 and filter_size == (3, 3):
        before = number(params, "pad_top")
        if channels % 16 or before > 1:
            return widened
        return weights + 16 + _padded_bytes(params, before) + 16
    return widened if multiplier % 4 == 0 else 32


def _padded_bytes(params: Mapping[str, Param], before: int) -> int:
    """Return the bytes of the input with its padding, which ESP-NN copies; 0 where there is none."""
    sizes = []
    for axis in ("height", "width"):
        size = number(params, f"input_{axis}")
        end = number(params, f"output_{axis}") * number(params, f"stride_{axis}") + 2
        sizes.append(size + 2 * before if before else max(size, end))
    return sizes[0] * sizes[1] * number(params, "input_channels")
