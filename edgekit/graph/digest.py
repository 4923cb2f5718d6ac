"""The identity of a model: a digest of what it computes, not of how its file is laid out.

Two files with the same digest hold the same operators, in the same order, on the same constants. Metadata,
names, the numbering of tensors, unused tensors and the order of buffers do not count.

The encoding, in full: SHA-256 over the canonical JSON (keys sorted, no spaces, ASCII, shortest exact
floats) of

    {"edgekit_model": 1,
     "tensors": [{"shape", "dtype", "scales", "zero_points", "axis", "sha256"}, ...],
     "ops": [{"kind", "version", "inputs", "outputs", "options"}, ...],
     "inputs": [...], "outputs": [...]}

Tensors are numbered by first appearance: the model's inputs, then each operator's inputs and outputs, then
the model's outputs; an absent input is -1. `sha256` is the hex digest of a constant's bytes, else null.
`scales`, `zero_points` and `axis` are null without quantisation; `axis` is 0 where there is one scale.
"""

import hashlib
import json
from typing import Any

from edgekit.graph.ir import Graph, Tensor


def model_digest(graph: Graph) -> str:
    """Return the model's digest in hex."""
    numbers: dict[int, int] = {-1: -1}
    used = [*graph.inputs]
    for op in graph.ops:
        used += [*op.inputs, *op.outputs]
    for index in (*used, *graph.outputs):
        numbers.setdefault(index, len(numbers) - 1)
    tensors = [graph.tensor(index) for index in list(numbers)[1:]]
    content = {
        "edgekit_model": 1,
        "tensors": [_tensor(tensor) for tensor in tensors],
        "ops": [
            {
                "kind": op.kind,
                "version": op.version,
                "inputs": [numbers[i] for i in op.inputs],
                "outputs": [numbers[i] for i in op.outputs],
                "options": dict(op.options),
            }
            for op in graph.ops
        ],
        "inputs": [numbers[i] for i in graph.inputs],
        "outputs": [numbers[i] for i in graph.outputs],
    }
    text = json.dumps(content, sort_keys=True, separators=(",", ":"), allow_nan=False)
    return hashlib.sha256(text.encode("ascii")).hexdigest()


def _tensor(tensor: Tensor) -> dict[str, Any]:
    quantization = tensor.quantization
    return {
        "shape": tensor.shape,
        "dtype": tensor.dtype.value,
        "scales": quantization.scales if quantization else None,
        "zero_points": quantization.zero_points if quantization else None,
        "axis": (quantization.axis if quantization.per_channel else 0) if quantization else None,
        "sha256": None if tensor.data is None else hashlib.sha256(tensor.data).hexdigest(),
    }
