"""RESHAPE: the same bytes under another shape. Rounding: none."""

from edgekit.graph.ir import Graph, Op
from edgekit.ops._view import lower_view
from edgekit.ops.step import Step


def lower(graph: Graph, op: Op) -> Step:
    """Return a free step; raises UnsupportedOpError with the reason if there is none."""
    return lower_view(graph, op)
