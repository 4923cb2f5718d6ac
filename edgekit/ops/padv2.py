"""PADV2: PAD with a value of its own, which has the scale of the tensor. Rounding: none."""

from edgekit.errors import ModelError
from edgekit.graph.ir import DType, Graph, Op
from edgekit.ops import _checks
from edgekit.ops.pad import lower_pad
from edgekit.ops.step import Step


def lower(graph: Graph, op: Op) -> Step:
    """Return the kernel call; raises UnsupportedOpError with the reason if there is none."""
    value = _checks.operand(graph, op, 2)
    _checks.same_quantization(value, _checks.result(graph, op))
    values = _checks.constant(value, DType.INT8)
    if values.size != 1:
        raise ModelError(f"{_checks.describe(graph, op)} pads with {values.size} values")
    return lower_pad(graph, op, int(values.flat[0]))
