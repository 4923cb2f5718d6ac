"""BATCH_MATMUL of two activations, transposed or not, with broadcasting of up to three batch dimensions.

Rounding: twice (measured against LiteRT 2.3.0, held by tests/kernels).
"""

import numpy as np

from edgekit.errors import ModelError, UnsupportedOpError
from edgekit.graph.ir import Graph, Op, Tensor
from edgekit.ops import _checks
from edgekit.ops._strided import row_major, walk_distance
from edgekit.ops.step import Param, Step

_BATCH_DIMENSIONS = 3
_MAX_DEPTH = 1 << 15
"""Products of two differences of int8 are below 2**16: so many of them stay within 31 bits."""


def lower(graph: Graph, op: Op) -> Step:
    """Return the kernel call; raises UnsupportedOpError with the reason if there is none."""
    left, right = _checks.operand(graph, op, 0), _checks.operand(graph, op, 1)
    target = _checks.result(graph, op)
    if left.is_constant or right.is_constant:
        raise UnsupportedOpError("one of its operands is a constant")
    first, second, out = (_checks.activation(tensor) for tensor in (left, right, target))
    if min(len(left.shape), len(right.shape)) < 2 or max(len(left.shape), len(right.shape)) > 5:
        raise UnsupportedOpError(f"it multiplies {list(left.shape)} by {list(right.shape)}")
    rows, depth, left_steps = _matrix(left, bool(op.options.get("adj_x")))
    depth_right, columns, right_steps = _matrix(right, bool(op.options.get("adj_y")))
    if depth != depth_right:
        raise ModelError(f"{_checks.describe(graph, op)}: {list(left.shape)} by {list(right.shape)}")
    if depth > _MAX_DEPTH:
        raise UnsupportedOpError(f"it adds up {depth} products, at most {_MAX_DEPTH} are possible")
    batches, params = _batches(graph, op, left, right)
    expected = [*batches[3 - max(len(left.shape), len(right.shape)) + 2 :], rows, columns]
    _checks.expect_shape(graph, op, target, expected)
    product = np.float32(first.scale) * np.float32(second.scale)
    multiplier, shift = _checks.multiplier(float(product) / out.scale)
    return Step(
        ops=(op.index,),
        kind=op.kind,
        kernel="ek_batch_matmul_s8",
        params_type="ek_batch_matmul_params",
        params={
            **params,
            "rows": rows,
            "columns": columns,
            "depth": depth,
            "left_row_stride": left_steps[0],
            "left_depth_stride": left_steps[1],
            "right_depth_stride": right_steps[0],
            "right_column_stride": right_steps[1],
            "left_zero_point": first.zero_point,
            "right_zero_point": second.zero_point,
            "output_zero_point": out.zero_point,
            "multiplier": multiplier,
            "shift": shift,
        },
        inputs=(left.index, right.index),
        output=target.index,
        overlaps=(_distance(left, target, rows, left_steps[0]), None),
        macs=target.elements * depth,
    )


def _distance(left: Tensor, target: Tensor, rows: int, row_stride: int) -> int | None:
    """Return how far the output may lie over the left operand, of one matrix: it is read row after row."""
    columns = target.shape[-1]
    if target.elements != rows * columns:
        return None
    inside = columns - 1 if columns > 1 else None
    return walk_distance([(rows, row_stride)], 0, columns, left.size, inside)


def _matrix(tensor: Tensor, transposed: bool) -> tuple[int, int, tuple[int, int]]:
    """Return rows, columns and the strides along them."""
    height, width = tensor.shape[-2:]
    return (width, height, (1, width)) if transposed else (height, width, (width, 1))


def _batches(graph: Graph, op: Op, left: Tensor, right: Tensor) -> tuple[list[int], dict[str, Param]]:
    """Return the three batch dimensions and the kernel's sizes and strides for them."""
    found, sizes = [], []
    for tensor in (left, right):
        missing = _BATCH_DIMENSIONS + 2 - len(tensor.shape)
        shape = [1] * missing + list(tensor.shape)
        strides = row_major(shape)
        found.append([(size, stride if size > 1 else 0) for size, stride in zip(shape, strides, strict=True)])
    for (size1, _), (size2, _) in zip(*(walk[:_BATCH_DIMENSIONS] for walk in found), strict=True):
        if size1 != size2 and 1 not in (size1, size2):
            raise ModelError(f"{_checks.describe(graph, op)}: {list(left.shape)} by {list(right.shape)}")
        sizes.append(max(size1, size2))
    first, second = (tuple(stride for _, stride in walk[:_BATCH_DIMENSIONS]) for walk in found)
    return sizes, {"batch": tuple(sizes), "left_stride": first, "right_stride": second}
