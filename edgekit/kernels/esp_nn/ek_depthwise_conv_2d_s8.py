"""DEPTHWISE_CONV_2D by ESP-NN."""

import math
from dataclasses import replace

import numpy as np

from edgekit.graph.ir import Graph
from edgekit.kernels.esp_nn._common import constant, fitted, geometry_of, number, shifts_bytes, sizes_fit
from edgekit.ops.geometry import Geometry
from edgekit.ops.step import Constant, Param, Step


def adapt(graph: Graph, step: Step) -> Step | None:  # noqa: ARG001
    """Return the step for ESP-NN; None for dilation, and for padding that ESP-NN 1.1.2 has no scratch for.

    It must be the same above and left; behind, no more than in front, or anything where none is in front.
    """
    geometry = geometry_of(step)
    above, left = geometry.pad_before
    uneven = left != above or (above > 0 and max(geometry.pad_behind) > above)
    if geometry.dilation != (1, 1) or not sizes_fit(geometry) or uneven:
        return None
    scratch = shifts_bytes(geometry.output_channels) + scratch_bytes(geometry)
    return fitted(replace(step, params=_with_offset(step, geometry)), scratch)


def _with_offset(step: Step, geometry: Geometry) -> dict[str, Param]:
    """Return the parameters with the zero point where ESP-NN wants it.

    Inside the image it may stay in the bias, and ESP-NN has less to do with an offset of 0. Where an output
    looks outside, ESP-NN puts minus the offset there, so it must be the zero point, and leave the bias.
    """
    params = dict(step.params)
    if geometry.leaves_image:
        sums = constant(step, "weights").values.astype(np.int64).sum(axis=(0, 1, 2))
        bias = constant(step, "bias").values.astype(np.int64) + number(step, "input_zero_point") * sums
        params["bias"] = Constant("bias", bias.astype(np.int32))
    else:
        params["input_zero_point"] = 0
    return params


def scratch_bytes(geometry: Geometry) -> int:
    """Return at least what esp_nn_get_depthwise_conv_scratch_size_esp32s3 of ESP-NN 1.1.2 says.

    More where its kernel uses more: it leaves up to 16 elements between the weights and the input, of two
    bytes where it widens them.
    """
    channels, outputs = geometry.input_channels, geometry.output_channels
    weights = math.prod(geometry.filter_size) * outputs
    widened = 2 * (weights + 16 + math.prod(geometry.input_size) * channels) + 32
    if outputs == channels and channels % 8 == 0 and geometry.filter_size == (3, 3):
        if channels % 16 or geometry.pad_before[0] > 1:
            return widened
        return weights + 16 + _padded_bytes(geometry) + 16
    return widened if (outputs // channels) % 4 == 0 else 32


def _padded_bytes(geometry: Geometry) -> int:
    """Return the bytes of the input with its padding, which ESP-NN copies."""
    before = geometry.pad_before[0]
    ends = (made * step + 2 for made, step in zip(geometry.output_size, geometry.stride, strict=True))
    sizes = zip(geometry.input_size, ends, strict=True)
    padded = (size + 2 * before if before else max(size, end) for size, end in sizes)
    return math.prod(padded) * geometry.input_channels
