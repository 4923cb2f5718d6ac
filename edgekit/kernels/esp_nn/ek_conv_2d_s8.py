"""CONV_2D by ESP-NN, with our own padding: ESP-NN 1.1.2 pads both sides as the side in front."""

import math

from edgekit.graph.ir import Graph
from edgekit.kernels.esp_nn._common import LARGEST, aligned, fitted, geometry_of, shifts_bytes, sizes_fit
from edgekit.ops.geometry import Geometry
from edgekit.ops.step import Step


def adapt(graph: Graph, step: Step) -> Step | None:  # noqa: ARG001
    """Return the step for ESP-NN, with scratch; None for groups and dilation, which it does not have."""
    geometry = geometry_of(step)
    size = image_size(geometry)
    plain = geometry.groups == 1 and geometry.dilation == (1, 1)
    if not plain or not sizes_fit(geometry) or max(size) > LARGEST:
        return None
    scratch = shifts_bytes(geometry.output_channels) + scratch_bytes(geometry)
    if geometry.leaves_image:
        scratch += aligned(math.prod(size) * geometry.input_channels)
    return fitted(step, scratch)


def image_size(geometry: Geometry) -> tuple[int, int]:
    """Return height and width of the image that ESP-NN gets: of the copy with padding, if there is one."""
    if not geometry.leaves_image:
        return geometry.input_size
    height, width = (geometry.reach(axis) + geometry.pad_before[axis] for axis in (0, 1))
    return height, width


def scratch_bytes(geometry: Geometry) -> int:
    """Return what esp_nn_get_conv_scratch_size_esp32s3 of ESP-NN 1.1.2 says of an image without padding."""
    pixels, channels = math.prod(image_size(geometry)), geometry.input_channels
    taps = math.prod(geometry.filter_size)
    if taps == 1 and geometry.stride == (1, 1):
        padded = aligned(channels, 8)
        copy = pixels * padded if channels % 8 else 0
        transposed = 16 * padded if pixels >= 8 else 0
        return copy + padded * geometry.output_channels + transposed + 32
    return (taps * aligned(channels) + 4) * geometry.output_channels + 32
