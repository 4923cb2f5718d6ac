"""Unary int8 operators as tables: what LiteRT's reference kernels give for each of the 256 inputs.

Every function returns the outputs int8[256] for the inputs -128, ..., 127. A table is the whole operator, so
that comparing it with the reference on all inputs is a proof for that quantisation (tests/kernels does).

Three arithmetics occur, each LiteRT's own: integers with two roundings (`rescaled`, `leaky`,
`inverse_square_root`), 16-bit fixed point (`hard_swish`), and float32 rounded once (`from_float`).
"""

import math
from collections.abc import Callable, Iterable

import numpy as np
from numpy.typing import NDArray

from edgekit.graph import fixed_point
from edgekit.graph.ir import Quantization

Table = NDArray[np.int8]

_INPUTS = range(fixed_point.INT8_MIN, fixed_point.INT8_MAX + 1)


def rescaled(source: Quantization, target: Quantization, low: int = -128, high: int = 127) -> Table:
    """Return QUANTIZE from int8 to int8, or a RELU with the bounds `low` and `high`.

    Raises:
        ValueError: the ratio of the scales is out of range.
    """
    scaling = fixed_point.quantize_multiplier(source.scale / target.scale)
    values = (fixed_point.requantize_twice(q - source.zero_point, *scaling) for q in _INPUTS)
    return _table(values, target.zero_point, low, high)


def through_float(source: Quantization, target: Quantization) -> Table:
    """Return DEQUANTIZE to float32, then QUANTIZE."""

    def value(q: int) -> int:
        real = np.float32(source.scale) * np.float32(q - source.zero_point)
        scaled = float(real / np.float32(target.scale))
        return fixed_point.round_half_away(min(max(scaled, -1024.0), 1024.0))

    return _table(map(value, _INPUTS), target.zero_point)


def leaky(source: Quantization, target: Quantization, alpha: float) -> Table:
    """Return LEAKY_RELU: values below zero are multiplied by `alpha`.

    Raises:
        ValueError: a ratio of scales is out of range.
    """
    above = fixed_point.quantize_multiplier(source.scale / target.scale)
    below = fixed_point.quantize_multiplier(abs(source.scale * alpha / target.scale))
    sign = -1 if alpha < 0 else 1

    def value(x: int) -> int:
        if x >= 0:
            return fixed_point.requantize_twice(x, *above)
        return sign * fixed_point.requantize_twice(x, *below)

    return _table((value(q - source.zero_point) for q in _INPUTS), target.zero_point)


def from_float(source: Quantization, target: Quantization, function: Callable[[float], float]) -> Table:
    """Return a table that LiteRT computes in float32 when it prepares the operator.

    `function` takes and returns values that float32 holds exactly; it rounds on its way as LiteRT does.
    """
    inverse = np.float32(1) / np.float32(target.scale)

    def value(q: int) -> int:
        real = np.float32(source.scale) * np.float32(q - source.zero_point)
        scaled = float(np.float32(function(float(real))) * inverse)
        # Beyond the range of int8 it does not matter by how much.
        return fixed_point.round_half_away(min(max(scaled, -1024.0), 1024.0))

    with np.errstate(over="ignore"):
        return _table(map(value, _INPUTS), target.zero_point)


def logistic(real: float) -> float:
    """Return 1 / (1 + exp(-real)), each operation rounded to float32."""
    exponential = np.float32(math.exp(-real)) if real > -88.0 else np.float32(np.inf)
    return float(np.float32(1) / (np.float32(1) + exponential))


def tanh(real: float) -> float:
    """Return tanh(real) rounded to float32."""
    return float(np.float32(math.tanh(real)))


def gelu(real: float) -> float:
    """Return real / 2 * (1 + erf(real / sqrt(2))), each operation rounded to float32."""
    x = np.float32(real)
    inner = np.float32(math.erf(float(x * np.float32(math.sqrt(0.5)))))
    return float(np.float32(0.5) * x * (np.float32(1) + inner))


def gelu_approximate(real: float) -> float:
    """Return real / 2 * (1 + tanh(sqrt(2 / pi) * (real + 0.044715 real^3))), each operation in float32."""
    x = np.float32(real)
    factor = np.float32(2 / math.sqrt(math.pi) * math.sqrt(0.5))
    with np.errstate(over="ignore"):
        inner = factor * (x + np.float32(0.044715) * x * x * x)
    return float(np.float32(0.5) * x * (np.float32(1) + np.float32(math.tanh(float(inner)))))


