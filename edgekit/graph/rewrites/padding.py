"""PAD and PADV2 disappear into the convolution or the MAX_POOL_2D behind them.

A convolution treats what lies outside its image as the zero point, which is what PAD writes. MAX_POOL_2D
looks past what lies outside, which is the same as padding with the smallest value.
"""

from dataclasses import replace

import numpy as np

from edgekit.graph.ir import DType, Graph, Op

_CONVOLUTIONS = ("CONV_2D", "DEPTHWISE_CONV_2D")
_SMALLEST = -128


def rewrite(graph: Graph) -> Graph:
    """Return the graph without those paddings that feed one window and only pad height and width."""
    reading = graph.readers()
    folds: dict[int, tuple[Op, tuple[int, int, int, int]]] = {}
    for op in graph.ops:
        window = reading.get(op.outputs[0], []) if len(op.outputs) == 1 else []
        if op.kind not in ("PAD", "PADV2") or op.outputs[0] in graph.outputs or len(window) != 1:
            continue
        amounts = _amounts(graph, op)
        if amounts is not None and _can_fold(graph, op, window[0], amounts):
            folds[window[0].index] = (op, amounts)
    dropped = {op.index for op, _ in folds.values()}
    kept = []
    for op in graph.ops:
        if op.index in dropped:
            continue
        if op.index in folds:
            padding, amounts = folds[op.index]
            inputs = (padding.inputs[0], *op.inputs[1:])
            op = replace(op, inputs=inputs, padding=amounts, folded=(*padding.covers, *op.folded))
        kept.append(op)
    return replace(graph, ops=tuple(kept))


def _can_fold(graph: Graph, padding: Op, window: Op, amounts: tuple[int, int, int, int]) -> bool:
    if window.inputs[:1] != padding.outputs[:1] or window.inputs.count(padding.outputs[0]) != 1:
        return False
    value = _value(graph, padding)
    source = graph.tensor(padding.inputs[0]).quantization
    if window.kind in _CONVOLUTIONS:
        return source is not None and value == source.zero_point
    if window.kind != "MAX_POOL_2D" or value != _SMALLEST or window.options.get("padding") != "VALID":
        return False
    # Each window must see a pixel of the image.
    height, width = window.options.get("filter_height", 0), window.options.get("filter_width", 0)
    assert isinstance(height, int) and isinstance(width, int)
    return max(amounts[:2]) < height and max(amounts[2:]) < width


def _value(graph: Graph, op: Op) -> int | None:
    """Return what a PAD or PADV2 writes, None if that cannot be known."""
    source = graph.tensor(op.inputs[0]).quantization
    if op.kind == "PAD":
        return None if source is None else source.zero_point
    value = graph.tensor(op.inputs[2])
    if value.dtype is not DType.INT8 or value.data is None or len(value.data) != 1:
        return None
    return int(value.array().flat[0])


def _amounts(graph: Graph, op: Op) -> tuple[int, int, int, int] | None:
    """Return (top, bottom, left, right) if the padding is of a kind that folds, else None."""
    places = (*op.inputs, *op.outputs)
    if len(op.inputs) != (2 if op.kind == "PAD" else 3) or not all(
        0 <= i < len(graph.tensors) for i in places
    ):
        return None
    source, amounts, target = (graph.tensor(i) for i in (*op.inputs[:2], *op.outputs))
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
