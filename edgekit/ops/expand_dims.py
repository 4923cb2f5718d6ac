"""EXPAND_DIMS: the same bytes with one more dimension of size 1. Rounding: none."""

from edgekit.errors import ModelError
from edgekit.graph.ir import Graph, Op
from edgekit.ops import _checks
from edgekit.ops._view import lower_view
from edgekit.ops.step import Step


def lower(graph: Graph, op: Op) -> Step:
    """Return a free step; raises UnsupportedOpError with the reason if there is none."""
    source = _checks.operand(graph, op, 0)
    axes = _checks.integers(graph, op, 1)
    places = len(source.shape) + 1
    if len(axes) != 1 or not -places <= axes[0] < places:
        raise ModelError(f"{_checks.describe(graph, op)}: axes {axes} of {places} dimensions")
    shape = list(source.shape)
    shape.insert(axes[0] % places, 1)
    return lower_view(graph, op, shape)
