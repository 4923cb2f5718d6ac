"""SLICE: a block of a tensor. Rounding: none."""

from edgekit.errors import ModelError
from edgekit.graph.ir import Graph, Op
from edgekit.ops import _checks
from edgekit.ops._strided import row_major, strided_copy
from edgekit.ops.step import Step


def lower(graph: Graph, op: Op) -> Step:
    """Return the kernel call; raises UnsupportedOpError with the reason if there is none."""
    source, target = _checks.operand(graph, op, 0), _checks.result(graph, op)
    _checks.activation(source)
    _checks.activation(target)
    _checks.same_quantization(source, target)
    begin, size = _checks.integers(graph, op, 1), _checks.integers(graph, op, 2)
    if not len(begin) == len(size) == len(source.shape):
        raise ModelError(f"{_checks.describe(graph, op)}: begin {begin} and size {size} of {source.shape}")
    sizes = [
        whole - first if count == -1 else count
        for first, count, whole in zip(begin, size, source.shape, strict=True)
    ]
    for first, count, whole in zip(begin, sizes, source.shape, strict=True):
        if first < 0 or count < 1 or first + count > whole:
            raise ModelError(f"{_checks.describe(graph, op)}: {begin} and {size} leave {list(source.shape)}")
    _checks.expect_shape(graph, op, target, sizes)
    strides = row_major(source.shape)
    start = sum(first * stride for first, stride in zip(begin, strides, strict=True))
    return strided_copy(op, source, target, start, sizes, strides)
