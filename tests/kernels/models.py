"""Random one-operator models: shapes, padding, quantisation, and the corners of requantisation."""

from dataclasses import dataclass
from typing import Any

import numpy as np
from tflite_builder import Value, build

Rng = np.random.Generator


@dataclass(frozen=True)
class Filters:
    """Weights and everything that scales them."""

    weights: np.ndarray[Any, Any]
    scales: list[float]
    axis: int
    bias: np.ndarray[Any, Any]
    in_scale: float
    out_scale: float


ACTIVATIONS = ("NONE", "NONE", "RELU", "RELU6", "RELU_N1_TO_1")


def pick(rng: Rng, values: Any) -> Any:
    """Return one of the values."""
    return values[int(rng.integers(len(values)))]


def zero_point(rng: Rng) -> int:
    """Return a zero point; the extremes often."""
    return int(pick(rng, (-128, 127, 0, int(rng.integers(-128, 128)), int(rng.integers(-128, 128)))))


def scale(rng: Rng, low: float = -8, high: float = 1) -> float:
    """Return a float32 scale."""
    return float(np.float32(2.0 ** rng.uniform(low, high)))


def weights_and_scales(
    rng: Rng, shape: tuple[int, ...], axis: int, depth: int, in_scale: float
) -> tuple[np.ndarray[Any, Any], list[float], np.ndarray[Any, Any], float]:
    """Return weights, their scales, a bias, and an output scale that makes the results interesting.

    One style in three is a corner: real multipliers above 1, powers of two (which give ties), tiny ones, and
    biases that saturate.
    """
    channels = shape[axis]
    style = pick(rng, ("usual", "usual", "usual", "large", "ties", "tiny", "bias"))
    weights = rng.integers(-127, 128, shape).astype(np.int8)
    if style in ("large", "ties"):
        weights = rng.integers(-2, 3, shape).astype(np.int8)
    per_channel = bool(rng.integers(2)) and channels > 1
    count = channels if per_channel else 1
    spread = np.sqrt(depth) * 74.0 * (1.4 if style in ("large", "ties") else 74.0)
    target = 60.0 / spread  # the real multiplier that fills the output's range
    match style:
        case "large":
            target = float(2.0 ** rng.uniform(-1, 5))
        case "tiny":
            target *= 2.0 ** -float(rng.integers(8, 24))
    bound = int(spread * 2)
    if style == "bias":
        bound = (1 << 31) - 1 - 2 * depth * 255 * 127
    if style == "tiny":
        bound = min(int(100 / target), 1 << 30)
    bias = rng.integers(-bound, bound + 1, channels)
    out_scale = scale(rng)
    reals = target * 2.0 ** rng.uniform(-1.5, 1.5, count)
    if style == "ties":
        out_scale = in_scale / 2
        reals = 2.0 ** np.round(np.log2(reals))
    scales = [float(np.float32(real * out_scale / in_scale)) for real in reals]
    return weights, scales, bias, out_scale


