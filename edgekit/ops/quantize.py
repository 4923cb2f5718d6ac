"""QUANTIZE from int8 to int8: another scale.

Rounding: twice; once, from float32, where it stands for a DEQUANTIZE and a QUANTIZE.
"""

from edgekit.graph import lookup
from edgekit.graph.ir import Graph, Op
from edgekit.ops._lookup import lower_lookup
from edgekit.ops.step import Step


def lower(graph: Graph, op: Op) -> Step:
    """Return the kernel call; raises UnsupportedOpError with the reason if there is none."""
    return lower_lookup(graph, op, lookup.through_float if op.through_float else lookup.rescaled)
