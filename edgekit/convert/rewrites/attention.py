"""Writes the one dense layer that makes query, key and value of an attention as three of their own.

Networks compute the three at once, then take them apart: a transpose and slices of five dimensions, which
tflite-micro rejects, and a copy of all. Apart from the start they need no such copy, and each has a scale of
its own in int8. The factor 1 / sqrt(size) of the scores goes into the weights of the query.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from edgekit.convert.graph_edit import attributes, constants, only_reader, replace, shapes

_APART = (2, 0, 3, 1, 4)
"""[batch, tokens, 3, heads, size] to [3, batch, heads, tokens, size]."""


@dataclass(frozen=True, slots=True)
class _Joint:
    """A dense layer, what takes its output apart, and the tensors that come of it."""

    dense: Any
    between: tuple[Any, ...]
    parts: tuple[str, ...]
    """Names of the tensors [batch, heads, tokens, size], in order."""
    shape: tuple[int, ...]
    """[batch, tokens, parts, heads, size]"""
    weights: NDArray[np.float32]
    """[inputs, parts * heads * size]"""
    bias: NDArray[np.float32]


def rewrite(proto: Any) -> None:
    """Take every joint dense layer apart, in place."""
    known, sizes = constants(proto), shapes(proto)
    for dense in [n for n in proto.graph.node if n.op_type == "Gemm"]:
        found = _match(proto, dense, known, sizes)
        if found is not None:
            _replace(proto, found, known)


def _match(proto: Any, dense: Any, known: dict[str, Any], sizes: dict[str, Any]) -> _Joint | None:
    split = only_reader(proto, dense.output[0])
    turn = None if split is None else only_reader(proto, split.output[0])
    if split is None or split.op_type != "Reshape" or turn is None or turn.op_type != "Transpose":
        return None
    shape = sizes.get(split.output[0], ())
    if tuple(attributes(turn).get("perm", ())) != _APART or min(shape, default=0) < 1:
        return None
    layer = _layer(dense, known)
    taken = _taken_apart(proto, turn, shape[2], known)
    if layer is None or taken is None or layer[0].shape[1] != shape[2] * shape[3] * shape[4]:
        return None
    parts, nodes = taken
    return _Joint(dense, (split, turn, *nodes), parts, shape, *layer)


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


def _taken_apart(
    proto: Any, turn: Any, count: int, known: dict[str, Any]
) -> tuple[tuple[str, ...], list[Any]] | None:
    """Return the tensors that a split or gatherings along dimension 0 make, and these nodes."""
    whole = turn.output[0]
    readers = [node for node in proto.graph.node if whole in node.input]
    if len(readers) == 1 and readers[0].op_type == "Split":
        split = readers[0]
        squeezed = [only_reader(proto, name) for name in split.output]
        if attributes(split).get("axis", 0) != 0 or len(squeezed) != count:
            return None
        if any(node is None or node.op_type != "Squeeze" or _axes(node, known) != [0] for node in squeezed):
            return None
        return tuple(node.output[0] for node in squeezed if node is not None), [split, *squeezed]
    places: dict[int, Any] = {}
    for node in readers:
        place = known.get(node.input[1]) if node.op_type == "Gather" else None
        if place is None or place.ndim or attributes(node).get("axis", 0) != 0:
            return None
        places[int(place)] = node
    if len(readers) != count or sorted(places) != list(range(count)):
        return None
    return tuple(places[i].output[0] for i in range(count)), readers


def _axes(node: Any, known: dict[str, Any]) -> list[int]:
    axes = known.get(node.input[1]) if len(node.input) > 1 else None
    return [] if axes is None else axes.reshape(-1).tolist()


def _replace(proto: Any, found: _Joint, known: dict[str, Any]) -> None:
    from onnx import helper, numpy_helper

    batch, tokens, count, heads, size = found.shape
    stem = found.dense.name or found.dense.output[0]
    weights = found.weights.reshape(-1, count, heads * size)
    bias = found.bias.reshape(count, heads * size)
    target = numpy_helper.from_array(np.array([batch, tokens, heads, size], np.int64), f"{stem}_heads")
    proto.graph.initializer.append(target)
    made = []
    for number, part in enumerate(found.parts):
        factor = _scale(proto, part, known) if number == 0 else np.float32(1)
        name, (part, order) = f"{stem}_{number}", _turned(proto, part)
        proto.graph.initializer.extend(
            [
                numpy_helper.from_array(np.ascontiguousarray(weights[:, number] * factor), f"{name}_weights"),
                numpy_helper.from_array(bias[number] * factor, f"{name}_bias"),
            ]
        )
        inputs = [found.dense.input[0], f"{name}_weights", f"{name}_bias"]
        made += [
            helper.make_node("Gemm", inputs, [f"{name}_flat"], name=f"{name}_Gemm"),
            helper.make_node(
                "Reshape", [f"{name}_flat", target.name], [f"{name}_apart"], name=f"{name}_Reshape"
            ),
            helper.make_node("Transpose", [f"{name}_apart"], [part], name=f"{name}_Transpose", perm=order),
        ]
    for node in found.between:
        replace(proto, node, [])
    replace(proto, found.dense, made)


def _turned(proto: Any, part: str) -> tuple[str, Sequence[int]]:
    """Return where a part's transpose ends, and its order, with a transpose that follows made one with it."""
    order = (0, 2, 1, 3)
    reader = only_reader(proto, part)
    if reader is None or reader.op_type != "Transpose":
        return part, order
    replace(proto, reader, [])
    return reader.output[0], [order[axis] for axis in attributes(reader)["perm"]]


def _scale(proto: Any, query: str, known: dict[str, Any]) -> np.float32:
    """Take the factor off that the query or the scores are multiplied with; return it."""
    reader = only_reader(proto, query)
    if reader is not None and reader.op_type == "MatMul" and reader.input[0] == query:
        query = reader.output[0]
        reader = only_reader(proto, query)
    ends = {output.name for output in proto.graph.output}
    if reader is None or reader.op_type != "Mul" or reader.output[0] in ends:
        return np.float32(1)
    factors = [known[name] for name in reader.input if name in known and known[name].size == 1]
    if not factors:
        return np.float32(1)
    # Whoever read the product reads what was multiplied.
    for node in proto.graph.node:
        for place, name in enumerate(node.input):
            if name == reader.output[0]:
                node.input[place] = query
    replace(proto, reader, [])
    return np.float32(factors[0].reshape(-1)[0])
