"""What operator modules ask of tensors and options. The graph comes from a file that nobody vouches for:
whatever C will index by must pass through here.

`UnsupportedOpError` means a sound model that edgekit's kernels cannot run, `ModelError` a broken one.
"""

import math
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from edgekit.errors import ModelError, UnsupportedOpError
from edgekit.graph import fixed_point
from edgekit.graph.ir import DType, Graph, Op, Quantization, Tensor
from edgekit.ops.step import Constant

MAX_ELEMENTS = 1 << 26
"""Elements of a tensor: offsets inside one, and sums of a few, stay far below 2**31."""
MAX_OPTION = 1 << 16
"""Strides, filter sizes and dilations."""


def operand(graph: Graph, op: Op, place: int) -> Tensor:
    """Return the tensor of an input, with a shape that C can index."""
    if not (place < len(op.inputs) and 0 <= op.inputs[place] < len(graph.tensors)):
        raise ModelError(f"{describe(graph, op)} lacks its input {place}")
    return _sized(graph.tensor(op.inputs[place]))


def optional_operand(graph: Graph, op: Op, place: int) -> Tensor | None:
    """Return the tensor of an input that may be absent."""
    if place >= len(op.inputs) or op.inputs[place] < 0:
        return None
    return operand(graph, op, place)


def result(graph: Graph, op: Op) -> Tensor:
    """Return the tensor of the one output."""
    if len(op.outputs) != 1 or not 0 <= op.outputs[0] < len(graph.tensors):
        raise ModelError(f"{describe(graph, op)} must have one output, it has {len(op.outputs)}")
    tensor = _sized(graph.tensor(op.outputs[0]))
    if tensor.is_constant:
        raise ModelError(f"{describe(graph, op)} writes the constant '{tensor.name}'")
    return tensor


def results(graph: Graph, op: Op) -> list[Tensor]:
    """Return the tensors of all outputs; there is at least one."""
    if not op.outputs or not all(0 <= index < len(graph.tensors) for index in op.outputs):
        raise ModelError(f"{describe(graph, op)} has no outputs")
    found = [_sized(graph.tensor(index)) for index in op.outputs]
    for tensor in found:
        if tensor.is_constant:
            raise ModelError(f"{describe(graph, op)} writes the constant '{tensor.name}'")
    return found


def describe(graph: Graph, op: Op) -> str:
    """Return the operator's place, kind and output name, for messages."""
    first = op.outputs[0] if op.outputs else -1
    name = graph.tensor(first).name if 0 <= first < len(graph.tensors) else "?"
    return f"operator {op.index} {op.kind} '{name}'"


def _sized(tensor: Tensor) -> Tensor:
    if any(size < 1 for size in tensor.shape):
        raise ModelError(
            f"tensor '{tensor.name}' has shape {list(tensor.shape)}; every dimension must be at least 1",
            "export the model with fixed sizes",
        )
    if len(tensor.shape) > 8 or tensor.elements > MAX_ELEMENTS:
        raise ModelError(f"tensor '{tensor.name}' of shape {list(tensor.shape)} is too large")
    return tensor


def activation(tensor: Tensor) -> Quantization:
    """Return the per-tensor quantisation of an int8 tensor that is computed at run time."""
    if tensor.is_constant:
        raise UnsupportedOpError(f"its operand '{tensor.name}' is a constant")
    return quantized(tensor)


def quantized(tensor: Tensor) -> Quantization:
    """Return the per-tensor quantisation of an int8 tensor, constant or not."""
    if tensor.dtype is not DType.INT8:
        raise UnsupportedOpError(f"tensor '{tensor.name}' is {tensor.dtype}, kernels take int8")
    found = tensor.quantization
    if found is None or len(found.scales) != 1 or len(found.zero_points) != 1:
        raise UnsupportedOpError(f"tensor '{tensor.name}' has no per-tensor quantisation")
    _check_scales(tensor, found)
    if not fixed_point.INT8_MIN <= found.zero_point <= fixed_point.INT8_MAX:
        raise ModelError(f"tensor '{tensor.name}' has zero point {found.zero_point}, outside -128..127")
    return found


def _check_scales(tensor: Tensor, found: Quantization) -> None:
    for scale in found.scales:
        if not (math.isfinite(scale) and scale > 0):
            raise ModelError(f"tensor '{tensor.name}' has scale {scale}; it must be above 0")


def same_quantization(source: Tensor, target: Tensor) -> None:
    """Refuse an operator that would have to rescale, where TFLite does not."""
    first, second = quantized(source), quantized(target)
    if (first.scale, first.zero_point) != (second.scale, second.zero_point):
        raise UnsupportedOpError(
            f"its input has scale {first.scale:g} and zero point {first.zero_point}, "
            f"its output {second.scale:g} and {second.zero_point}; they must be equal"
        )


