"""Operators that only move the elements of constants are done on the host, once."""

from collections.abc import Callable
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from edgekit.graph.ir import DType, Graph, Op, Tensor

_MAX_BYTES = 1 << 26
"""Of all constants that are made: tensors that share a buffer of the file would not share copies of it."""
_Array = NDArray[np.generic]


def rewrite(graph: Graph) -> Graph:
    """Return the graph without the operators whose inputs are all constants, as far as they can be folded."""
    tensors = list(graph.tensors)
    ops = []
    left = _MAX_BYTES
    for op in graph.ops:
        values = _value(tensors, op)
        if values is None or values.nbytes > left or op.outputs[0] in graph.outputs:
            ops.append(op)
            continue
        target = tensors[op.outputs[0]]
        left -= values.nbytes
        tensors[target.index] = replace(target, data=np.ascontiguousarray(values).tobytes())
    return replace(graph, ops=tuple(ops), tensors=tuple(tensors))


def _value(tensors: list[Tensor], op: Op) -> _Array | None:
    fold = _FOLDS.get(op.kind)
    places = (*op.inputs, *op.outputs)
    if (
        fold is None
        or len(op.outputs) != 1
        or not op.inputs
        or not all(0 <= i < len(tensors) for i in places)
    ):
        return None
    inputs, target = [tensors[i] for i in op.inputs], tensors[op.outputs[0]]
    if not all(tensor.data is not None and len(tensor.data) == tensor.size for tensor in inputs):
        return None
    same = inputs[0].dtype is target.dtype and inputs[0].quantization == target.quantization
    if not same or target.is_constant:
        return None
    if any(tensor.dtype is not DType.INT32 for tensor in inputs[1:]):
        return None
    operands = [tensor.array() for tensor in inputs[1:]]
    if not _is_stated(op, inputs[0].shape, operands, target.shape):
        return None
    try:
        values = fold(inputs[0].array(), operands, target.shape)
    except (ValueError, IndexError, TypeError):
        return None  # the operator's own checks say what is wrong
    return values if values.shape == target.shape else None


def _is_stated(op: Op, source: tuple[int, ...], operands: list[_Array], shape: tuple[int, ...]) -> bool:
    """Whether an operator states the shape that its output has; TFLite computes it anew."""
    stated: tuple[int, ...]
    if op.kind in ("SQUEEZE", "EXPAND_DIMS"):  # one of another rank has its elements in the same order
        return [size for size in source if size > 1] == [size for size in shape if size > 1]
    if op.kind == "RESHAPE":
        new_shape = op.options.get("new_shape", ())
        assert isinstance(new_shape, tuple)
        stated = tuple(operands[0].tolist()) if operands and operands[0].ndim == 1 else new_shape
        return len(stated) == len(shape) and all(
            s in (-1, size) for s, size in zip(stated, shape, strict=True)
        )
    if op.kind == "SLICE" and len(operands) == 2:
        begin, stated = (tuple(values.reshape(-1).tolist()) for values in operands)
        if not len(begin) == len(stated) == len(source):
            return False
        rest = zip(begin, stated, source, strict=True)
        return shape == tuple(whole - first if size == -1 else size for first, size, whole in rest)
    return op.kind == "TRANSPOSE"


def _view(values: _Array, _: list[_Array], shape: tuple[int, ...]) -> _Array:
    return values.reshape(shape)


def _transpose(values: _Array, operands: list[_Array], _: tuple[int, ...]) -> _Array:
    return np.transpose(values, [int(axis) for axis in operands[0].flat])


def _slice(values: _Array, operands: list[_Array], shape: tuple[int, ...]) -> _Array:
    begin = [int(first) for first in operands[0].flat]
    if min(begin, default=0) < 0:
        raise ValueError("a slice begins before its tensor")
    cuts = tuple(slice(first, first + size) for first, size in zip(begin, shape, strict=True))
    return np.asarray(values[cuts])


_FOLDS: dict[str, Callable[[_Array, list[_Array], tuple[int, ...]], _Array]] = {
    "EXPAND_DIMS": _view,
    "RESHAPE": _view,
    "SLICE": _slice,
    "SQUEEZE": _view,
    "TRANSPOSE": _transpose,
}
