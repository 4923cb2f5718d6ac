"""Rewrites from graph to graph that every backend wants: PAD disappears into the convolution behind it."""

from collections.abc import Mapping, Sequence
from dataclasses import replace

import numpy as np

from edgekit.graph.ir import DType, Graph, Op, OptionValue

EXPLICIT_PADDING = "edgekit.explicit_padding"
"""Option of a convolution: (top, bottom, left, right) rows and columns of zero point around its input."""
FOLDED_OPS = "edgekit.folded_ops"
"""Option of an operator: indices of the operators before it that it does the work of."""

_CONVOLUTIONS = ("CONV_2D", "DEPTHWISE_CONV_2D")


def fold_padding(graph: Graph) -> Graph:
    """Return the graph without those PADs that only feed one convolution and only pad height and width.

    A convolution treats what lies outside its image as the zero point, which is what PAD writes.
    """
    readers: dict[int, list[Op]] = {}
    for op in graph.ops:
        for index in op.inputs:
            readers.setdefault(index, []).append(op)
    padding = {op.outputs[0]: op for op in graph.ops if _only_feeds_a_convolution(graph, op, readers)}
    folded: list[Op] = []
    dropped: set[int] = set()
    for op in graph.ops:
        before = padding.get(op.inputs[0]) if op.kind in _CONVOLUTIONS and op.inputs else None
        amounts = None if before is None else _amounts(graph, before)
        if before is None or amounts is None:
            folded.append(op)
            continue
        dropped.add(before.index)
        options: dict[str, OptionValue] = {**op.options}
        options[EXPLICIT_PADDING] = amounts
        options[FOLDED_OPS] = (before.index,)
        folded.append(replace(op, inputs=(before.inputs[0], *op.inputs[1:]), options=options))
    return replace(graph, ops=tuple(op for op in folded if op.index not in dropped))


def covered(op: Op) -> tuple[int, ...]:
    """Return the indices of the operators of the file that this one stands for, its own last."""
    before = op.options.get(FOLDED_OPS, ())
    assert isinstance(before, tuple)
    return (*before, op.index)


def _only_feeds_a_convolution(graph: Graph, op: Op, readers: Mapping[int, Sequence[Op]]) -> bool:
    if op.kind != "PAD" or len(op.outputs) != 1 or op.outputs[0] in graph.outputs:
        return False
    match readers.get(op.outputs[0], ()):
        case [only]:
            return only.kind in _CONVOLUTIONS and only.inputs[0] == op.outputs[0]
    return False


def _amounts(graph: Graph, op: Op) -> tuple[int, int, int, int] | None:
    """Return (top, bottom, left, right) if the PAD is of a kind that folds, else None."""
    if len(op.inputs) != 2 or not all(0 <= i < len(graph.tensors) for i in (*op.inputs, *op.outputs)):
        return None
    source, amounts, target = (graph.tensor(i) for i in (*op.inputs, *op.outputs))
    if amounts.data is None or amounts.dtype is not DType.INT32 or len(amounts.data) != 32:
        return None
    if len(source.shape) != 4 or source.dtype is not DType.INT8 or source.quantization != target.quantization:
        return None
    values = np.frombuffer(amounts.data, "<i4").reshape(4, 2)
    if amounts.shape != (4, 2) or values.min() < 0 or values[0].any() or values[3].any():
        return None
    if target.shape != tuple(size + int(pad.sum()) for size, pad in zip(source.shape, values, strict=True)):
        return None
    return int(values[1, 0]), int(values[1, 1]), int(values[2, 0]), int(values[2, 1])
