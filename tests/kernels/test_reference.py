"""Portable kernels against LiteRT's BUILTIN_REF where random models alone would not see a fault.

The random models of every operator are those of test_folders.py.
"""

from pathlib import Path

import numpy as np
import pytest
from kernels import models, runner
from kernels.cases import FREE, KINDS
from tflite_builder import Node, Value, build, build_graph

from edgekit import ops
from edgekit.graph import fixed_point


def test_every_operator_is_compared() -> None:
    assert set(ops.supported()) == set(KINDS) | FREE


def convolution(wide: int) -> dict[str, str]:
    """Return the source of CONV_2D as it is on cores that can, or cannot, add 64-bit products at once."""
    source = (runner.RUNTIME / "src" / "ref" / "ek_conv_2d_s8.c").read_text()
    return {"ek_conv_2d_s8": f"#define EK_PAIR_WIDE {wide}\n{source}"}


@pytest.mark.parametrize("wide", [0, 1])
def test_both_ways_of_convolution_equal_reference(wide: int, tmp_path: Path) -> None:
    rng = np.random.default_rng(15 + wide)
    cases = [runner.case(models.conv_2d(rng), rng) for _ in range(150)]
    assert runner.compare(cases, tmp_path, convolution(wide)) == []


@pytest.mark.parametrize("wide", [0, 1])
@pytest.mark.parametrize("low", [-128, 127])
def test_the_largest_sums_of_a_convolution_equal_reference(low: int, wide: int, tmp_path: Path) -> None:
    """All products as large as they can be: the sums of a pair must not run into each other."""
    rng = np.random.default_rng(16)
    cases = []
    for _ in range(60):
        case = runner.case(models.deep_conv_2d(rng), rng)
        case.frames.append([np.full_like(case.frames[0][0], low)])
        case.frames.append([np.full_like(case.frames[0][0], low)])
        case.frames[-1][0][:, :, 1:] = -1 - low
        cases.append(case)
    assert runner.compare(cases, tmp_path, convolution(wide)) == []


