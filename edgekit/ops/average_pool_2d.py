"""AVERAGE_POOL_2D. Rounding: one integer division, ties away from zero; no rescaling."""

from edgekit.graph.ir import Graph, Op
from edgekit.ops._pool import lower_pool
from edgekit.ops.step import Step


def lower(graph: Graph, op: Op) -> Step:
    """Return the kernel call; raises UnsupportedOpError with the reason if there is none."""
    return lower_pool(graph, op, "ek_average_pool_2d_s8", written_first=False)
