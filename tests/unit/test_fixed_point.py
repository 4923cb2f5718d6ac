"""Fixed point against exact rationals, and against the float64 arithmetic that LiteRT does."""

import math
from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from edgekit.graph import fixed_point as fp

INT32 = st.integers(-(1 << 31), (1 << 31) - 1)
SCALES = st.floats(2.0**-20, 2.0**4, width=32, allow_subnormal=False)


def nearest(value: Fraction, *, ties_up: bool) -> int:
    """Return the nearest integer; ties up or away from zero."""
    if ties_up or value >= 0:
        return math.floor(value + Fraction(1, 2))
    return -math.floor(-value + Fraction(1, 2))


@given(st.floats(2.0**-31, 2.0**30))
def test_a_multiplier_is_within_half_a_unit(real: float) -> None:
    multiplier, shift = fp.quantize_multiplier(real)
    assert 1 << 30 <= multiplier < 1 << 31
    assert abs(Fraction(multiplier) - Fraction(real) * Fraction(2) ** (31 - shift)) <= Fraction(1, 2)


@pytest.mark.parametrize(
    ("real", "expected"),
    [
        (0.0, (0, 0)),
        (1.0, (1 << 30, 1)),
        (0.5, (1 << 30, 0)),
        (1 - 2.0**-40, (1 << 30, 1)),  # rounds up to 2**31, which does not fit
        (2.0**-32, (1 << 30, -31)),
        (2.0**-33, (0, 0)),
        (2.0**-34, (0, 0)),
    ],
)
def test_corners_of_a_multiplier(real: float, expected: tuple[int, int]) -> None:
    assert fp.quantize_multiplier(real) == expected


@pytest.mark.parametrize("real", [-1.0, math.nan, math.inf, 2.0**31])
def test_impossible_multipliers_are_refused(real: float) -> None:
    with pytest.raises(ValueError, match="multiplier"):
        fp.quantize_multiplier(real)


@given(INT32, st.integers(1 << 30, (1 << 31) - 1), st.integers(-31, 0))
def test_twice_rounds_twice(value: int, multiplier: int, shift: int) -> None:
    high = nearest(Fraction(value * multiplier, 1 << 31), ties_up=True)
    expected = nearest(Fraction(high, 1 << -shift), ties_up=False)
    assert fp.requantize_twice(value, multiplier, shift) == expected


@given(st.integers(-(1 << 20), 1 << 20), st.integers(1 << 30, (1 << 31) - 1), st.integers(1, 10))
def test_twice_shifts_left_first(value: int, multiplier: int, shift: int) -> None:
    expected = nearest(Fraction((value << shift) * multiplier, 1 << 31), ties_up=True)
    assert fp.requantize_twice(value, multiplier, shift) == expected


@given(SCALES, SCALES, SCALES, st.integers(1, 1 << 24), st.data())
def test_once_equals_float64(a: float, b: float, c: float, limit: int, data: st.DataObject) -> None:
    real = a * b / c
    if max(limit, 1) * real > fp.INT32_MAX - 1024:
        return
    try:
        multiplier, shift = fp.fit_once(real, limit, 256)
    except ValueError as error:  # scales such as 1/3 are the only ones: see below
        assert "float64" in str(error)
        return
    steps = data.draw(st.lists(st.integers(0, 300), max_size=20))
    values = {min(limit, max(0, int((step + 0.5) / real) + near)) for step in steps for near in (-1, 0, 1, 2)}
    for value in values | {limit}:
        expected = fp.round_half_away(value * real)
        found = fp.requantize_once(value, multiplier, shift)
        assert found == expected or min(found, expected) >= 256
        assert fp.requantize_once(-value, multiplier, shift) == -found


def test_once_fits_every_ordinary_scale() -> None:
    rng = np.random.default_rng(0)
    for exponent in range(-30, 3):
        a, b, c = (float(np.float32(v)) for v in rng.uniform(0.5, 1, 3))
        fp.fit_once(a * b / c * 2.0**exponent, 1 << 26, 256)


@pytest.mark.parametrize("real", [0.1, 0.3, 1 / 7])
def test_once_knows_ties_that_float64_makes(real: float) -> None:
    multiplier, shift = fp.fit_once(real, 100, 256)
    for value in range(101):
        assert fp.requantize_once(value, multiplier, shift) == fp.round_half_away(value * real)


def test_once_refuses_what_no_integer_does() -> None:
    with pytest.raises(ValueError, match="float64"):
        fp.fit_once(0.7, 1000, 256)


@pytest.mark.parametrize("real", [0.0, -1.0, math.nan, math.inf])
def test_once_refuses_impossible_multipliers(real: float) -> None:
    with pytest.raises(ValueError, match="multiplier"):
        fp.fit_once(real, 100, 256)


def test_once_leaves_a_shift_for_the_second_word() -> None:
    assert fp.fit_once(2.0**30 - 1, 0, 256)[1] == 32
    for real in (2.0**30, 2.0**31 - 2048):
        with pytest.raises(ValueError, match="above"):
            fp.fit_once(real, 0, 256)


def test_once_refuses_results_beyond_31_bits() -> None:
    with pytest.raises(ValueError, match="31 bits"):
        fp.fit_once(1000.0, 1 << 30, 256)


@pytest.mark.parametrize(
    ("name", "zero_point", "expected"),
    [
        ("NONE", 5, (-128, 127)),
        ("RELU", -128, (-128, 127)),
        ("RELU", 5, (5, 127)),
        ("RELU6", -10, (-10, 50)),
        ("RELU6", 100, (100, 127)),
        ("RELU_N1_TO_1", 3, (-7, 13)),
    ],
)
def test_activation_ranges(name: str, zero_point: int, expected: tuple[int, int]) -> None:
    assert fp.activation_range(name, 0.1, zero_point) == expected


@pytest.mark.filterwarnings("error")
@pytest.mark.parametrize("scale", [1e-38, 1e-12])
def test_activations_beyond_32_bits_are_refused(scale: float) -> None:
    with pytest.raises(ValueError, match="RELU6"):
        fp.activation_range("RELU6", scale, 0)


def test_other_activations_are_refused() -> None:
    with pytest.raises(ValueError, match="TANH"):
        fp.activation_range("TANH", 0.1, 0)


@given(st.integers(-(1 << 31), 0))
def test_exp_is_close_to_the_truth(raw: int) -> None:
    exact = math.exp(raw / (1 << 26))
    assert abs(fp.exp_on_negative(raw) / (1 << 31) - exact) < 3e-7


@given(st.floats(2.0**-12, 2.0**4), st.sampled_from([0.5, 1.0, 2.0]))
def test_softmax_table_falls(scale: float, beta: float) -> None:
    table = fp.softmax_table(beta, scale)
    assert table[0] == fp.INT32_MAX
    assert 1 <= len(table) <= 256
    assert (np.diff(table.astype(np.int64)) <= 0).all()


@given(st.floats(2.0**-10, 2.0**10), st.integers(1, 1 << 20), st.integers(-(1 << 22), 1 << 22))
def test_mean_is_within_one(real: float, count: int, total: int) -> None:
    multiplier, shift = fp.mean_multiplier(real, count)
    exact = Fraction(total) * Fraction(real) / count
    if shift <= 0 and abs(exact) < 1 << 20:
        assert abs(fp.requantize_twice(total, multiplier, shift) - exact) <= 1
