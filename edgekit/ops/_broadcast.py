"""How operators of two operands walk over them when one is repeated along some dimensions, as in NumPy."""

from collections.abc import Sequence

from edgekit.errors import ModelError, UnsupportedOpError
from edgekit.graph.ir import Graph, Op, Tensor
from edgekit.ops import _checks
from edgekit.ops.step import Param

_RANK = 4


def broadcast(graph: Graph, op: Op, operands: Sequence[Tensor], target: Tensor) -> dict[str, Param]:
    """Return sizes and strides of the C structs; neighbouring dimensions that are treated alike are joined.

    Raises:
        ModelError: the shapes do not broadcast to that of `target`.
        UnsupportedOpError: more than four dimensions alternate.
    """
    rank = len(target.shape)
    if any(len(tensor.shape) > rank for tensor in operands):
        raise ModelError(f"{_checks.describe(graph, op)}: an operand has more dimensions than the output")
    shapes = [(1,) * (rank - len(tensor.shape)) + tensor.shape for tensor in operands]
    joined: list[tuple[int, tuple[bool, bool]]] = []  # size, and which operands move along it
    for sizes in zip(target.shape, *shapes, strict=True):
        if sizes[0] != max(sizes[1:]) or not {sizes[1], sizes[2]} <= {1, sizes[0]}:
            raise ModelError(
                f"{_checks.describe(graph, op)}: {list(operands[0].shape)} and {list(operands[1].shape)} "
                f"do not broadcast to {list(target.shape)}"
            )
        if sizes[0] == 1:
            continue
        moves = (sizes[1] > 1, sizes[2] > 1)
        if joined and joined[-1][1] == moves:
            joined[-1] = (joined[-1][0] * sizes[0], moves)
        else:
            joined.append((sizes[0], moves))
    if len(joined) > _RANK:
        raise UnsupportedOpError("it broadcasts over too many alternating dimensions")
    joined = [(1, (False, False))] * (_RANK - len(joined)) + joined
    params: dict[str, Param] = {"size": tuple(size for size, _ in joined)}
    for which in (0, 1):
        strides, stride = [], 1
        for size, moves in reversed(joined):
            strides.append(stride if moves[which] else 0)
            stride *= size if moves[which] else 1
        params[f"input{which + 1}_stride"] = tuple(reversed(strides))
    return params
