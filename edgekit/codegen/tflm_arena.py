"""How large an arena TensorFlow Lite Micro needs on a board.

It is measured with tflite-micro's reference kernels on this machine. The board's kernel library asks for
more: scratch buffers, whose size follows from the layers. What is added for them is the margin.
"""

from collections.abc import Callable
from dataclasses import dataclass
from math import prod
from typing import Any

from edgekit import tflite_micro
from edgekit.board import Board
from edgekit.errors import ProjectError
from edgekit.graph.ir import Graph, Op
from edgekit.toml_table import listed

_ALIGNMENT = 16
_BASE = 1024
"""The interpreter's own fields and alignment, which differ between releases."""
# What the interpreter keeps beside the tensors, where it cannot be measured here: on 32-bit machines it takes
# 12 bytes a tensor and 16 an operator, and the operators' own data. Twice as much for what is not known.
_NPU_BASE = 4096
_PER_TENSOR = 64
_PER_OPERATOR = 256
_PER_CHANNEL = 16
_BLOCK = 128
"""CMSIS-NN takes the channels of a depthwise convolution by 124."""


@dataclass(frozen=True, slots=True)
class Arena:
    """The arena of one model on one board, in bytes."""

    reference: int
    """Measured by tflite-micro, or, with an NPU, placed by Vela."""
    measured_by: str
    margin: int
    reason: str
    """What the margin is for."""

    @property
    def bytes(self) -> int:
        """What the firmware reserves: a multiple of 16."""
        return -(-(self.reference + self.margin) // _ALIGNMENT) * _ALIGNMENT

    def to_dict(self) -> dict[str, Any]:
        """Return the plain data for JSON."""
        return {
            "bytes": self.bytes,
            "reference_bytes": self.reference,
            "measured_by": self.measured_by,
            "margin_bytes": self.margin,
            "margin_reason": self.reason,
        }


def measured(model: bytes, graph: Graph, board: Board) -> Arena:
    """Return the arena of a model that runs on the processor alone.

    Raises:
        MissingExtraError: tflite-micro is not installed.
        ModelError: tflite-micro cannot run the model.
        ProjectError: the board's facts name no kernel library that is known.
    """
    name, scratch = _kernels(board)
    allocation = tflite_micro.measure(model, graph)
    largest = max((scratch(graph, op) for op in graph.ops), default=0)
    return Arena(
        reference=allocation.total,
        measured_by=tflite_micro.tflite_micro_version(),
        margin=largest + _BASE,
        reason=f"{largest:,} for the largest scratch buffer of {name}, {_BASE:,} for differences of release",
    )


def with_npu(compiled: Graph, sram_bytes: int, board: Board, by: str) -> Arena:
    """Return the arena of a model that Vela has compiled.

    Args:
        compiled: what Vela made.
        sram_bytes: the tensors, as Vela places them.
        board: its facts name the kernel library for what is left to the processor.
        by: the version of Vela.

    Raises:
        ProjectError: the board's facts name no kernel library that is known.
    """
    name, scratch = _kernels(board)
    largest = max((scratch(compiled, op) for op in compiled.ops), default=0)
    channels = sum(_channels(compiled, op) for op in compiled.ops)
    lists = _NPU_BASE + _PER_TENSOR * len(compiled.tensors) + _PER_OPERATOR * len(compiled.ops)
    lists += _PER_CHANNEL * channels
    return Arena(
        reference=sram_bytes,
        measured_by=f"{by}, total SRAM used",
        margin=largest + lists,
        reason=f"{largest:,} for the largest scratch buffer of {name}, {lists:,} for the interpreter's lists",
    )


def _channels(graph: Graph, op: Op) -> int:
    """Return how many multipliers the operator's kernel keeps: one per channel of its weights."""
    weights = _weights(graph, op)
    return weights[-1] if op.kind == "DEPTHWISE_CONV_2D" else weights[0]


def _weights(graph: Graph, op: Op) -> tuple[int, ...]:
    """Return the shape of a convolution's or a dense layer's weights; of other operators, nothing's."""
    if op.kind not in ("CONV_2D", "DEPTHWISE_CONV_2D", "FULLY_CONNECTED") or len(op.inputs) < 2:
        return (0, 0, 0, 0)
    return graph.tensor(op.inputs[1]).shape or (0,)


def _last(graph: Graph, op: Op) -> int:
    """Return the last dimension of the operator's first input."""
    return (graph.tensor(op.inputs[0]).shape or (1,))[-1]


def _up(value: int, to: int) -> int:
    return -(-value // to) * to


def _esp_nn(graph: Graph, op: Op) -> int:
    """Return no less than ESP-NN 1.2 asks for on an ESP32-S3 (its functions get_*_scratch_size_esp32s3).

    Convolutions copy their input with its padding, at most twice, and their weights with rows of whole
    vectors, at most twice; depthwise ones use 16-bit values, or whole vectors of channels.
    """
    if op.kind == "SOFTMAX":
        return 4 * _last(graph, op)
    if op.kind not in ("CONV_2D", "DEPTHWISE_CONV_2D"):
        return 0
    shapes = (graph.tensor(op.inputs[0]).shape, _weights(graph, op), graph.tensor(op.outputs[0]).shape)
    if any(len(shape) != 4 for shape in shapes):
        return 0
    (_, height, width, channels), (_, rows, columns, _), (_, down, across, made) = shapes
    strides = [value for key in ("stride_h", "stride_w") if isinstance(value := op.options.get(key), int)]
    reach = max(strides, default=1)
    padded = (height + rows + reach) * (width + columns + reach)
    if op.kind == "DEPTHWISE_CONV_2D":
        vectors = _up(made, 16)
        return 2 * (rows * columns + padded) * vectors + down * across * vectors + 12 * vectors + 128
    if rows == columns == 1 and reach == 1:
        vectors = _up(channels, 8)
        return (height * width if channels % 8 else 0) * vectors + vectors * made + 16 * vectors + 64
    return 2 * rows * columns * _up(channels, 16) * made + 2 * padded * channels + 4 * made + 192


def _cmsis_nn(graph: Graph, op: Op) -> int:
    """Return no less than CMSIS-NN 7.0 asks for with Helium (its functions *_get_buffer_size_mve).

    Four windows of the input in whole vectors, of all channels or of a block of them, the weights of a
    depthwise convolution whose input has one channel, and 32 bits of sum for each output of a dense layer.
    """
    if op.kind not in ("CONV_2D", "DEPTHWISE_CONV_2D", "FULLY_CONNECTED", "AVERAGE_POOL_2D"):
        return 0
    weights = _weights(graph, op)
    if op.kind == "FULLY_CONNECTED":
        return 4 * weights[0] + 64
    if op.kind == "AVERAGE_POOL_2D":
        return 4 * _last(graph, op) + 64
    window = prod(weights[1:])
    if op.kind == "DEPTHWISE_CONV_2D":
        return 4 * _BLOCK * prod(weights[1:-1]) + window + 64
    return 4 * _up(window, 16) + 64


_KERNELS: dict[str, tuple[str, Callable[[Graph, Op], int]]] = {
    "cmsis_nn": ("CMSIS-NN", _cmsis_nn),
    "esp_nn": ("ESP-NN", _esp_nn),
}


def _kernels(board: Board) -> tuple[str, Callable[[Graph, Op], int]]:
    name = board.build.facts.get("tflm_kernels")
    if not isinstance(name, str) or name not in _KERNELS:
        raise ProjectError(
            f"'{board.path}': build.facts.tflm_kernels must name the kernel library of its TensorFlow Lite "
            f"Micro: one of {listed(_KERNELS)}"
        )
    return _KERNELS[name]
