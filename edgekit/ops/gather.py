"""GATHER along one dimension by constant indices. Rounding: none."""

import math

import numpy as np
from numpy.typing import NDArray

from edgekit.errors import ModelError, UnsupportedOpError
from edgekit.graph.ir import DType, Graph, Op, Tensor
from edgekit.ops import _checks
from edgekit.ops.overlap import unit_distance
from edgekit.ops.step import Constant, Step

_MAX_ROWS = 1 << 20
"""More rows than this get no claim of an overlap."""


def lower(graph: Graph, op: Op) -> Step:
    """Return the kernel call; raises UnsupportedOpError with the reason if there is none."""
    source, target = _checks.operand(graph, op, 0), _checks.result(graph, op)
    _checks.activation(source)
    _checks.activation(target)
    _checks.same_quantization(source, target)
    if op.options.get("batch_dims", 0):
        raise UnsupportedOpError("it gathers with batch dimensions")
    chosen = _checks.operand(graph, op, 1)
    indices = _checks.constant(chosen, DType.INT32).reshape(-1).astype(np.int64)
    axis, rank = op.options.get("axis", 0), len(source.shape)
    if not isinstance(axis, int) or not -rank <= axis < rank:
        raise ModelError(f"{_checks.describe(graph, op)}: axis {axis} of {rank} dimensions")
    axis %= rank
    size = source.shape[axis]
    if indices.min() < 0 or indices.max() >= size:
        raise ModelError(f"{_checks.describe(graph, op)}: indices outside dimension {axis} of {size}")
    _checks.expect_shape(graph, op, target, [*source.shape[:axis], *chosen.shape, *source.shape[axis + 1 :]])
    return Step(
        ops=(op.index,),
        kind=op.kind,
        kernel="ek_gather_s8",
        params_type="ek_gather_params",
        params={
            "outer": math.prod(source.shape[:axis]),
            "size": size,
            "inner": math.prod(source.shape[axis + 1 :]),
            "count": len(indices),
            "indices": Constant("indices", indices.astype(np.int32)),
        },
        inputs=(source.index,),
        output=target.index,
        overlaps=(_distance(source, axis, indices),),
    )


def _distance(source: Tensor, axis: int, indices: NDArray[np.int64]) -> int | None:
    """Return how far the output may lie over the input: one row after the other is moved."""
    outer, inner = math.prod(source.shape[:axis]), math.prod(source.shape[axis + 1 :])
    if outer * len(indices) > _MAX_ROWS:
        return None
    rows = np.arange(outer, dtype=np.int64)[:, None] * source.shape[axis] + indices
    return unit_distance(rows.reshape(-1) * inner, inner, source.size)
