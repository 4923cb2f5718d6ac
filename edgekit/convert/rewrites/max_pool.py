"""Writes the padding of max-pools as SAME, or as a padding operator with a value that int8 can hold.

ONNX pads with minus infinity. TensorFlow gives such a padding the scale of 1e38 / 255, and every value that
passes through becomes 0 or minus infinity. Padding with the smallest value that enters the pool has the same
result and a sane scale; after a ReLU that value is 0, which makes the plain PAD that every runtime has.
"""

import math
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from edgekit.convert import float_model
from edgekit.convert.graph_edit import attributes, replace, shapes
from edgekit.convert.onnx_model import OnnxModel
from edgekit.errors import ModelError


@dataclass(frozen=True, slots=True)
class _Window:
    """The pooling window along height and width."""

    kernel: tuple[int, int]
    stride: tuple[int, int]
    dilation: tuple[int, int]
    before: tuple[int, int]
    after: tuple[int, int]


def rewrite(proto: Any, model: OnnxModel, inputs: NDArray[np.float32]) -> None:
    """Replace each padded MaxPool of a graph with fixed shapes by Pad and an unpadded MaxPool, in place.

    Args:
        proto: the graph, simplified.
        model: the model that the graph was made of.
        inputs: normalised calibration inputs [N, H, W, C], over which the smallest values are found.

    Raises:
        ModelError: a shape that the pool needs cannot be inferred, or the graph does not run.
    """
    pools = [node for node in proto.graph.node if node.op_type == "MaxPool" and _is_padded(node)]
    if not pools:
        return
    sizes = shapes(proto)
    windows = {node.output[0]: _window(node, sizes.get(node.input[0]), model.name) for node in pools}
    padded = []
    for node in pools:
        window = windows[node.output[0]]
        if _is_same(window, sizes[node.input[0]]):
            replace(proto, node, [_pool(node, window, node.input[0], auto_pad="SAME_UPPER")])
        elif any(window.before + window.after):
            padded.append(node)
    lowest = _smallest(proto, model, inputs, [node.input[0] for node in padded])
    for node in padded:
        _insert_pad(proto, node, windows[node.output[0]], min(0.0, lowest[node.input[0]]))


def _is_padded(node: Any) -> bool:
    given = attributes(node)
    return (
        any(given.get("pads", ()))
        or bool(given.get("ceil_mode", 0))
        or given.get("auto_pad", b"NOTSET") not in (b"NOTSET", b"VALID", b"")
    )


def _window(node: Any, shape: tuple[int, ...] | None, name: str) -> _Window:
    """Return the window with all padding explicit, that of ceil_mode and auto_pad too."""
    if shape is None or len(shape) != 4 or min(shape) < 1:
        raise ModelError(
            f"the shape of the input of the max-pool '{node.name}' of '{name}' is not known",
            "export the model with fixed sizes",
        )
    given = attributes(node)
    kernel = tuple(given["kernel_shape"])
    stride = tuple(given.get("strides", (1, 1)))
    dilation = tuple(given.get("dilations", (1, 1)))
    pads = tuple(given.get("pads", (0, 0, 0, 0)))
    auto = given.get("auto_pad", b"NOTSET")
    before, after = list(pads[:2]), list(pads[2:])
    for axis in (0, 1):
        size, reach = shape[2 + axis], (kernel[axis] - 1) * dilation[axis] + 1
        if auto in (b"SAME_UPPER", b"SAME_LOWER"):
            total = max((math.ceil(size / stride[axis]) - 1) * stride[axis] + reach - size, 0)
            before[axis] = total // 2 if auto == b"SAME_UPPER" else total - total // 2
            after[axis] = total - before[axis]
        elif given.get("ceil_mode", 0):
            outputs = math.ceil((size + before[axis] + after[axis] - reach) / stride[axis]) + 1
            # A window that would begin in the padding after the image does not count.
            if (outputs - 1) * stride[axis] >= size + before[axis]:
                outputs -= 1
            after[axis] = max(0, (outputs - 1) * stride[axis] + reach - size - before[axis])
    return _Window(
        (kernel[0], kernel[1]),
        (stride[0], stride[1]),
        (dilation[0], dilation[1]),
        (before[0], before[1]),
        (after[0], after[1]),
    )


def _is_same(window: _Window, shape: tuple[int, ...]) -> bool:
    """Return whether TFLite's own SAME padding, which needs no value, puts the windows in the same places."""
    for axis in (0, 1):
        size, stride = shape[2 + axis], window.stride[axis]
        reach = (window.kernel[axis] - 1) * window.dilation[axis] + 1
        total = max((math.ceil(size / stride) - 1) * stride + reach - size, 0)
        if (window.before[axis], window.after[axis]) != (total // 2, total - total // 2):
            return False
    return True


def _smallest(
    proto: Any, model: OnnxModel, inputs: NDArray[np.float32], names: list[str]
) -> dict[str, float]:
    """Return the smallest value that each of the named tensors has over the inputs."""
    if not names:
        return {}
    import onnx
    from onnx import TensorProto, helper

    traced = onnx.ModelProto()
    traced.CopyFrom(proto)
    del traced.graph.output[:]
    traced.graph.output.extend(helper.make_tensor_value_info(n, TensorProto.FLOAT, None) for n in set(names))
    runner = float_model.session(traced.SerializeToString(), model.name)
    order = [output.name for output in runner.get_outputs()]
    found = dict.fromkeys(order, math.inf)
    for value in inputs:
        frame = value if model.channels_last else value.transpose(2, 0, 1)
        results = runner.run(order, {model.input_name: np.ascontiguousarray(frame)[None]})
        for name, result in zip(order, results, strict=True):
            found[name] = min(found[name], float(result.min()))
    return found


def _insert_pad(proto: Any, node: Any, window: _Window, value: float) -> None:
    from onnx import helper, numpy_helper

    stem = f"{node.name or node.output[0]}_pad"
    pads = np.array([0, 0, *window.before, 0, 0, *window.after], np.int64)
    proto.graph.initializer.extend(
        [
            numpy_helper.from_array(pads, f"{stem}_widths"),
            numpy_helper.from_array(np.asarray(value, np.float32), f"{stem}_value"),
        ]
    )
    pad = helper.make_node(
        "Pad", [node.input[0], f"{stem}_widths", f"{stem}_value"], [f"{stem}_out"], name=stem
    )
    replace(proto, node, [pad, _pool(node, window, f"{stem}_out")])


def _pool(node: Any, window: _Window, source: str, **options: str) -> Any:
    from onnx import helper

    return helper.make_node(
        "MaxPool",
        [source],
        list(node.output),
        name=node.name,
        kernel_shape=window.kernel,
        strides=window.stride,
        dilations=window.dilation,
        **options,
    )