def hard_swish(source: Quantization, target: Quantization) -> Table:
    """Return HARD_SWISH, x * min(max(x + 3, 0), 6) / 6, in LiteRT's 16-bit fixed point.

    Raises:
        ValueError: the output's scale is so small that LiteRT refuses it.
    """
    fine = np.float32(source.scale) * np.float32(1 / 128)
    output, output_shift = fixed_point.quantize_multiplier(float(fine / np.float32(target.scale)))
    gate, gate_shift = fixed_point.quantize_multiplier(float(fine / np.float32(3 / 32768)))
    if output_shift > 0:
        raise ValueError(f"its output's scale {target.scale:g} is too small for inputs of {source.scale:g}")
    output, gate = _to_16_bits(output), _to_16_bits(gate)

    def value(x: int) -> int:
        wide = _wrap_16(x << 7)
        scaled = _high_multiply_16(wide, output)
        opened = _gate(wide, gate, gate_shift)
        product = _truncate(opened * scaled)
        return _wrap_16(_rounding_shift_16(product, -output_shift))

    return _table((value(_wrap_16(q - source.zero_point)) for q in _INPUTS), target.zero_point)


def _gate(wide: int, multiplier: int, shift: int) -> int:
    """Return min(max(x + 3, 0), 6) / 6 in Q0.15 of a value x times 128; saturates as it shifts left."""
    if shift > 0:
        wide = _saturate_16(wide << (shift - 1))
    wide = _high_multiply_16(wide, multiplier)
    if shift > 0:
        wide = _saturate_16(wide << 1)
    if shift < 0:
        wide = _rounding_shift_16(wide, -shift)
    return (wide + (1 << 15)) >> 1


def inverse_square_root(source: Quantization, target: Quantization) -> Table:
    """Return RSQRT. Inputs below zero, which LiteRT refuses as it runs, give the output's largest value.

    Raises:
        ValueError: the scales are out of range.
    """
    real = np.float32(1) / (np.sqrt(np.float32(source.scale)) * np.float32(target.scale))
    multiplier, shift = fixed_point.quantize_multiplier(float(real))
    if shift < _ROOT_BITS - 31:
        raise ValueError(f"its output's scale {target.scale:g} is too large for inputs of {source.scale:g}")

    def value(x: int) -> int:
        if x <= 0:
            return 2 * fixed_point.INT8_MAX + 1  # zero is taken for something small
        root, root_shift = _inverse_square_root(x)
        wide = fixed_point.requantize_twice(1, root, root_shift + _ROOT_BITS)
        return fixed_point.requantize_twice(wide, multiplier, shift - _ROOT_BITS)

    return _table((value(q - source.zero_point) for q in _INPUTS), target.zero_point)


_ROOT_BITS = 20


def _inverse_square_root(value: int) -> tuple[int, int]:
    """Return (multiplier, shift) of 1 / sqrt(value), in five Newton steps on Q3.28, as TFLite does."""
    if value <= 1:
        return fixed_point.INT32_MAX, 0
    pairs = (31 - value.bit_length()) // 2 - 1
    shift = 11 - pairs
    scaled = (value << (2 * pairs)) >> 1
    half = fixed_point.rounding_shift(scaled, 1)
    three_halves = (1 << 28) + (1 << 27)
    root = 1 << 28
    multiply = fixed_point.high_multiply
    for _ in range(5):
        cube = multiply(multiply(root, root), root) << 6
        root = (multiply(three_halves, root) - multiply(half, cube)) << 3
    root = multiply(root, 1518500250)  # sqrt(2) / 2 in Q0.31
    return (root << -shift, 0) if shift < 0 else (root, -shift)


def _table(values: Iterable[int], zero_point: int, low: int = -128, high: int = 127) -> Table:
    return np.array([min(max(value + zero_point, low), high) for value in values], np.int8)


def _to_16_bits(multiplier: int) -> int:
    return min((multiplier + (1 << 15)) >> 16, (1 << 15) - 1)


def _high_multiply_16(a: int, b: int) -> int:
    """Return a * b / 2**15 to the nearest integer, as gemmlowp: truncated after adding a half of its sign."""
    product = a * b
    return _truncate(product + ((1 << 14) if product >= 0 else 1 - (1 << 14)))


def _rounding_shift_16(value: int, exponent: int) -> int:
    """Return value / 2**exponent as gemmlowp on 16 bits: from 16 on, only the sign is left, 1 or -1."""
    if exponent < 16:
        return fixed_point.rounding_shift(value, exponent)
    return 1 if value >= 0 else -1


def _truncate(product: int) -> int:
    """Return product / 2**15 rounded towards zero."""
    return product >> 15 if product >= 0 else -(-product >> 15)


def _wrap_16(value: int) -> int:
    return (value + (1 << 15)) % (1 << 16) - (1 << 15)


def _saturate_16(value: int) -> int:
    return min(max(value, -(1 << 15)), (1 << 15) - 1)
