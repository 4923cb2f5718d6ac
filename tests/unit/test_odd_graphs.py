"""Graphs that the format allows and converters rarely write, against the oracle, every step."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from generated_c import check_against_oracle, made
from tflite_builder import Node, Value, build_graph

RNG = np.random.default_rng(9)
CONV: Mapping[str, Any] = {"padding": "VALID", "stride_h": 1, "stride_w": 1}


def act(*shape: int, zero_point: int = -5) -> Value:
    return Value(shape, scales=(0.25,), zero_points=(zero_point,))


def ints(values: Any) -> Value:
    return Value(np.shape(values), "int32", data=np.array(values))


def weights(*shape: int) -> Value:
    return Value(shape, scales=(0.01,), zero_points=(0,), data=RNG.integers(-127, 128, shape))


VALUES = [
    act(1, 4, 4, 2),  # 0
    ints([[0, 0], [1, 2], [0, 1], [0, 0]]),
    act(1, 7, 5, 2),  # 2
    weights(2, 3, 3, 2),
    ints([0, 0]),
    act(1, 5, 3, 2),  # 5
    act(1, 5, 3, 2, zero_point=9),
    act(1, 5, 3, 2, zero_point=127),  # 7
    act(1, 4, 4, 2, zero_point=3),
    ints([1, 2, 16]),
    act(1, 2, 16),  # 10
    weights(2, 1, 1, 2),
    act(1, 4, 4, 2, zero_point=-128),  # 12
    act(1, 4, 4, 2, zero_point=40),
]
PAD, FIRST = Node("PAD", (0, 1), (2,)), Node("CONV_2D", (2, 3, 4), (5,), CONV)
TWICE, VIEW = Node("ADD", (0, 0), (8,)), Node("RESHAPE", (0, 9), (10,))
POINTWISE = Node("CONV_2D", (8, 11, 4), (12,), CONV)

GRAPHS: dict[str, tuple[list[Node], int]] = {
    "padding in front of one convolution": ([PAD, FIRST], 5),
    "padding that two convolutions read": (
        [PAD, FIRST, Node("CONV_2D", (2, 3, 4), (6,), CONV), Node("ADD", (5, 6), (7,))],
        7,
    ),
    "padding that is the output": ([PAD, FIRST], 2),
    "padding far in front of its convolution": ([PAD, TWICE, POINTWISE, FIRST], 5),
    "an input that is read twice and then again": ([TWICE, Node("ADD", (8, 0), (12,))], 12),
    "an output that later steps read": ([TWICE, POINTWISE, Node("ADD", (12, 8), (13,))], 8),
    "an output that later steps could overwrite": ([TWICE, POINTWISE], 8),
    "an input that is the output": ([TWICE, POINTWISE], 0),
    "a view of the input that is the output": ([VIEW, TWICE, POINTWISE], 10),
    "nothing but a view": ([VIEW], 10),
    "a step that nothing reads": ([TWICE, POINTWISE, Node("ADD", (0, 0), (13,))], 12),
}


def model(name: str) -> bytes:
    nodes, output = GRAPHS[name]
    return build_graph(VALUES, nodes, [0], [output])


@pytest.mark.parametrize("name", GRAPHS)
def test_odd_graphs_equal_the_oracle(name: str, tmp_path: Path) -> None:
    check_against_oracle(model(name), tmp_path, 10)


def test_only_padding_of_one_convolution_is_folded() -> None:
    folded = {name for name, (nodes, _) in GRAPHS.items() if len(made(model(name)).steps) < len(nodes)}
    assert folded == {"padding in front of one convolution", "padding far in front of its convolution"}
