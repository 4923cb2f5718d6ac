"""What RESIZE_NEAREST_NEIGHBOR and RESIZE_BILINEAR share: their tensors, options and parameters."""

import numpy as np
from numpy.typing import NDArray

from edgekit.errors import ModelError, UnsupportedOpError
from edgekit.graph.ir import Graph, Op, Tensor
from edgekit.ops import _checks
from edgekit.ops.overlap import unit_distance
from edgekit.ops.step import Constant, Step

_MAX_PIXELS = 1 << 20
"""Larger outputs get no claim of an overlap."""


def pixel_distance(
    source: Tensor, rows: NDArray[np.int64], columns: NDArray[np.int64], *, in_turns: bool = False
) -> int | None:
    """Return how far the output may lie over the input, from the first row and column each pixel reads.

    `in_turns`: the channels of a pixel are read and written one after the other.
    """
    batches, height, width, channels = source.shape
    if batches * len(rows) * len(columns) > _MAX_PIXELS:
        return None
    images = np.arange(batches, dtype=np.int64)[:, None, None] * (height * width)
    pixels = images + (rows * width)[:, None] + columns
    inside = 0 if in_turns and channels > 1 else None
    return unit_distance(pixels.reshape(-1) * channels, channels, source.size, inside)


def resized(graph: Graph, op: Op) -> tuple[Tensor, Tensor, bool, bool]:
    """Return input, output, align_corners and half_pixel_centers."""
    source, target = _checks.operand(graph, op, 0), _checks.result(graph, op)
    _checks.activation(source)
    _checks.activation(target)
    _checks.same_quantization(source, target)
    if len(source.shape) != 4:
        raise ModelError(f"{_checks.describe(graph, op)} needs images of rank 4, not {list(source.shape)}")
    size = _checks.integers(graph, op, 1)
    if len(size) != 2:
        raise ModelError(f"{_checks.describe(graph, op)}: its size {size} must be height and width")
    if max(size) > _checks.MAX_OPTION:
        raise UnsupportedOpError(f"it makes images of {size[0]} x {size[1]} pixels")
    _checks.expect_shape(graph, op, target, [source.shape[0], *size, source.shape[3]])
    corners, centers = (bool(op.options.get(name)) for name in ("align_corners", "half_pixel_centers"))
    if corners and centers and op.kind == "RESIZE_BILINEAR":
        raise UnsupportedOpError("it has align_corners and half_pixel_centers, which exclude each other")
    return source, target, corners, centers


def resize_step(
    op: Op,
    source: Tensor,
    target: Tensor,
    rows: NDArray[np.int64],
    columns: NDArray[np.int64],
    distance: int | None,
) -> Step:
    """Return the call of the operator's kernel; `rows` and `columns` are the tables that it takes."""
    return Step(
        ops=(op.index,),
        kind=op.kind,
        kernel=f"ek_{op.kind.lower()}_s8",
        params_type="ek_resize_params",
        params={
            "batches": source.shape[0],
            "input_height": source.shape[1],
            "input_width": source.shape[2],
            "channels": source.shape[3],
            "output_height": target.shape[1],
            "output_width": target.shape[2],
            "rows": Constant("rows", rows.astype(np.int32)),
            "columns": Constant("columns", columns.astype(np.int32)),
        },
        inputs=(source.index,),
        output=target.index,
        overlaps=(distance,),
    )
