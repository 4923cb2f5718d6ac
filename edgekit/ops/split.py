"""SPLIT into equal parts. Rounding: none."""

from edgekit.errors import ModelError
from edgekit.graph.ir import Graph, Op
from edgekit.ops import _checks
from edgekit.ops._split import lower_split
from edgekit.ops.step import Step


def lower(graph: Graph, op: Op) -> tuple[Step, ...]:
    """Return a step per output; raises UnsupportedOpError with the reason if there is none."""
    axes = _checks.integers(graph, op, 0)
    if len(axes) != 1:
        raise ModelError(f"{_checks.describe(graph, op)} splits along {axes}, not along one axis")
    axis = axes[0]
    source, count = _checks.operand(graph, op, 1), len(op.outputs)
    rank = len(source.shape)
    if not -rank <= axis < rank or not count or source.shape[axis] % count:
        raise ModelError(f"{_checks.describe(graph, op)}: {list(source.shape)} has no {count} equal parts")
    return lower_split(graph, op, 1, axis, [source.shape[axis] // count] * count)
