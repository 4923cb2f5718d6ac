"""CONV_2D by ESP-NN."""

from collections.abc import Mapping
from dataclasses import replace

from edgekit.graph.ir import Graph
from edgekit.kernels.esp_nn._common import (
    aligned,
    dilated,
    number,
    padding_behind,
    shifts_bytes,
    sizes_fit,
    with_offset,
)
from edgekit.ops.step import Param, Step


def adapt(graph: Graph, step: Step) -> Step | None:  # noqa: ARG001
    """Return the step for ESP-NN; None for groups, dilation and padding that ESP-NN 1.1.2 gets wrong.

    It pads both sides as the side in front, so the side behind may need no more than that.
    """
    params = step.params
    behind = padding_behind(params)
    if (
        number(params, "groups") != 1
        or dilated(params)
        or not sizes_fit(params)
        or behind[0] > number(params, "pad_top")
        or behind[1] > number(params, "pad_left")
    ):
        return None
    scratch = shifts_bytes(number(params, "output_channels")) + scratch_bytes(params)
    return replace(step, params=with_offset(step, (1, 2, 3)), scratch_bytes=scratch)


def scratch_bytes(params: Mapping[str, Param]) -> int:
    """Return what esp_nn_get_conv_scratch_size_esp32s3 of ESP-NN 1.1.2 says, by the same sums."""
    height, width = number(params, "input_height"), number(params, "input_width")
    channels, outputs = number(params, "input_channels"), number(params, "output_channels")
    top, left = number(params, "pad_top"), number(params, "pad_left")
    taps = number(params, "filter_height") * number(params, "filter_width")
    strides = (number(params, "stride_height"), number(params, "stride_width"))
    if taps == 1 and strides == (1, 1) and (top, left) == (0, 0):
        padded = aligned(channels, 8)
        copy = height * width * padded if channels % 8 else 0
        transposed = 16 * padded if height * width >= 8 else 0
        return copy + padded * outputs + transposed + 32
    image = (height + 2 * top) * (width + 2 * left) * channels if top or left else 0
    return image + taps * aligned(channels) * outputs + 4 * outputs + 32
