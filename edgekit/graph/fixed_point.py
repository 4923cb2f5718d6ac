"""The only rounding code on the host: how TFLite turns real multipliers into integers, and back.

Two requantisations exist in LiteRT's reference kernels, and every operator says which one it uses:

- twice: gemmlowp's. The product with a Q31 multiplier is rounded to 32 bits (ties up), then shifted right
  with a second rounding (ties away from zero). Convolutions, ADD, MEAN and SOFTMAX.
- once: LiteRT's FULLY_CONNECTED computes `round(accumulator * scale)` in float64, ties away from zero.
  `fit_once` finds the integer multiplier that gives the same answer for every accumulator that can occur.

Everything here is exact: Python integers, or float64 operations that LiteRT performs in the same order.
"""

import math
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

INT32_MAX = (1 << 31) - 1
INT8_MIN, INT8_MAX = -128, 127

SOFTMAX_INTEGER_BITS = 5
"""Integer bits of the scaled difference from the maximum: SOFTMAX works on Q5.26."""


def quantize_multiplier(real: float) -> tuple[int, int]:
    """Return (multiplier, shift) with real ~= multiplier * 2**(shift - 31), as TFLite's QuantizeMultiplier.

    The multiplier is 0 or in 2**30 .. 2**31 - 1. Values below 2**-32 become (0, 0).

    Raises:
        ValueError: `real` is negative, not finite, or 2**31 and above.
    """
    if not (math.isfinite(real) and real >= 0):
        raise ValueError(f"the multiplier {real} is not a finite number >= 0")
    if real == 0.0:
        return 0, 0
    fraction, shift = math.frexp(real)
    multiplier = math.floor(fraction * (1 << 31) + 0.5)
    if multiplier == 1 << 31:
        multiplier //= 2
        shift += 1
    if shift < -31:
        return 0, 0
    if shift > 31:
        raise ValueError(f"the multiplier {real} is 2**31 or above")
    return multiplier, shift


def high_multiply(a: int, b: int) -> int:
    """Return a * b / 2**31 rounded to the nearest integer, ties up (saturating, doubling, high half)."""
    return min((a * b + (1 << 30)) >> 31, INT32_MAX)


def rounding_shift(value: int, exponent: int) -> int:
    """Return value / 2**exponent rounded to the nearest integer, ties away from zero."""
    half = (1 << exponent) >> 1
    return (value + half) >> exponent if value >= 0 else -((-value + half) >> exponent)


def requantize_twice(value: int, multiplier: int, shift: int) -> int:
    """Return value * multiplier * 2**(shift - 31), rounded as gemmlowp does; a left shift wraps."""
    left, right = max(shift, 0), max(-shift, 0)
    return rounding_shift(high_multiply(_wrap(value << left), multiplier), right)


def requantize_once(value: int, multiplier: int, shift: int) -> int:
    """Return value * multiplier / 2**shift rounded to the nearest integer, ties away from zero."""
    return rounding_shift(value * multiplier, shift)


def _wrap(value: int) -> int:
    return (value + (1 << 31)) % (1 << 32) - (1 << 31)


ONCE_BITS = 62
"""Bits of a multiplier of `fit_once`: two words of 31, so that C needs two 32x32-bit products."""