def constant(tensor: Tensor, dtype: DType) -> NDArray[np.generic]:
    """Return the values of a constant; its bytes must be exactly those that its shape needs."""
    if tensor.data is None:
        raise UnsupportedOpError(f"its operand '{tensor.name}' is not a constant")
    if tensor.dtype is not dtype:
        raise UnsupportedOpError(f"its constant '{tensor.name}' is {tensor.dtype}, {dtype} is needed")
    if len(tensor.data) != tensor.size:
        raise ModelError(
            f"constant '{tensor.name}' of shape {list(tensor.shape)} has {len(tensor.data)} bytes, "
            f"not {tensor.size}"
        )
    return tensor.array()


def integers(graph: Graph, op: Op, place: int) -> list[int]:
    """Return the values of a constant int32 operand such as axes, padding or a shape."""
    return [int(value) for value in constant(operand(graph, op, place), DType.INT32).flat]


def weight_scales(tensor: Tensor, axis: int) -> tuple[float, ...]:
    """Return one scale for all weights, or one per slice of `axis`; zero points must be 0."""
    found = tensor.quantization
    channels = tensor.shape[axis]
    if found is None or not found.scales:
        raise UnsupportedOpError(f"its weights '{tensor.name}' are not quantised")
    _check_scales(tensor, found)
    if any(found.zero_points):
        raise UnsupportedOpError(f"its weights '{tensor.name}' have a zero point other than 0")
    if len(found.scales) == 1:
        return found.scales
    if len(found.scales) != channels or found.axis != axis:
        raise ModelError(
            f"weights '{tensor.name}' of shape {list(tensor.shape)} have {len(found.scales)} scales along "
            f"dimension {found.axis}; {channels} along dimension {axis} are needed"
        )
    return found.scales


def option(op: Op, name: str, default: int | None = None) -> int:
    """Return an integer option in 1..65536."""
    value = op.options.get(name, default)
    if not isinstance(value, int) or not 1 <= value <= MAX_OPTION:
        raise ModelError(f"operator {op.index} {op.kind} has {name} = {value}")
    return value


def output_range(op: Op, target: Quantization) -> tuple[int, int]:
    """Return the int8 bounds of the fused activation."""
    name = str(op.options.get("fused_activation_function", "NONE"))
    try:
        low, high = fixed_point.activation_range(name, target.scale, target.zero_point)
    except ValueError as error:
        raise UnsupportedOpError(str(error)) from error
    if low > high:
        raise UnsupportedOpError(f"its activation {name} leaves no value: {low} > {high}")
    return low, high


def multiplier(real: float) -> tuple[int, int]:
    """Return TFLite's (multiplier, shift) of a real multiplier below 2**31."""
    try:
        return fixed_point.quantize_multiplier(real)
    except ValueError as error:
        raise UnsupportedOpError(f"its scales are out of range: {error}") from error


def expect_shape(graph: Graph, op: Op, tensor: Tensor, expected: Sequence[int]) -> None:
    """Refuse a file whose stated shape is not what the operator makes."""
    if tensor.shape != tuple(expected):
        raise ModelError(
            f"{describe(graph, op)}: tensor '{tensor.name}' has shape {list(tensor.shape)}, "
            f"but the operator needs {list(expected)}"
        )


def folded_bias(
    graph: Graph, op: Op, bias: Tensor | None, weights: NDArray[np.generic], zero_point: int
) -> NDArray[np.int32]:
    """Return bias - zero_point * sum of weights, per output channel.

    Refuses accumulators that could leave 32 bits, so that C needs no check and has no undefined behaviour.

    Args:
        graph: the model, for messages.
        op: the operator, for messages.
        bias: the int32 constant, or None for zeros.
        weights: [output channels, whatever]: all weights that meet in one accumulator.
        zero_point: that of the input.
    """
    rows = weights.reshape(weights.shape[0], -1).astype(np.int64)
    values = np.zeros(rows.shape[0], np.int64)
    if bias is not None:
        expect_shape(graph, op, bias, [rows.shape[0]])
        values = constant(bias, DType.INT32).astype(np.int64)
    folded = values - zero_point * rows.sum(axis=1)
    worst = np.abs(rows).sum(axis=1) * 255 + np.maximum(np.abs(values), np.abs(folded))
    if int(worst.max()) > fixed_point.INT32_MAX:
        raise UnsupportedOpError("its weights and bias could overflow a 32-bit accumulator")
    return np.asarray(folded, np.int32)


def channel_multipliers(scales: Sequence[float], factor: float, over: float, channels: int) -> list[Constant]:
    """Return the constants `multiplier` and `shift` for `factor * scale / over`, one per output channel."""
    found = [multiplier(factor * scale / over) for scale in scales]
    if len(found) == 1:
        found *= channels
    return [
        Constant("multiplier", np.array([m for m, _ in found], np.int32)),
        Constant("shift", np.array([s for _, s in found], np.int8)),
    ]
