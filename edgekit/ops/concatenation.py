"""CONCATENATION of activations and constants. Rounding: none, all have one scale."""

import math

import numpy as np

from edgekit.errors import ModelError, UnsupportedOpError
from edgekit.graph.ir import DType, Graph, Op
from edgekit.ops import _checks
from edgekit.ops.step import Constant, Step

_MAX_PARTS = 256
"""The generated code hands them over as an array on the stack."""


def lower(graph: Graph, op: Op) -> Step:
    """Return the kernel call; raises UnsupportedOpError with the reason if there is none."""
    if len(op.inputs) > _MAX_PARTS:
        raise UnsupportedOpError(f"it joins {len(op.inputs)} tensors, at most {_MAX_PARTS} are possible")
    parts = [_checks.operand(graph, op, place) for place in range(len(op.inputs))]
    target = _checks.result(graph, op)
    out = _checks.activation(target)
    low, high = _checks.output_range(op, out)
    if (low, high) != (-128, 127):
        raise UnsupportedOpError("it has a fused activation")
    axis, rank = op.options.get("axis", 0), len(target.shape)
    if not isinstance(axis, int) or not -rank <= axis < rank:
        raise ModelError(f"{_checks.describe(graph, op)}: axis {axis} of {rank} dimensions")
    axis %= rank
    for part in parts:
        _checks.same_quantization(part, target)
        if len(part.shape) != rank:
            raise ModelError(f"{_checks.describe(graph, op)}: '{part.name}' has {len(part.shape)} dimensions")
        _checks.expect_shape(
            graph, op, part, [part.shape[i] if i == axis else size for i, size in enumerate(target.shape)]
        )
    if sum(part.shape[axis] for part in parts) != target.shape[axis]:
        raise ModelError(f"{_checks.describe(graph, op)}: its inputs do not fill {list(target.shape)}")
    if all(part.is_constant for part in parts):
        raise UnsupportedOpError("all of its operands are constants")
    inner = math.prod(target.shape[axis + 1 :])
    sizes = [part.shape[axis] * inner * (-1 if part.is_constant else 1) for part in parts]
    constants = [_checks.constant(part, DType.INT8).reshape(-1) for part in parts if part.is_constant]
    outer, total = math.prod(target.shape[:axis]), target.shape[axis] * inner
    overlaps, before = [], 0
    for part, size in zip(parts, map(abs, sizes), strict=True):
        if not part.is_constant:
            # Its last run is read when all before it, of all parts, have been written.
            is_first = before == 0 and outer == 1
            overlaps.append(-size if is_first else (outer - 1) * (total - size) + before)
        before += size
    return Step(
        ops=(op.index,),
        kind=op.kind,
        kernel="ek_concatenation_s8",
        params_type="ek_concatenation_params",
        params={
            "outer": outer,
            "parts": len(parts),
            "sizes": Constant("sizes", np.array(sizes, np.int32)),
            "constants": Constant("constants", np.concatenate(constants)) if constants else 0,
        },
        inputs=tuple(part.index for part in parts if not part.is_constant),
        output=target.index,
        gathered=True,
        overlaps=tuple(overlaps),
    )
