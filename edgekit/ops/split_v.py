"""SPLIT_V into parts of given sizes. Rounding: none."""

from edgekit.errors import ModelError
from edgekit.graph.ir import Graph, Op
from edgekit.ops import _checks
from edgekit.ops._split import lower_split
from edgekit.ops.step import Step


def lower(graph: Graph, op: Op) -> tuple[Step, ...]:
    """Return a step per output; raises UnsupportedOpError with the reason if there is none."""
    parts, axes = _checks.integers(graph, op, 1), _checks.integers(graph, op, 2)
    source = _checks.operand(graph, op, 0)
    rank = len(source.shape)
    if len(axes) != 1 or not -rank <= axes[0] < rank:
        raise ModelError(f"{_checks.describe(graph, op)}: axis {axes} of {rank} dimensions")
    if parts.count(-1) == 1:
        rest = source.shape[axes[0]] - sum(part for part in parts if part != -1)
        parts = [rest if part == -1 else part for part in parts]
    return lower_split(graph, op, 0, axes[0], parts)
