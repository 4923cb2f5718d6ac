"""Unary operators: models whose one frame holds every int8 value, so that a comparison is a proof."""

import numpy as np
from kernels.models import Rng, pick, scale, zero_point
from tflite_builder import Value, build

SHAPE = (2, 8, 16)
"""256 elements."""


def every_input(source_zero_point: int | None = None) -> np.ndarray:
    """Return all int8 values in SHAPE; those below a zero point are replaced by it."""
    values = np.arange(-128, 128)
    if source_zero_point is not None:
        values = np.maximum(values, source_zero_point)
    return values.astype(np.int8).reshape(SHAPE)


def _build(rng: Rng, kind: str, out: tuple[float, int] | None = None, **options: object) -> bytes:
    in_scale = scale(rng, *pick(rng, ((-8, 1), (-8, 1), (-14, -6), (0, 4))))
    free = (float(np.float32(in_scale * 2.0 ** rng.uniform(-2, 3))), zero_point(rng))
    out_scale, out_zero_point = free if out is None else out
    return build(
        kind,
        [Value(SHAPE, scales=[in_scale], zero_points=[zero_point(rng)])],
        [Value(SHAPE, scales=[out_scale], zero_points=[out_zero_point])],
        options,
        version=1,
    )


def relu(rng: Rng) -> bytes:
    """Return a RELU."""
    return _build(rng, "RELU")


def relu6(rng: Rng) -> bytes:
    """Return a RELU6."""
    return _build(rng, "RELU6")


def relu_n1_to_1(rng: Rng) -> bytes:
    """Return a RELU_N1_TO_1."""
    return _build(rng, "RELU_N1_TO_1")


def relu_0_to_1(rng: Rng) -> bytes:
    """Return a RELU_0_TO_1."""
    return _build(rng, "RELU_0_TO_1")


def leaky_relu(rng: Rng) -> bytes:
    """Return a LEAKY_RELU, with slopes above 1 and below 0 among them."""
    alpha = float(pick(rng, (0.1, 0.01, 0.0, float(rng.uniform(-0.5, 1.5)))))
    return _build(rng, "LEAKY_RELU", alpha=alpha)


def hard_swish(rng: Rng) -> bytes:
    """Return a HARD_SWISH."""
    return _build(rng, "HARD_SWISH")


def logistic(rng: Rng) -> bytes:
    """Return a LOGISTIC."""
    return _build(rng, "LOGISTIC", (1 / 256, -128))


def tanh(rng: Rng) -> bytes:
    """Return a TANH."""
    return _build(rng, "TANH", (1 / 128, 0))


def gelu(rng: Rng) -> bytes:
    """Return a GELU, exact or approximate."""
    return _build(rng, "GELU", approximate=bool(rng.integers(2)))


def quantize(rng: Rng) -> bytes:
    """Return a QUANTIZE from int8 to int8."""
    return _build(rng, "QUANTIZE")


def rsqrt(rng: Rng) -> bytes:
    """Return an RSQRT."""
    return _build(rng, "RSQRT")
