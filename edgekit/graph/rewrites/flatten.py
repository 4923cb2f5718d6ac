"""A TRANSPOSE that is only flattened for a FULLY_CONNECTED moves into the weights of that one.

Frameworks with the channels in front flatten images in that order; converters put a TRANSPOSE there.
"""

from dataclasses import replace

import numpy as np

from edgekit.graph.ir import DType, Graph, Op, Tensor

_MAX_WEIGHTS = 1 << 26
"""Of all weights that are reordered: tensors that share a buffer of the file would not share copies of it."""


def rewrite(graph: Graph) -> Graph:
    """Return the graph without those TRANSPOSEs, and with the columns of the weights in another order."""
    reading = graph.readers()
    makers = {op.outputs[0]: op for op in graph.ops if len(op.outputs) == 1}
    tensors = list(graph.tensors)
    changed: dict[int, Op] = {}
    dropped: set[int] = set()
    left = _MAX_WEIGHTS
    for dense in graph.ops:
        if dense.kind != "FULLY_CONNECTED" or len(dense.inputs) < 2 or dense.options.get("keep_num_dims"):
            continue
        flat = makers.get(dense.inputs[0])
        moved = makers.get(flat.inputs[0]) if flat is not None and flat.inputs else None
        if flat is None or moved is None or not _is_chain(graph, reading, moved, flat):
            continue
        weights = _reordered(graph, reading, moved, dense, left)
        if weights is None:
            continue
        left -= weights.size
        tensors[weights.index] = weights
        dropped |= {moved.index, flat.index}
        changed[dense.index] = replace(
            dense,
            folded=(*moved.covers, *flat.covers, *dense.folded),
            inputs=(moved.inputs[0], *dense.inputs[1:]),
        )
    ops = (changed.get(op.index, op) for op in graph.ops if op.index not in dropped)
    return replace(graph, ops=tuple(ops), tensors=tuple(tensors))


def _is_chain(graph: Graph, reading: dict[int, list[Op]], moved: Op, flat: Op) -> bool:
    if moved.kind != "TRANSPOSE" or flat.kind != "RESHAPE" or not graph.is_sound(moved, 2):
        return False
    if len(flat.outputs) != 1 or not 0 <= flat.outputs[0] < len(graph.tensors):
        return False
    # The weights meet values of the last one's scale; what rescales without a kernel is refused elsewhere.
    if graph.tensor(moved.inputs[0]).quantization != graph.tensor(flat.outputs[0]).quantization:
        return False
    between = {moved.outputs[0], flat.outputs[0]}
    return not between & set(graph.outputs) and all(len(reading.get(index, [])) == 1 for index in between)


def _reordered(graph: Graph, reading: dict[int, list[Op]], moved: Op, dense: Op, most: int) -> Tensor | None:
    """Return the weights with their columns in the order of the TRANSPOSE's input, None if that cannot be."""
    source, order = graph.tensor(moved.inputs[0]), graph.tensor(moved.inputs[1])
    if not 0 <= dense.inputs[1] < len(graph.tensors):
        return None
    weights = graph.tensor(dense.inputs[1])
    if order.data is None or order.dtype is not DType.INT32 or len(order.data) != 4 * len(source.shape):
        return None
    axes = [int(axis) for axis in order.array().flat]
    if sorted(axes) != list(range(len(source.shape))):
        return None
    whole = weights.data is not None and len(weights.data) == weights.size <= most
    if not whole or weights.dtype is not DType.INT8 or len(reading[weights.index]) != 1:
        return None
    # All that is flattened must be one row, and the batch must stay in front.
    if len(weights.shape) != 2 or weights.shape[1] != source.elements or source.shape[0] != 1:
        return None
    places = np.transpose(np.arange(source.elements).reshape(source.shape), axes).reshape(-1)
    values = np.empty_like(weights.array())
    values[:, places] = weights.array()
    return replace(weights, data=values.tobytes())
