"""RELU6 that no operator before it has absorbed. Rounding: twice, and none between equal scales."""

from edgekit.graph import fixed_point, lookup
from edgekit.graph.ir import Graph, Op, Quantization
from edgekit.ops._lookup import lower_lookup
from edgekit.ops.step import Step


def lower(graph: Graph, op: Op) -> Step:
    """Return the kernel call; raises UnsupportedOpError with the reason if there is none."""
    return lower_lookup(graph, op, _table)


def _table(source: Quantization, target: Quantization) -> lookup.Table:
    low, high = fixed_point.activation_range("RELU6", target.scale, target.zero_point)
    return lookup.rescaled(source, target, low, high)
