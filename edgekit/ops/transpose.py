"""TRANSPOSE by any permutation. Rounding: none."""

from edgekit.errors import ModelError
from edgekit.graph.ir import Graph, Op
from edgekit.ops import _checks
from edgekit.ops._strided import joined, row_major, strided_copy
from edgekit.ops._view import lower_view
from edgekit.ops.step import Step


def lower(graph: Graph, op: Op) -> Step:
    """Return the kernel call; raises UnsupportedOpError with the reason if there is none."""
    source, target = _checks.operand(graph, op, 0), _checks.result(graph, op)
    _checks.activation(source)
    _checks.activation(target)
    _checks.same_quantization(source, target)
    order = _checks.integers(graph, op, 1)
    rank = len(source.shape)
    if sorted(axis % rank if -rank <= axis < rank else rank for axis in order) != list(range(rank)):
        raise ModelError(f"{_checks.describe(graph, op)}: {order} is no order of {rank} dimensions")
    order = [axis % rank for axis in order]
    sizes = [source.shape[axis] for axis in order]
    _checks.expect_shape(graph, op, target, sizes)
    strides = row_major(source.shape)
    moved = [strides[axis] for axis in order]
    if joined(sizes, moved) in ([], [(source.elements, 1)]):
        return lower_view(graph, op, sizes)  # only dimensions of size 1 change places
    return strided_copy(op, source, target, 0, sizes, moved)
