"""RELU_0_TO_1, which converters make of a clipped hard sigmoid. Rounding: twice."""

from edgekit.graph import fixed_point, lookup
from edgekit.graph.ir import Graph, Op, Quantization
from edgekit.ops._lookup import lower_lookup
from edgekit.ops.step import Step


def lower(graph: Graph, op: Op) -> Step:
    """Return the kernel call; raises UnsupportedOpError with the reason if there is none."""
    return lower_lookup(graph, op, _table)


def _table(source: Quantization, target: Quantization) -> lookup.Table:
    _, high = fixed_point.activation_range("RELU_N1_TO_1", target.scale, target.zero_point)
    return lookup.rescaled(source, target, max(fixed_point.INT8_MIN, target.zero_point), high)
