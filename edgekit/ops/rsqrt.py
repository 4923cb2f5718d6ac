"""RSQRT of values above zero. Rounding: twice, behind a reciprocal root by Newton's iteration in fixed point.

LiteRT stops a run at a value below zero; a device cannot, and gives the largest output there.
"""

from edgekit.graph import lookup
from edgekit.graph.ir import Graph, Op
from edgekit.ops._lookup import lower_lookup
from edgekit.ops.step import Step


def lower(graph: Graph, op: Op) -> Step:
    """Return the kernel call; raises UnsupportedOpError with the reason if there is none."""
    return lower_lookup(graph, op, lookup.inverse_square_root)
