"""SUB of two activations, or of an activation and a constant, with broadcasting.

Rounding: twice, for each operand and for the difference (measured, held by tests/kernels).
"""

from edgekit.graph import fixed_point
from edgekit.graph.ir import Graph, Op
from edgekit.ops._binary import Scaling, lower_binary
from edgekit.ops._difference import difference, difference_scaling
from edgekit.ops.step import Step

_LEFT_SHIFT = 20


def lower(graph: Graph, op: Op) -> Step:
    """Return the kernel call; raises UnsupportedOpError with the reason if there is none."""
    return lower_binary(
        graph,
        op,
        lambda first, second, out: difference_scaling(first, second, out, _LEFT_SHIFT, 1),
        _element,
    )


def _element(fields: Scaling, value1: int, value2: int) -> int:
    return fixed_point.requantize_twice(
        difference(fields, value1, value2, _LEFT_SHIFT), fields["output_multiplier"], fields["output_shift"]
    )
