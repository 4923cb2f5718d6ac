"""SQUARED_DIFFERENCE of two activations, or of an activation and a constant, with broadcasting.

Rounding: twice, for each operand and for the square (measured, held by tests/kernels).
"""

from edgekit.graph import fixed_point
from edgekit.graph.ir import Graph, Op
from edgekit.ops._binary import Scaling, lower_binary
from edgekit.ops._difference import difference, difference_scaling
from edgekit.ops.step import Step

_LEFT_SHIFT = 7


def lower(graph: Graph, op: Op) -> Step:
    """Return the kernel call; raises UnsupportedOpError with the reason if there is none."""
    return lower_binary(
        graph,
        op,
        lambda first, second, out: difference_scaling(first, second, out, _LEFT_SHIFT, 2),
        _element,
    )


def _element(fields: Scaling, value1: int, value2: int) -> int:
    square = difference(fields, value1, value2, _LEFT_SHIFT) ** 2
    return fixed_point.requantize_twice(square, fields["output_multiplier"], fields["output_shift"])
