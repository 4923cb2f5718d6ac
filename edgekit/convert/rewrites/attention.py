"""Writes the one dense layer that makes query, key and value of an attention as three of their own.

Networks compute the three at once, then take them apart: a transpose and slices of five dimensions, which
tflite-micro rejects, and a copy of all. Apart from the start they need no such copy, and each has a scale of
its own in int8. The factor 1 / sqrt(size) of the scores goes into the weights.

How they are taken apart differs from author to author, and nn.MultiheadAttention does it otherwise again.
So there is no pattern here: the numbers of the elements are sent along, and where they arrive says what each
part is made of.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from edgekit.convert.graph_edit import attributes, constants, only_reader, replace, shapes

_MOVES = ("Reshape", "Transpose", "Unsqueeze", "Squeeze", "Split", "Gather")
_ORDERS = ((0, 2, 1, 3), (0, 2, 3, 1))
"""[batch, tokens, heads, size] to [batch, heads, tokens, size], and to [batch, heads, size, tokens]."""


@dataclass(frozen=True, slots=True)
class _Part:
    """A tensor of rank 4 that a joint dense layer ends in."""

    name: str
    number: int
    """Which equal share of the layer's outputs it is made of."""
    shape: tuple[int, int, int, int]
    """[batch, tokens, heads, size]"""
    order: tuple[int, ...]
    """The order of these dimensions in which the tensor has them."""


def rewrite(proto: Any) -> None:
    """Take every joint dense layer apart, in place."""
    known, sizes = constants(proto), shapes(proto)
    for dense in [n for n in proto.graph.node if n.op_type == "Gemm"]:
        layer, shape = _layer(dense, known), sizes.get(dense.output[0], ())
        if layer is None or len(shape) != 2 or min(shape) < 1:
            continue
        leaves: dict[str, NDArray[np.int64]] = {}
        moves: list[Any] = []
        _follow(
            proto, dense.output[0], np.arange(shape[0] * shape[1]).reshape(shape), leaves, moves, known, sizes
        )
        parts = [_part(name, value, shape, len(leaves)) for name, value in leaves.items()]
        whole = [part for part in parts if part is not None]
        if len(whole) != len(parts) or sorted(part.number for part in whole) != [0, 1, 2]:
            continue
        _replace(proto, dense, moves, whole, layer, known)


def _layer(dense: Any, known: dict[str, Any]) -> tuple[NDArray[np.float32], NDArray[np.float32]] | None:
    """Return weights [inputs, outputs] and bias of a plain dense layer with constants."""
    given = attributes(dense)
    weights = known.get(dense.input[1])
    if weights is None or given.get("transA", 0):
        return None
    if given.get("alpha", 1.0) != 1.0 or given.get("beta", 1.0) != 1.0:
        return None
    weights = weights.T if given.get("transB", 0) else weights
    bias = known.get(dense.input[2]) if len(dense.input) > 2 else np.zeros(weights.shape[1], np.float32)
    return None if bias is None or bias.shape != weights.shape[1:] else (weights, bias)


def _follow(
    proto: Any,
    name: str,
    value: NDArray[np.int64],
    leaves: dict[str, NDArray[np.int64]],
    moves: list[Any],
    known: dict[str, Any],
    sizes: dict[str, Any],
) -> None:
    """Send the elements' numbers through all that only moves them; note where they arrive, and by what."""
    readers = [node for node in proto.graph.node if name in node.input]
    ends = any(output.name == name for output in proto.graph.output)
    moved = [_moved(node, value, known, sizes) for node in readers]
    if ends or not readers or any(values is None for values in moved):
        leaves[name] = value
        return
    for node, values in zip(readers, moved, strict=True):
        moves.append(node)
        for output, after in zip(node.output, values or [], strict=True):
            _follow(proto, output, after, leaves, moves, known, sizes)


