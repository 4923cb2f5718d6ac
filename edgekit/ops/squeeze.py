"""SQUEEZE: the same bytes without dimensions of size 1. Rounding: none."""

from edgekit.errors import ModelError
from edgekit.graph.ir import Graph, Op
from edgekit.ops import _checks
from edgekit.ops._view import lower_view
from edgekit.ops.step import Step


def lower(graph: Graph, op: Op) -> Step:
    """Return a free step; raises UnsupportedOpError with the reason if there is none."""
    source = _checks.operand(graph, op, 0)
    rank = len(source.shape)
    ones = {i for i, size in enumerate(source.shape) if size == 1}
    dims = op.options.get("squeeze_dims", ())
    assert isinstance(dims, tuple)
    dropped = {dim + rank if dim < 0 else dim for dim in dims}
    if not dropped <= ones:
        raise ModelError(f"{_checks.describe(graph, op)} drops {list(dims)} of {list(source.shape)}")
    return lower_view(graph, op, [size for i, size in enumerate(source.shape) if i not in (dropped or ones)])
