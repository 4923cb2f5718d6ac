"""Unary operators: every input of every model, bit for bit against LiteRT's BUILTIN_REF."""

import zlib
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from kernels import runner, unary
from tflite_builder import Value, build

from edgekit.errors import UnsupportedOpError
from edgekit.graph import tflite

CASES: dict[str, Callable[[np.random.Generator], bytes]] = {
    "RELU": unary.relu,
    "RELU6": unary.relu6,
    "RELU_N1_TO_1": unary.relu_n1_to_1,
    "RELU_0_TO_1": unary.relu_0_to_1,
    "LEAKY_RELU": unary.leaky_relu,
    "HARD_SWISH": unary.hard_swish,
    "LOGISTIC": unary.logistic,
    "TANH": unary.tanh,
    "GELU": unary.gelu,
    "QUANTIZE": unary.quantize,
    "RSQRT": unary.rsqrt,
}
COUNT = 100


@pytest.mark.parametrize("kind", CASES)
def test_table_equals_reference(kind: str, tmp_path: Path) -> None:
    rng = np.random.default_rng(zlib.crc32(kind.encode()))
    cases: list[runner.Case] = []
    for _ in range(COUNT):
        model = CASES[kind](rng)
        graph = tflite.parse(model)
        quantization = graph.tensor(graph.inputs[0]).quantization
        assert quantization is not None
        # LiteRT ends a run of RSQRT at a value below zero.
        least = quantization.zero_point if kind == "RSQRT" else None
        cases.append(runner.Case(model, [[unary.every_input(least)]], ""))
    assert runner.compare(cases, tmp_path) == []


def test_what_is_refused_is_refused_by_the_reference() -> None:
    source, target = (
        Value(unary.SHAPE, scales=[4.0], zero_points=[0]),
        Value(unary.SHAPE, scales=[0.01], zero_points=[0]),
    )
    model = build("HARD_SWISH", [source], [target], version=1)
    with pytest.raises(UnsupportedOpError, match=r"output's scale 0\.01"):
        runner.lower(model)
    with pytest.raises(RuntimeError):
        runner.reference(runner.Case(model, [[unary.every_input()]], ""))