def fit_once(real: float, limit: int, largest: int) -> tuple[int, int]:
    """Return (multiplier, shift) with which `requantize_once` equals LiteRT's float64 rounding.

    For every |value| <= limit the result is that of `round(value * real)` in float64, or both are at least
    `largest` in magnitude (where the activation's range cuts them off anyway). Both functions only step up at
    `largest` places, so checking those is a proof.

    Args:
        real: the real multiplier, above 0.
        limit: the largest magnitude of an accumulator that can occur, below 2**31.
        largest: the largest magnitude of a result that still matters, 1 .. 511.

    Returns:
        The multiplier, below 2**62, and the shift, 32 .. 93.

    Raises:
        ValueError: `real` is not a finite number above 0 and below 2**30, the largest product does not fit
            31 bits, or no multiplier gives the same answers (float64's own rounding meets ties of a scale
            such as 1/6).
    """
    if not (math.isfinite(real) and real > 0):
        raise ValueError(f"the multiplier {real} is not a finite number above 0")
    if max(limit, 1) * real > INT32_MAX - 1024:
        raise ValueError(f"the multiplier {real} times an accumulator of {limit} exceeds 31 bits")
    _, exponent = math.frexp(real)
    shift = min(ONCE_BITS - exponent, 93)
    if shift < 32:  # below 32, nothing would be left to shift by behind the first word
        raise ValueError(f"the multiplier {real} is 2**30 or above")
    low, high = 0, (1 << ONCE_BITS) - 1
    for step, first in enumerate(_first_values(real, largest), start=1):
        tie = (2 * step - 1) << (shift - 1)  # step - 1/2, in units of 2**-shift
        if first <= limit:
            low = max(low, -(-tie // first))
        below = min(first - 1, limit)
        if below > 0:
            high = min(high, -(-tie // below) - 1)
        if first > limit:
            break
    if low > high:
        raise ValueError(f"no integer multiplier rounds as {real} does in float64")
    return min(max(math.floor(math.ldexp(real, shift) + 0.5), low), high), shift


def _first_values(real: float, largest: int) -> list[int]:
    """Return for each result 1..largest the smallest value whose float64 product rounds to it or above."""
    ties = np.arange(1, largest + 1, dtype=np.float64) - 0.5
    first = np.maximum(np.floor(ties / real) - 2, 0)
    for _ in range(6):
        first = np.where(first * real >= ties, first, first + 1)
    return [int(value) for value in first]


def activation_range(name: str, scale: float, zero_point: int) -> tuple[int, int]:
    """Return the int8 bounds of a fused activation: NONE, RELU, RELU6 or RELU_N1_TO_1.

    TFLite divides in float32 and rounds ties away from zero. Raises ValueError for another activation.
    """

    def quantized(real: np.float32) -> int:
        with np.errstate(over="ignore"):
            steps = real / np.float32(scale)
        if not abs(steps) <= INT32_MAX:
            raise ValueError(f"the fused activation {name} does not fit the output's scale {scale}")
        return zero_point + round_half_away(float(steps))

    match name:
        case "NONE":
            return INT8_MIN, INT8_MAX
        case "RELU":
            return max(INT8_MIN, zero_point), INT8_MAX
        case "RELU6":
            return max(INT8_MIN, zero_point), min(INT8_MAX, quantized(np.float32(6)))
        case "RELU_N1_TO_1":
            return max(INT8_MIN, quantized(np.float32(-1))), min(INT8_MAX, quantized(np.float32(1)))
    raise ValueError(f"the fused activation {name} is not supported")


def round_half_away(real: float) -> int:
    """Return the nearest integer, ties away from zero, as C's `round`. Exact for every finite float."""
    whole = math.floor(abs(real))
    whole += abs(real) - whole >= 0.5
    return whole if real >= 0 else -whole


def mean_multiplier(real: float, count: int) -> tuple[int, int]:
    """Return (multiplier, shift) for `real * sum / count`, as LiteRT's reference MEAN folds 1 / count in."""
    multiplier, shift = quantize_multiplier(real)
    extra = min(count.bit_length() - 1, 32, 31 + shift)
    return (multiplier << extra) // count, shift - extra


def softmax_scaling(beta: float, scale: float) -> tuple[int, int, int]:
    """Return (multiplier, left shift, smallest difference that counts) of an int8 SOFTMAX's input.

    Raises ValueError if beta * scale is too small: TFLite needs beta * scale * 2**26 > 1.
    """
    fraction_bits = 31 - SOFTMAX_INTEGER_BITS
    real = min(beta * scale * (1 << fraction_bits), float(INT32_MAX))
    if not real > 1.0:
        raise ValueError(f"beta * scale = {beta * scale} is not above 2**-{fraction_bits}")
    multiplier, left = quantize_multiplier(real)
    whole = (1 << SOFTMAX_INTEGER_BITS) - 1
    radius = math.floor(whole * (1 << fraction_bits) / (1 << left))
    return multiplier, left, -radius


def softmax_table(beta: float, scale: float) -> NDArray[np.int32]:
    """Return exp(-d * beta * scale) in Q0.31 for the differences d = 0, 1, ... from the row's maximum.

    Differences beyond the table contribute nothing and give the smallest output. At most 256 entries.
    """
    multiplier, left, smallest = softmax_scaling(beta, scale)
    count = min(-smallest, 255) + 1
    return np.array(
        [exp_on_negative(high_multiply(_wrap(-d << left), multiplier)) for d in range(count)], np.int32
    )


def exp_on_negative(value: int) -> int:
    """Return exp(value) in Q0.31 for a Q5.26 value <= 0, by gemmlowp's algorithm, bit for bit.

    A quarter-wide interval by a polynomial of degree 4, then one constant factor per set bit above it.
    """
    if value == 0:
        return INT32_MAX
    fraction_bits = 31 - SOFTMAX_INTEGER_BITS
    quarter = 1 << (fraction_bits - 2)
    rest = (value & (quarter - 1)) - quarter  # in -1/4 .. 0
    result = _exp_near_zero(rest << SOFTMAX_INTEGER_BITS)
    remainder = rest - value
    for exponent, factor in _EXP_FACTORS:
        if remainder & (1 << (fraction_bits + exponent)):
            result = high_multiply(result, factor)
    return result


_EXP_FACTORS: Sequence[tuple[int, int]] = tuple(
    (exponent, round_half_away(math.exp(-(2.0**exponent)) * (1 << 31))) for exponent in range(-2, 5)
)
"""exp(-2**exponent) in Q0.31."""


def _exp_near_zero(value: int) -> int:
    """Return exp(value) in Q0.31 for a Q0.31 value in [-1/4, 0): Taylor around -1/8."""
    eighth = round_half_away(math.exp(-0.125) * (1 << 31))
    third = round_half_away((1 << 31) / 3)
    x = value + (1 << 28)
    x2 = high_multiply(x, x)
    x3 = high_multiply(x2, x)
    x4 = high_multiply(x2, x2)
    tail = rounding_shift(high_multiply(rounding_shift(x4, 2) + x3, third) + x2, 1)
    return eighth + high_multiply(eighth, x + tail)
