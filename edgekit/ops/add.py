"""ADD of two activations, or of an activation and a constant, with broadcasting.

Rounding: twice, for each operand and for the sum (measured against LiteRT 2.3.0, held by tests/kernels).
"""

from collections.abc import Sequence

from edgekit.errors import UnsupportedOpError
from edgekit.graph.ir import DType, Graph, Op, Tensor
from edgekit.ops import _checks
from edgekit.ops._broadcast import broadcast
from edgekit.ops.overlap import dense_distance
from edgekit.ops.step import Constant, Param, Step

_LEFT_SHIFT = 20


def lower(graph: Graph, op: Op) -> Step:
    """Return the kernel call; raises UnsupportedOpError with the reason if there is none."""
    operands = [_checks.operand(graph, op, 0), _checks.operand(graph, op, 1)]
    target = _checks.result(graph, op)
    if all(tensor.is_constant for tensor in operands):
        raise UnsupportedOpError("both of its operands are constants")
    if operands[0].is_constant:
        operands.reverse()  # a sum does not mind: both operands are rounded alone
    values = None
    if operands[1].is_constant:
        values = _checks.constant(operands[1], DType.INT8)
    low, high = _checks.output_range(op, _checks.activation(target))
    params: dict[str, Param] = {
        "constant": 0 if values is None else Constant("constant", values),
        "constant_place": 0 if values is None else 1,
        **broadcast(graph, op, operands, target),
        **_scaling(operands, target),
        "activation_min": low,
        "activation_max": high,
    }
    activations = operands if values is None else operands[:1]
    return Step(
        ops=op.covers,
        kind=op.kind,
        kernel="ek_add_s8" if values is None else "ek_add_constant_s8",
        params_type="ek_binary_params",
        params=params,
        inputs=tuple(tensor.index for tensor in activations),
        output=target.index,
        overlaps=tuple(dense_distance(tensor.shape, target.elements) for tensor in activations),
    )


def _scaling(operands: Sequence[Tensor], target: Tensor) -> dict[str, int]:
    first, second, out = (_checks.quantized(tensor) for tensor in (*operands, target))
    common = 2 * max(first.scale, second.scale)
    params = {}
    for name, real, zero_point in (
        ("input1", first.scale / common, first.zero_point),
        ("input2", second.scale / common, second.zero_point),
        ("output", common / ((1 << _LEFT_SHIFT) * out.scale), out.zero_point),
    ):
        multiplier, shift = _checks.multiplier(real)
        if shift > 0:
            raise UnsupportedOpError(
                f"its output's scale {out.scale:g} is too small for inputs of {first.scale:g} "
                f"and {second.scale:g}"
            )
        params[f"{name}_zero_point"] = zero_point
        params[f"{name}_multiplier"] = multiplier
        # To the kernel, an operand's shift of 0 means 1/2; an operand too small to count has none of its own.
        params[f"{name}_shift"] = shift if multiplier else -31
    return params
