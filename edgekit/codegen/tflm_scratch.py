"""The scratch buffers that kernel libraries of TensorFlow Lite Micro ask for: never less than they do.

The figures follow the libraries' own functions, get_*_scratch_size_esp32s3 of ESP-NN 1.2 and
*_get_buffer_size_mve of CMSIS-NN 7.0, rounded up where that is simpler.
"""

from collections.abc import Callable
from dataclasses import dataclass
from math import prod

from edgekit.graph.ir import Graph, Op

_WEIGHTED = ("CONV_2D", "DEPTHWISE_CONV_2D", "FULLY_CONNECTED")
_BLOCK = 128
"""CMSIS-NN takes the channels of a depthwise convolution by 124."""


@dataclass(frozen=True, slots=True)
class Library:
    """A library of kernels; `scratch` returns the bytes that it asks for to run an operator."""

    name: str
    scratch: Callable[[Graph, Op], int]


@dataclass(frozen=True, slots=True)
class _Window:
    """A two-dimensional convolution, by its sizes."""

    pixels: int
    """Of the input."""
    padded: int
    """Of the input with all padding that the outputs reach."""
    padded_twice: int
    """The same with twice the padding."""
    pads: bool
    """Whether there is padding before the first row or column."""
    rows: int
    columns: int
    channels: int
    made: int
    """Channels of the output."""
    outputs: int
    """Pixels of the output."""
    stride: int

    @property
    def taps(self) -> int:
        """Pixels of the filter."""
        return self.rows * self.columns


def weights_shape(graph: Graph, op: Op) -> tuple[int, ...]:
    """Return the shape of a convolution's or a dense layer's weights, of other operators ()."""
    if op.kind not in _WEIGHTED or len(op.inputs) < 2 or op.inputs[1] < 0:
        return ()
    return graph.tensor(op.inputs[1]).shape


def esp_nn(graph: Graph, op: Op) -> int:
    """Return no less than ESP-NN asks for on an ESP32-S3."""
    if op.kind == "SOFTMAX":
        return 4 * _last(graph, op)
    window = _window(graph, op)
    if window is None:
        return 0
    return _esp_nn_depthwise(window) if op.kind == "DEPTHWISE_CONV_2D" else _esp_nn_conv(window)


def _esp_nn_conv(w: _Window) -> int:
    if w.taps == 1 and w.stride == 1 and not w.pads:
        vectors = _up(w.channels, 8)
        copy = w.pixels * vectors if w.channels % 8 else 0
        return copy + vectors * w.made + 16 * vectors + 64
    # Two copies of the weights in whole vectors, and one or two of the input with its padding.
    weights = w.taps * _up(w.channels, 16) * w.made
    copies = (2 if w.pads else 1) * w.padded * w.channels
    return 2 * weights + copies + 4 * w.made + 192


def _esp_nn_depthwise(w: _Window) -> int:
    if w.made != w.channels:
        return 2 * (w.taps * w.made + w.pixels * w.channels) + 32
    if w.taps == 9 and w.rows == 3 and w.channels >= 12 and w.channels % 8 == 0:
        vectors = _up(w.channels, 16)
        if w.channels % 16:
            return (9 + w.padded_twice + w.outputs) * vectors + 64
        return (9 + w.padded) * vectors + 64
    # 16-bit copies of weights and input, the results, and three words for each channel.
    vectors = _up(w.channels, 8)
    return 2 * (w.taps + w.pixels) * vectors + w.outputs * vectors + 12 * vectors + 96


def cmsis_nn(graph: Graph, op: Op) -> int:
    """Return no less than CMSIS-NN asks for with Helium.

    Four windows of the input in whole vectors, of all channels or of a block of them, the weights of a
    depthwise convolution whose input has one channel, and 32 bits of sum for each output of a dense layer.
    """
    weights = weights_shape(graph, op)
    if op.kind == "AVERAGE_POOL_2D":
        return 4 * _last(graph, op) + 64
    if not weights:
        return 0
    if op.kind == "FULLY_CONNECTED":
        return 4 * weights[0] + 64
    taps = prod(weights[1:-1])
    if op.kind == "DEPTHWISE_CONV_2D":
        return 4 * _BLOCK * taps + taps * weights[-1] + 64
    # Of all channels of the input, also where each group reads but some.
    return 4 * _up(taps * _last(graph, op), 16) + 64


LIBRARIES = {"cmsis_nn": Library("CMSIS-NN", cmsis_nn), "esp_nn": Library("ESP-NN", esp_nn)}
"""By the name that board files use: build.facts.tflm_kernels."""


def _window(graph: Graph, op: Op) -> _Window | None:
    if op.kind not in ("CONV_2D", "DEPTHWISE_CONV_2D") or not op.outputs:
        return None
    shapes = (graph.tensor(op.inputs[0]).shape, weights_shape(graph, op), graph.tensor(op.outputs[0]).shape)
    if any(len(shape) != 4 for shape in shapes):
        return None
    (_, height, width, channels), (_, rows, columns, _), (_, down, across, made) = shapes
    vertical = max(_reach(op, "h", down, rows) - height, 0)
    horizontal = max(_reach(op, "w", across, columns) - width, 0)
    strides = (_option(op, "stride_h"), _option(op, "stride_w"))
    return _Window(
        pixels=height * width,
        padded=(height + vertical) * (width + horizontal),
        padded_twice=(height + 2 * vertical) * (width + 2 * horizontal),
        # Half of what is missing stands before the first row, the odd one after the last.
        pads=vertical - strides[0] + 1 > 1 or horizontal - strides[1] + 1 > 1,
        rows=rows,
        columns=columns,
        channels=channels,
        made=made,
        outputs=down * across,
        stride=max(strides),
    )


def _reach(op: Op, axis: str, outputs: int, taps: int) -> int:
    """Return how many rows or columns the outputs reach over, as ESP-NN reckons: with a whole last stride."""
    return outputs * _option(op, f"stride_{axis}") + (taps - 1) * _option(op, f"dilation_{axis}_factor")


def _option(op: Op, name: str) -> int:
    value = op.options.get(name, 1)
    return value if isinstance(value, int) and value > 0 else 1


def _last(graph: Graph, op: Op) -> int:
    """Return the last dimension of the operator's first input."""
    return (graph.tensor(op.inputs[0]).shape or (1,))[-1]


def _up(value: int, to: int) -> int:
    return -(-value // to) * to