def _moved(
    node: Any, value: NDArray[np.int64], known: dict[str, Any], sizes: dict[str, Any]
) -> list[NDArray[np.int64]] | None:
    """Return what a node that only moves elements makes of them; None for other nodes."""
    after = [sizes.get(name, ()) for name in node.output]
    if node.op_type not in _MOVES or any(min(shape, default=0) < 1 for shape in after):
        return None
    axis = attributes(node).get("axis", 0)
    if node.op_type == "Split":
        return np.split(value, np.cumsum([shape[axis] for shape in after])[:-1], axis)
    if node.op_type == "Gather":
        place = known.get(node.input[1])
        return None if place is None or place.ndim else [np.take(value, int(place), axis)]
    if node.op_type == "Transpose":
        return [value.transpose(attributes(node).get("perm"))]
    return [value.reshape(after[0])]


def _part(name: str, value: NDArray[np.int64], shape: tuple[int, ...], count: int) -> _Part | None:
    """Return what a tensor is made of, if it is one share of every token's outputs."""
    if value.ndim != 4 or shape[1] % count:
        return None
    share = shape[1] // count
    number = int(value.flat[0]) % shape[1] // share
    columns = np.arange(shape[0] * shape[1]).reshape(shape)[:, number * share : (number + 1) * share]
    for order in _ORDERS:
        batch, heads, tokens, size = (value.shape[i] for i in (0, 1, order.index(1), order.index(3)))
        whole = (batch, tokens, heads, size)
        if heads * size == share and np.array_equal(columns.reshape(whole).transpose(order), value):
            return _Part(name, number, whole, order)
    return None


def _replace(
    proto: Any,
    dense: Any,
    moves: Sequence[Any],
    parts: Sequence[_Part],
    layer: tuple[NDArray[np.float32], NDArray[np.float32]],
    known: dict[str, Any],
) -> None:
    from onnx import helper, numpy_helper

    weights, bias = (np.split(values, len(parts), -1) for values in layer)
    made = []
    for part in parts:
        factor = _factor(proto, part.name, known)
        name = f"{dense.name or dense.output[0]}_{part.number}"
        added = {
            f"{name}_weights": np.ascontiguousarray(weights[part.number] * factor),
            f"{name}_bias": bias[part.number] * factor,
            f"{name}_shape": np.array(part.shape, np.int64),
        }
        proto.graph.initializer.extend(numpy_helper.from_array(value, key) for key, value in added.items())
        inputs = [dense.input[0], f"{name}_weights", f"{name}_bias"]
        apart, flat = f"{name}_apart", f"{name}_flat"
        made += [
            helper.make_node("Gemm", inputs, [flat], name=f"{name}_Gemm"),
            helper.make_node("Reshape", [flat, f"{name}_shape"], [apart], name=f"{name}_Reshape"),
            helper.make_node("Transpose", [apart], [part.name], name=f"{name}_Transpose", perm=part.order),
        ]
    for node in moves:
        replace(proto, node, [])
    replace(proto, dense, made)


def _factor(proto: Any, name: str, known: dict[str, Any]) -> np.float32:
    """Take the factor off that a part, or the scores that a query makes, is multiplied with; return it."""
    reader = only_reader(proto, name)
    if reader is not None and reader.op_type == "MatMul" and reader.input[0] == name:
        name = reader.output[0]
        reader = only_reader(proto, name)
    ends = {output.name for output in proto.graph.output}
    if reader is None or reader.op_type != "Mul" or reader.output[0] in ends:
        return np.float32(1)
    factors = [known[other] for other in reader.input if other in known and known[other].size == 1]
    if not factors:
        return np.float32(1)
    # Whoever read the product reads what was multiplied.
    for node in proto.graph.node:
        for place, other in enumerate(node.input):
            if other == reader.output[0]:
                node.input[place] = name
    replace(proto, reader, [])
    return np.float32(factors[0].reshape(-1)[0])
