"""What MUL, SUB and SQUARED_DIFFERENCE share: two activations, or an activation and a constant.

A constant of one value makes the operator unary: the host then computes a table of its 256 answers.
"""

from collections.abc import Callable, Mapping

import numpy as np

from edgekit.errors import UnsupportedOpError
from edgekit.graph.ir import DType, Graph, Op, Quantization, Tensor
from edgekit.ops import _checks
from edgekit.ops._broadcast import broadcast
from edgekit.ops.step import Constant, Param, Step

Scaling = Mapping[str, int]
"""The fields of ek_binary_params from input1_zero_point to activation_max."""


def lower_binary(
    graph: Graph,
    op: Op,
    scaling: Callable[[Quantization, Quantization, Quantization], Scaling],
    element: Callable[[Scaling, int, int], int],
) -> Step:
    """Return the kernel call.

    Args:
        graph: the model.
        op: the operator.
        scaling: from the quantisations of both operands and the output to the kernel's parameters,
            without the bounds of the activation.
        element: what the kernel computes of two values, before the output's zero point and bounds.
    """
    operands = [_checks.operand(graph, op, 0), _checks.operand(graph, op, 1)]
    target = _checks.result(graph, op)
    if all(tensor.is_constant for tensor in operands):
        raise UnsupportedOpError("both of its operands are constants")
    out = _checks.activation(target)
    low, high = _checks.output_range(op, out)
    fields = {
        **scaling(_checks.quantized(operands[0]), _checks.quantized(operands[1]), out),
        "activation_min": low,
        "activation_max": high,
    }
    walk = broadcast(graph, op, operands, target)
    constants = [place for place in (0, 1) if operands[place].is_constant]
    if not constants:
        return _step(op, f"ek_{op.kind.lower()}_s8", {**walk, **fields}, operands, target)
    place = constants[0]
    values = _checks.constant(operands[place], DType.INT8)
    activation = operands[1 - place]
    if values.size == 1 and activation.shape == target.shape:
        scalar = int(values.flat[0])
        pairs = ((scalar, q) if place == 0 else (q, scalar) for q in range(-128, 128))
        table = [min(max(element(fields, *pair) + fields["output_zero_point"], low), high) for pair in pairs]
        return Step(
            ops=op.covers,
            kind=op.kind,
            kernel="ek_lookup_s8",
            params_type="ek_lookup_params",
            params={
                "size": target.elements,
                "table": Constant("table", np.roll(np.array(table, np.int8), -128)),
            },
            inputs=(activation.index,),
            output=target.index,
            overlaps=(0,),
        )
    constant: dict[str, Param] = {"constant": Constant("constant", values), "constant_place": place}
    params = constant | walk | fields
    return _step(op, f"ek_{op.kind.lower()}_constant_s8", params, [activation], target)


def _step(
    op: Op, kernel: str, params: Mapping[str, Param], activations: list[Tensor], target: Tensor
) -> Step:
    return Step(
        ops=op.covers,
        kind=op.kind,
        kernel=kernel,
        params_type="ek_binary_params",
        params={"constant": 0, "constant_place": 0} | dict(params),
        inputs=tuple(tensor.index for tensor in activations),
        output=target.index,
        # An operand that is not repeated is read once, right before its place is written.
        overlaps=tuple(0 if tensor.elements == target.elements else None for tensor in activations),
    )
