"""What SPLIT and SPLIT_V share: one step per output, each a block of the input."""

from collections.abc import Sequence

from edgekit.errors import ModelError
from edgekit.graph.ir import Graph, Op
from edgekit.ops import _checks
from edgekit.ops._strided import row_major, strided_copy
from edgekit.ops.step import Step


def lower_split(graph: Graph, op: Op, place: int, axis: int, parts: Sequence[int]) -> tuple[Step, ...]:
    """Return the steps that cut input `place` along `axis` into `parts`."""
    source = _checks.operand(graph, op, place)
    _checks.activation(source)
    rank = len(source.shape)
    if not -rank <= axis < rank:
        raise ModelError(f"{_checks.describe(graph, op)}: axis {axis} of {rank} dimensions")
    axis %= rank
    targets = _checks.results(graph, op)
    if len(parts) != len(targets) or min(parts) < 1 or sum(parts) != source.shape[axis]:
        raise ModelError(
            f"{_checks.describe(graph, op)}: {source.shape[axis]} along dimension {axis} "
            f"do not split into {list(parts)} for {len(targets)} outputs"
        )
    strides = row_major(source.shape)
    steps, first = [], 0
    for target, count in zip(targets, parts, strict=True):
        _checks.activation(target)
        _checks.same_quantization(source, target)
        sizes = [count if i == axis else size for i, size in enumerate(source.shape)]
        _checks.expect_shape(graph, op, target, sizes)
        steps.append(strided_copy(op, source, target, first * strides[axis], sizes, strides))
        first += count
    return tuple(steps)
