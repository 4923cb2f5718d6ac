"""GELU, exact and approximate. Rounding: once, from float32, when LiteRT makes its table."""

from edgekit.graph import lookup
from edgekit.graph.ir import Graph, Op
from edgekit.ops._lookup import lower_lookup
from edgekit.ops.step import Step


def lower(graph: Graph, op: Op) -> Step:
    """Return the kernel call; raises UnsupportedOpError with the reason if there is none."""
    function = lookup.gelu_approximate if op.options.get("approximate") else lookup.gelu
    return lower_lookup(graph, op, lambda source, target: lookup.from_float(source, target, function))