def padded_convolution(rng: np.random.Generator) -> bytes:
    """Return PAD, then a CONV_2D or DEPTHWISE_CONV_2D, which become one step."""
    kind = models.pick(rng, ("CONV_2D", "DEPTHWISE_CONV_2D"))
    size, channels = [int(v) for v in rng.integers(3, 8, 2)], int(rng.integers(1, 6))
    amounts = np.zeros((4, 2), np.int32)
    amounts[1:3] = rng.integers(0, 3, (2, 2))
    padded = [s + int(a.sum()) for s, a in zip(size, amounts[1:3], strict=True)]
    stride, padding = int(rng.integers(1, 3)), models.pick(rng, ("VALID", "VALID", "SAME"))
    output = [-(-s // stride) if padding == "SAME" else (s - 3) // stride + 1 for s in padded]
    zero_point = [models.zero_point(rng)]
    shape = (channels, 3, 3, channels) if kind == "CONV_2D" else (1, 3, 3, channels)
    weights = rng.integers(-127, 128, shape).astype(np.int8)
    values = [
        Value((1, *size, channels), scales=[0.1], zero_points=zero_point),
        Value((4, 2), "int32", data=amounts),
        Value((1, *padded, channels), scales=[0.1], zero_points=zero_point),
        Value(shape, scales=[0.01], zero_points=[0], data=weights),
        Value((channels,), "int32", data=rng.integers(-1000, 1000, channels)),
        Value((1, *output, channels), scales=[0.4], zero_points=[models.zero_point(rng)]),
    ]
    options = {"padding": padding, "stride_h": stride, "stride_w": stride, "depth_multiplier": 1}
    if kind == "CONV_2D":
        del options["depth_multiplier"]
    return build_graph(values, [Node("PAD", [0, 1], [2]), Node(kind, [2, 3, 4], [5], options)], [0], [5])


def test_padding_folded_into_a_convolution_equals_reference(tmp_path: Path) -> None:
    rng = np.random.default_rng(11)
    cases = [runner.case(padded_convolution(rng), rng) for _ in range(60)]
    assert all(runner.lower(case.model).ops == (0, 1) for case in cases)
    assert runner.compare(cases, tmp_path) == []


OUT_SCALE = float(np.float32(0.7))
"""A divisor that makes the real multiplier need all bits of float64."""


def where_q31_fails(rng: np.random.Generator) -> tuple[float, int]:
    """Return a scale of weights and an accumulator that a 31-bit multiplier rounds otherwise than float64."""
    for _ in range(1000):
        scale = float(np.float32(2.0**-18 * rng.uniform(0.5, 1)))
        real = scale / OUT_SCALE
        multiplier, shift = fixed_point.quantize_multiplier(real)
        for step in range(60, 120):
            for value in (int((step + 0.5) / real), int((step + 0.5) / real) + 1):
                short = fixed_point.requantize_once(value, multiplier, 31 - shift)
                if short != fixed_point.round_half_away(value * real):
                    return scale, value
    raise AssertionError("no such scale")


def test_fully_connected_rounds_as_float64_does(tmp_path: Path) -> None:
    rng = np.random.default_rng(4)
    found = [where_q31_fails(rng) for _ in range(24)]
    scales, biases = [scale for scale, _ in found], [value for _, value in found]
    zeros = [0] * len(found)
    model = build(
        "FULLY_CONNECTED",
        [
            Value((1, 1), scales=[1.0], zero_points=[0]),
            Value((len(found), 1), scales=scales, zero_points=zeros, data=np.ones(len(found))),
            Value((len(found),), "int32", scales=scales, zero_points=zeros, data=np.array(biases)),
        ],
        [Value((1, len(found)), scales=[OUT_SCALE], zero_points=[0])],
    )
    frames = [[np.array([[value]], np.int8)] for value in (0, -1, 1)]
    assert runner.compare([runner.Case(model, frames, "")], tmp_path) == []


def where_float32_fails(rng: np.random.Generator) -> tuple[list[float], int]:
    """Return scales of input, weight and output, and an accumulator that shows how they are multiplied.

    It is so close to a tie that a float32 product of the first two scales rounds it otherwise.
    """
    ties = np.arange(20, 127) + 0.5
    while True:
        scales = (2.0 ** rng.uniform(-8, -1, (4000, 3))).astype(np.float32)
        first, second, out = scales.T.astype(np.float64)[..., None]
        exact, short = first * second / out, (scales[:, :1] * scales[:, 1:2]).astype(np.float64) / out
        values = np.round(ties / exact)
        for row, column in np.argwhere(np.floor(values * exact + 0.5) != np.floor(values * short + 0.5)):
            value = int(values[row, column])
            reals = (float(exact[row, 0]), float(short[row, 0]))
            once = {fixed_point.round_half_away(value * real) for real in reals}
            twice = {
                fixed_point.requantize_twice(value, *fixed_point.quantize_multiplier(real)) for real in reals
            }
            if len(once) == len(twice) == 2:
                return [float(scale) for scale in scales[row]], value


@pytest.mark.parametrize("kind", ["CONV_2D", "DEPTHWISE_CONV_2D", "FULLY_CONNECTED"])
def test_scales_are_multiplied_in_float64(kind: str, tmp_path: Path) -> None:
    """Random models do not see the difference: it is one rounding in a million."""
    rng = np.random.default_rng(6)
    cases = []
    for _ in range(12):
        (source, weight, target), value = where_float32_fails(rng)
        shape = (1, 1) if kind == "FULLY_CONNECTED" else (1, 1, 1, 1)
        axis = 3 if kind == "DEPTHWISE_CONV_2D" else 0
        options: dict[str, object] = {}
        if len(shape) == 4:
            options = {"padding": "VALID", "stride_h": 1, "stride_w": 1}
        if axis == 3:
            options["depth_multiplier"] = 1
        values = [
            Value(shape, scales=[source], zero_points=[0]),
            Value(shape, scales=[weight], zero_points=[0], axis=axis, data=np.ones(1)),
            Value((1,), "int32", scales=[source * weight], zero_points=[0], data=np.array([value])),
        ]
        model = build(kind, values, [Value(shape, scales=[target], zero_points=[0])], options)
        cases.append(runner.Case(model, [[np.zeros(shape, np.int8)]], ""))
    assert runner.compare(cases, tmp_path) == []
