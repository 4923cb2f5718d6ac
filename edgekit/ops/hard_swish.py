"""HARD_SWISH. Rounding: LiteRT's 16-bit fixed point, step by step."""

from edgekit.graph import lookup
from edgekit.graph.ir import Graph, Op
from edgekit.ops._lookup import lower_lookup
from edgekit.ops.step import Step


def lower(graph: Graph, op: Op) -> Step:
    """Return the kernel call; raises UnsupportedOpError with the reason if there is none."""
    return lower_lookup(graph, op, lookup.hard_swish)
