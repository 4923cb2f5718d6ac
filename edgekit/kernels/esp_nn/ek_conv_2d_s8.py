"""CONV_2D by ESP-NN, with our own padding: ESP-NN 1.1.2 pads both sides as the side in front."""

from collections.abc import Mapping
from dataclasses import replace

from edgekit.graph.ir import Graph
from edgekit.kernels.esp_nn._common import (
    LARGEST,
    aligned,
    dilated,
    number,
    padding_behind,
    shifts_bytes,
    sizes_fit,
)
from edgekit.ops.step import Param, Step


def adapt(graph: Graph, step: Step) -> Step | None:  # noqa: ARG001
    """Return the step for ESP-NN, with scratch; None for groups and dilation, which it does not have."""
    params = step.params
    size = image_size(params)
    if number(params, "groups") != 1 or dilated(params) or not sizes_fit(params) or max(size) > LARGEST:
        return None
    scratch = shifts_bytes(number(params, "output_channels")) + scratch_bytes(params)
    if leaves_image(params):
        scratch += aligned(size[0] * size[1] * number(params, "input_channels"))
    return replace(step, scratch_bytes=scratch)


def leaves_image(params: Mapping[str, Param]) -> bool:
    """Return whether some output looks outside the image."""
    return bool(number(params, "pad_top") or number(params, "pad_left") or any(padding_behind(params)))


def image_size(params: Mapping[str, Param]) -> tuple[int, int]:
    """Return height and width of the image that ESP-NN gets: of the copy with padding, if there is one."""
    if not leaves_image(params):
        return number(params, "input_height"), number(params, "input_width")
    height, width = (
        (number(params, f"output_{axis}") - 1) * number(params, f"stride_{axis}")
        + number(params, f"filter_{axis}")
        for axis in ("height", "width")
    )
    return height, width


def scratch_bytes(params: Mapping[str, Param]) -> int:
    """Return what esp_nn_get_conv_scratch_size_esp32s3 of ESP-NN 1.1.2 says of an image without padding."""
    height, width = image_size(params)
    channels, outputs = number(params, "input_channels"), number(params, "output_channels")
    taps = number(params, "filter_height") * number(params, "filter_width")
    if taps == 1 and (number(params, "stride_height"), number(params, "stride_width")) == (1, 1):
        padded = aligned(channels, 8)
        copy = height * width * padded if channels % 8 else 0
        transposed = 16 * padded if height * width >= 8 else 0
        return copy + padded * outputs + transposed + 32
    return taps * aligned(channels) * outputs + 4 * outputs + 32
