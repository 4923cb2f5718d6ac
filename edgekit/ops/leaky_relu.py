"""LEAKY_RELU with any slope. Rounding: twice, with a multiplier of its own below zero."""

from edgekit.errors import ModelError
from edgekit.graph import lookup
from edgekit.graph.ir import Graph, Op
from edgekit.ops import _checks
from edgekit.ops._lookup import lower_lookup
from edgekit.ops.step import Step


def lower(graph: Graph, op: Op) -> Step:
    """Return the kernel call; raises UnsupportedOpError with the reason if there is none."""
    alpha = op.options.get("alpha", 0.0)
    if not isinstance(alpha, int | float):
        raise ModelError(f"{_checks.describe(graph, op)} has alpha = {alpha}")
    return lower_lookup(graph, op, lambda source, target: lookup.leaky(source, target, float(alpha)))
