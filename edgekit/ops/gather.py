"""GATHER along one dimension by constant indices. Rounding: none."""

import math

import numpy as np

from edgekit.errors import ModelError, UnsupportedOpError
from edgekit.graph.ir import Graph, Op, Tensor
from edgekit.ops import _checks
from edgekit.ops._overlap import unit_distance
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
    indices = _checks.integers(graph, op, 1)
    axis, rank = op.options.get("axis", 0), len(source.shape)
    if not isinstance(axis, int) or not -rank <= axis < rank:
        raise ModelError(f"{_checks.describe(graph, op)}: axis {axis} of {rank} dimensions")
    axis %= rank
    size = source.shape[axis]
    if not indices or any(not 0 <= index < size for index in indices):
        raise ModelError(f"{_checks.describe(graph, op)}: indices outside dimension {axis} of {size}")
    shape = _checks.operand(graph, op, 1).shape
    _checks.expect_shape(graph, op, target, [*source.shape[:axis], *shape, *source.shape[axis + 1 :]])
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
            "indices": Constant("indices", np.array(indices, np.int32)),
        },
        inputs=(source.index,),
        output=target.index,
        overlaps=(_distance(source, axis, indices),),
    )


def _distance(source: Tensor, axis: int, indices: list[int]) -> int | None:
    """Return how far the output may lie over the input: one row after the other is moved."""
    outer, inner = math.prod(source.shape[:axis]), math.prod(source.shape[axis + 1 :])
    if outer * len(indices) > _MAX_ROWS:
        return None
    rows = np.arange(outer, dtype=np.int64)[:, None] * source.shape[axis] + np.array(indices, np.int64)
    return unit_distance(rows.reshape(-1) * inner, inner, source.size)
