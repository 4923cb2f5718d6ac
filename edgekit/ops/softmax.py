"""SOFTMAX over the last dimension. Rounding: twice, in gemmlowp's fixed point.

The exponential of a difference of two int8 values has at most 256 values, so the host computes them with
gemmlowp's arithmetic and the device looks them up.
"""

from edgekit.errors import ModelError, UnsupportedOpError
from edgekit.graph import fixed_point
from edgekit.graph.ir import Graph, Op
from edgekit.ops import _checks
from edgekit.ops.step import Constant, Step

_MAX_DEPTH = 4095
"""The sum of exponentials has 12 integer bits."""


def lower(graph: Graph, op: Op) -> Step:
    """Return the kernel call; raises UnsupportedOpError with the reason if there is none."""
    source, target = _checks.operand(graph, op, 0), _checks.result(graph, op)
    quantization, out = _checks.activation(source), _checks.activation(target)
    _checks.expect_shape(graph, op, target, source.shape)
    if not source.shape:
        raise ModelError(f"{_checks.describe(graph, op)} has no dimension to work on")
    if (out.scale, out.zero_point) != (1 / 256, -128):
        raise UnsupportedOpError(
            f"its output has scale {out.scale:g} and zero point {out.zero_point}, "
            "TFLite asks for 1/256 and -128"
        )
    depth = source.shape[-1]
    if depth > _MAX_DEPTH:
        raise UnsupportedOpError(f"it has {depth} classes, at most {_MAX_DEPTH} are possible")
    beta = op.options.get("beta", 0.0)
    if not isinstance(beta, int | float):
        raise ModelError(f"{_checks.describe(graph, op)} has beta = {beta}")
    try:
        table = fixed_point.softmax_table(float(beta), quantization.scale)
    except ValueError as error:
        raise UnsupportedOpError(f"its scale is out of range: {error}") from error
    return Step(
        ops=(op.index,),
        kind=op.kind,
        kernel="ek_softmax_s8",
        params_type="ek_softmax_params",
        params={
            "rows": source.elements // depth,
            "depth": depth,
            "exponentials_size": len(table),
            "exponentials": Constant("exponentials", table),
        },
        inputs=(source.index,),
        output=target.index,
        overlaps=(0,),
    )