def same_size(size: int, stride: int) -> int:
    """Return the output size with SAME padding."""
    return -(-size // stride)


def valid_size(size: int, filter_size: int, stride: int, dilation: int) -> int:
    """Return the output size with VALID padding."""
    return (size - (filter_size - 1) * dilation - 1) // stride + 1


def geometry(rng: Rng, *, dilate: bool = True) -> dict[str, Any]:
    """Return a random image, filter, stride, dilation and padding that fit together."""
    kernel = (int(pick(rng, (1, 1, 2, 3, 3, 5))), int(pick(rng, (1, 1, 2, 3, 3, 4))))
    if rng.random() < 0.2:
        kernel = (1, 1)
    stride = (int(pick(rng, (1, 1, 2, 3))), int(pick(rng, (1, 1, 2, 3))))
    dilation = (1, 1)
    if dilate and rng.random() < 0.25:
        dilation = (int(pick(rng, (1, 2, 3))), int(pick(rng, (1, 2, 3))))
    padding = pick(rng, ("SAME", "SAME", "VALID"))
    low = [(k - 1) * d + 1 if padding == "VALID" else 1 for k, d in zip(kernel, dilation, strict=True)]
    size = tuple(int(rng.integers(minimum, minimum + 9)) for minimum in low)
    output = tuple(
        same_size(size[i], stride[i])
        if padding == "SAME"
        else valid_size(size[i], kernel[i], stride[i], dilation[i])
        for i in (0, 1)
    )
    options = {"padding": padding, "stride_h": stride[0], "stride_w": stride[1]}
    if dilate:
        options |= {"dilation_h_factor": dilation[0], "dilation_w_factor": dilation[1]}
    return {"kernel": kernel, "size": size, "output": output, "options": options}


def conv_2d(rng: Rng) -> bytes:
    """Return a CONV_2D: any geometry, sometimes grouped; LiteRT's needs a bias."""
    shape = geometry(rng)
    groups = int(pick(rng, (1, 1, 1, 1, 2, 3)))
    per_group = int(rng.integers(1, 20 if groups == 1 else 6))
    channels = int(rng.integers(1, 13 if groups == 1 else 5)) * groups
    batches = int(pick(rng, (1, 1, 1, 2)))
    depth = shape["kernel"][0] * shape["kernel"][1] * per_group
    in_scale = 0.5 if rng.random() < 0.5 else scale(rng)
    weights, scales, bias, out_scale = weights_and_scales(
        rng, (channels, *shape["kernel"], per_group), 0, depth, in_scale
    )
    filters = Filters(weights, scales, 0, bias, in_scale, out_scale)
    return _convolution(rng, "CONV_2D", shape, (batches, per_group * groups), filters)


def deep_conv_2d(rng: Rng) -> bytes:
    """Return a CONV_2D with sums as large as they can be: filters of one pixel, weights of one sign."""
    depth = int(pick(rng, (1, 7, 8, 247, 248, 249, 255, 256, 496, 504, 1000)))
    channels, width = int(rng.integers(1, 4)), int(rng.integers(1, 4))
    sign = np.where(rng.integers(2, size=channels) == 0, 1, -1)[:, None, None, None]
    return build(
        "CONV_2D",
        [
            Value((1, 1, width, depth), scales=[0.5], zero_points=[zero_point(rng)]),
            Value(
                (channels, 1, 1, depth), scales=[1.0], zero_points=[0], data=np.full((1, depth), 127) * sign
            ),
            Value((channels,), "int32", scales=[0.5], zero_points=[0], data=rng.integers(-9, 9, channels)),
        ],
        [Value((1, 1, width, channels), scales=[depth * 80.0], zero_points=[0])],
        {"padding": "VALID", "stride_h": 1, "stride_w": 1},
    )


def depthwise_conv_2d(rng: Rng) -> bytes:
    """Return a DEPTHWISE_CONV_2D of any depth multiplier."""
    shape = geometry(rng)
    in_channels = int(rng.integers(1, 14))
    multiplier = int(pick(rng, (1, 1, 1, 2, 3, 8)))
    channels = in_channels * multiplier
    batches = int(pick(rng, (1, 1, 1, 2)))
    depth = shape["kernel"][0] * shape["kernel"][1]
    in_scale = 0.5 if rng.random() < 0.5 else scale(rng)
    weights, scales, bias, out_scale = weights_and_scales(
        rng, (1, *shape["kernel"], channels), 3, depth, in_scale
    )
    shape["options"]["depth_multiplier"] = multiplier
    filters = Filters(weights, scales, 3, bias, in_scale, out_scale)
    return _convolution(rng, "DEPTHWISE_CONV_2D", shape, (batches, in_channels), filters)


def _convolution(
    rng: Rng, kind: str, shape: dict[str, Any], sizes: tuple[int, int], filters: Filters
) -> bytes:
    batches, in_channels = sizes
    channels = filters.weights.shape[filters.axis]
    scales, zeros = filters.scales, [0] * len(filters.scales)
    source = (batches, *shape["size"], in_channels)
    bias_scales = [filters.in_scale * value for value in scales]
    return build(
        kind,
        [
            Value(source, scales=[filters.in_scale], zero_points=[zero_point(rng)]),
            Value(filters.weights.shape, "int8", scales, zeros, filters.axis, filters.weights),
            Value((channels,), "int32", bias_scales, zeros, data=filters.bias),
        ],
        [
            Value(
                (batches, *shape["output"], channels),
                scales=[filters.out_scale],
                zero_points=[zero_point(rng)],
            )
        ],
        shape["options"] | {"fused_activation_function": pick(rng, ACTIVATIONS)},
    )


def fully_connected(rng: Rng) -> bytes:
    """Return a FULLY_CONNECTED, per tensor or per channel."""
    depth, channels = int(rng.integers(1, 70)), int(rng.integers(1, 14))
    batches = int(pick(rng, (1, 1, 3)))
    in_scale = 0.5 if rng.random() < 0.5 else scale(rng)
    weights, scales, bias, out_scale = weights_and_scales(rng, (channels, depth), 0, depth, in_scale)
    zeros = [0] * len(scales)
    keep = bool(rng.integers(2)) and batches > 1
    bias_value = Value(
        (channels,), "int32", scales=[in_scale * s for s in scales], zero_points=zeros, data=bias
    )
    shape = (1, batches, depth) if keep else (batches, depth)
    return build(
        "FULLY_CONNECTED",
        [
            Value(shape, scales=[in_scale], zero_points=[zero_point(rng)]),
            Value(weights.shape, scales=scales, zero_points=zeros, data=weights),
            bias_value if rng.random() < 0.85 else None,
        ],
        [Value((*shape[:-1], channels), scales=[out_scale], zero_points=[zero_point(rng)])],
        {"fused_activation_function": pick(rng, ACTIVATIONS), "keep_num_dims": keep},
    )
