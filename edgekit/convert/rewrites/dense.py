"""Writes a dense layer over feature maps as a convolution whose window is the whole map.

ONNX flattens maps channel by channel, TFLite pixel by pixel, so a flatten before a dense layer becomes a
TRANSPOSE at run time. The convolution has the same weights and does the same work without it.
"""

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from edgekit.convert.graph_edit import attributes, constants, only_reader, replace, shapes


@dataclass(frozen=True, slots=True)
class _Dense:
    """A flatten, the dense layer behind it, and the ReLU behind that, if there is one."""

    flatten: Any
    dense: Any
    relu: Any | None
    maps: tuple[int, int, int]
    """Channels, height and width of what is flattened."""
    weights: NDArray[np.float32]
    """[outputs, inputs]."""
    bias: NDArray[np.float32] | None


def rewrite(proto: Any) -> None:
    """Replace each flatten of maps larger than 1x1 and the dense layer behind it, in place."""
    known, sizes = constants(proto), shapes(proto)
    for flatten in [n for n in proto.graph.node if n.op_type in ("Flatten", "Reshape")]:
        found = _match(proto, flatten, known, sizes)
        if found is not None:
            _replace(proto, found)


def _match(proto: Any, flatten: Any, known: dict[str, Any], sizes: dict[str, Any]) -> _Dense | None:
    before, after = sizes.get(flatten.input[0], ()), sizes.get(flatten.output[0], ())
    if len(before) != 4 or before[0] != 1 or before[2] * before[3] <= 1:
        return None
    if tuple(after) != (1, before[1] * before[2] * before[3]):
        return None
    dense = only_reader(proto, flatten.output[0])
    if dense is None or dense.input[0] != flatten.output[0] or dense.op_type not in ("Gemm", "MatMul"):
        return None
    given = attributes(dense)
    weights = known.get(dense.input[1])
    if weights is None or weights.ndim != 2 or given.get("transA", 0):
        return None
    if given.get("alpha", 1.0) != 1.0 or given.get("beta", 1.0) != 1.0:
        return None
    weights = weights if given.get("transB", 0) else weights.T
    bias = None
    if len(dense.input) > 2 and dense.input[2]:
        bias = known.get(dense.input[2])
        if bias is None or bias.size != len(weights):
            return None
    reader = only_reader(proto, dense.output[0])
    relu = reader if reader is not None and reader.op_type == "Relu" else None
    return _Dense(flatten, dense, relu, before[1:], weights, bias)


def _replace(proto: Any, found: _Dense) -> None:
    from onnx import helper, numpy_helper

    stem = found.dense.name or found.dense.output[0]
    kernel = found.weights.reshape(len(found.weights), *found.maps)
    added: dict[str, NDArray[np.float32]] = {f"{stem}_maps": kernel}
    if found.bias is not None:
        added[f"{stem}_bias"] = found.bias.reshape(-1)
    proto.graph.initializer.extend(
        numpy_helper.from_array(np.ascontiguousarray(value), name) for name, value in added.items()
    )
    end = f"{stem}_conv"
    made = [
        helper.make_node(
            "Conv",
            [found.flatten.input[0], *added],
            [end],
            name=f"{stem}_Conv",
            kernel_shape=found.maps[1:],
        )
    ]
    last = found.dense
    if found.relu is not None:
        # The activation stays beside the convolution, into which TFLite fuses it.
        made.append(helper.make_node("Relu", [end], [f"{end}_relu"], name=f"{stem}_Relu"))
        end, last = f"{end}_relu", found.relu
    made.append(helper.make_node("Flatten", [end], [last.output[0]], name=f"{stem}_Flatten", axis=1))
    replace(proto, found.flatten, [])
    if found.relu is not None:
        replace(proto, found.dense, [])
    replace(proto, last, made)
