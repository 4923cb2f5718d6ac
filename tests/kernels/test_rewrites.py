"""Rewrites of the graph: each makes the model cheaper and changes no output, step by step against LiteRT."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from generated_c import check_against_oracle
from tflite_builder import Node, Value, build_graph

from edgekit import ops
from edgekit.errors import UnsupportedOpError
from edgekit.graph import tflite
from edgekit.graph.rewrites import constants

RNG = np.random.default_rng(5)
ACT: dict[str, Any] = {"scales": [0.5], "zero_points": [-128]}
OTHER: dict[str, Any] = {"scales": [0.25], "zero_points": [3]}
VALID = {"padding": "VALID", "stride_h": 1, "stride_w": 1}
FILTER = {"filter_height": 3, "filter_width": 3}
AMOUNTS = np.array([[0, 0], [1, 2], [2, 1], [0, 0]], np.int32)


def weights(*shape: int) -> Value:
    return Value(shape, scales=[0.01], zero_points=[0], data=RNG.integers(-127, 128, shape).astype(np.int8))


def bias(size: int) -> Value:
    return Value((size,), "int32", data=RNG.integers(-500, 500, size).astype(np.int32))


def ints(*values: int) -> Value:
    return Value((len(values),), "int32", data=np.array(values, np.int32))


def classifier(values: Sequence[Value], nodes: Sequence[Node], version: int | None = None) -> bytes:
    """Return a model whose last value is flattened to scores."""
    last = values[-1]
    size = int(np.prod(last.shape))
    whole = [*values, ints(1, size), Value((1, size), scales=last.scales, zero_points=last.zero_points)]
    flat = Node("RESHAPE", [len(values) - 1, len(values)], [len(values) + 1], {"new_shape": [1, size]})
    return build_graph(whole, [*nodes, flat], [0], [len(values) + 1])


def padded_pool(kind: str, value: int, quantised: dict[str, Any], padding: str = "VALID") -> bytes:
    sizes = (1, 4, 4, 3) if padding == "VALID" else (1, 7, 7, 3)
    values = [
        Value((1, 4, 4, 3), **quantised),
        Value((4, 2), "int32", data=AMOUNTS),
        Value((), **quantised, data=np.array(value, np.int8)),
        Value((1, 7, 7, 3), **quantised),
        Value((1, 5, 5, 3) if padding == "VALID" else sizes, **quantised),
    ]
    inputs = [0, 1] if kind == "PAD" else [0, 1, 2]
    nodes = [Node(kind, inputs, [3]), Node("MAX_POOL_2D", [3], [4], {**VALID, **FILTER, "padding": padding})]
    return classifier(values, nodes)


def kinds(model: bytes) -> list[str]:
    return [step.kind for step in ops.lower(tflite.parse(model))][:-1]


def check(model: bytes, expected: list[str], folder: Path) -> None:
    assert kinds(model) == expected
    check_against_oracle(model, folder, 20)


@pytest.mark.parametrize("kind", ["PAD", "PADV2"])
def test_padding_with_the_smallest_value_disappears_into_a_max_pool(kind: str, tmp_path: Path) -> None:
    check(padded_pool(kind, -128, ACT), ["MAX_POOL_2D"], tmp_path)


@pytest.mark.parametrize(
    ("kind", "value", "quantised", "padding"),
    [("PAD", 0, OTHER, "VALID"), ("PADV2", -127, ACT, "VALID"), ("PADV2", -128, ACT, "SAME")],
)
def test_other_padding_of_a_pool_stays(
    kind: str, value: int, quantised: dict[str, Any], padding: str, tmp_path: Path
) -> None:
    check(padded_pool(kind, value, quantised, padding), [kind, "MAX_POOL_2D"], tmp_path)


def test_a_pool_that_would_see_only_padding_keeps_it(tmp_path: Path) -> None:
    amounts = np.array([[0, 0], [3, 0], [0, 0], [0, 0]], np.int32)
    values = [
        Value((1, 4, 4, 3), **ACT),
        Value((4, 2), "int32", data=amounts),
        Value((1, 7, 4, 3), **ACT),
        Value((1, 5, 2, 3), **ACT),
    ]
    nodes = [Node("PAD", [0, 1], [2]), Node("MAX_POOL_2D", [2], [3], {**VALID, **FILTER})]
    check(classifier(values, nodes), ["PAD", "MAX_POOL_2D"], tmp_path)


def convolution_and(kind: str, quantised: dict[str, Any], readers: int = 1) -> bytes:
    values = [
        Value((1, 5, 5, 2), scales=[0.1], zero_points=[4]),
        weights(4, 3, 3, 2),
        bias(4),
        Value((1, 3, 3, 4), **OTHER),
        Value((1, 3, 3, 4), **quantised),
    ]
    options = {**VALID, "fused_activation_function": "NONE"}
    nodes = [Node("CONV_2D", [0, 1, 2], [3], options), Node(kind, [3], [4], version=1)]
    if readers == 2:
        values.append(Value((1, 3, 3, 4), **OTHER))
        nodes.append(Node("ADD", [3, 4], [5], {"fused_activation_function": "NONE"}))
    return classifier(values, nodes)


@pytest.mark.parametrize("kind", ["RELU", "RELU6", "RELU_N1_TO_1"])
def test_an_activation_of_equal_scale_is_fused(kind: str, tmp_path: Path) -> None:
    check(convolution_and(kind, OTHER), ["CONV_2D"], tmp_path)


def test_another_activation_stays(tmp_path: Path) -> None:
    (tmp_path / "a").mkdir()
    (tmp_path / "b").mkdir()
    check(convolution_and("RELU", ACT), ["CONV_2D", "RELU"], tmp_path / "a")
    check(convolution_and("RELU", OTHER, readers=2), ["CONV_2D", "RELU", "ADD"], tmp_path / "b")


@pytest.mark.parametrize(("quantised", "expected"), [(ACT, ["RELU"]), (OTHER, ["QUANTIZE", "RELU"])])
def test_float_between_two_quantisations_disappears(
    quantised: dict[str, Any], expected: list[str], tmp_path: Path
) -> None:
    values = [
        Value((1, 16, 16), **ACT),
        Value((1, 16, 16), "float32"),
        Value((1, 16, 16), **quantised),
        Value((1, 16, 16), **OTHER),
    ]
    nodes = [
        Node("DEQUANTIZE", [0], [1]),
        Node("QUANTIZE", [1], [2], version=1),
        Node("RELU", [2], [3], version=1),
    ]
    check(classifier(values, nodes), expected, tmp_path)


def flattened(order: Sequence[int], flat: dict[str, Any] = ACT) -> bytes:
    shape = (1, 3, 4, 2)
    moved = tuple(shape[axis] for axis in order)
    values = [
        Value(shape, **ACT),
        ints(*order),
        Value(moved, **ACT),
        ints(1, 24),
        Value((1, 24), **flat),
        weights(5, 24),
        bias(5),
        Value((1, 5), **OTHER),
    ]
    nodes = [
        Node("TRANSPOSE", [0, 1], [2]),
        Node("RESHAPE", [2, 3], [4], {"new_shape": [1, 24]}),
        Node(
            "FULLY_CONNECTED",
            [4, 5, 6],
            [7],
            {"fused_activation_function": "RELU", "keep_num_dims": False},
        ),
    ]
    return classifier(values, nodes)


@pytest.mark.parametrize("order", [(0, 3, 1, 2), (0, 2, 1, 3), (0, 3, 2, 1)])
def test_a_flattened_transpose_moves_into_the_weights(order: Sequence[int], tmp_path: Path) -> None:
    check(flattened(order), ["FULLY_CONNECTED"], tmp_path)


def test_a_flattened_transpose_that_another_scale_is_read_by_stays() -> None:
    """LiteRT moves bytes, whatever their scales say, so the weights meet those of the last scale."""
    with pytest.raises(UnsupportedOpError, match="must be equal"):
        ops.lower(tflite.parse(flattened((0, 3, 1, 2), OTHER)))


def test_the_model_itself_keeps_its_weights() -> None:
    graph = tflite.parse(flattened((0, 3, 1, 2)))
    before = graph.tensor(5).data
    ops.lower(graph)
    assert graph.tensor(5).data == before


def test_constants_are_moved_on_the_host(tmp_path: Path) -> None:
    data = RNG.integers(-128, 128, (2, 6)).astype(np.int8)
    values = [
        Value((1, 3, 4), **ACT),
        Value((2, 6), **OTHER, data=data),
        ints(1, 4, 3),
        Value((1, 4, 3), **OTHER),
        ints(0, 2, 1),
        Value((1, 3, 4), **OTHER),
        Value((1, 3, 4), **ACT),
    ]
    nodes = [
        Node("RESHAPE", [1, 2], [3], {"new_shape": [1, 4, 3]}),
        Node("TRANSPOSE", [3, 4], [5]),
        Node("ADD", [0, 5], [6], {"fused_activation_function": "NONE"}),
    ]
    check(classifier(values, nodes), ["ADD"], tmp_path)


@pytest.mark.parametrize(
    ("kind", "operands"),
    [("RESHAPE", [ints(1, 2, 8)]), ("SLICE", [ints(0, 0, 0), ints(1, 4, 2)]), ("SQUEEZE", [])],
)
def test_constants_are_moved_as_the_operator_states_not_its_output(kind: str, operands: list[Value]) -> None:
    """LiteRT makes the shape anew, and a TRANSPOSE behind would move other elements."""
    shape = (1, 4, 4)
    values = [
        Value((1, 16, 1), **OTHER),
        Value((1, 16, 1), **OTHER, data=RNG.integers(-128, 128, (1, 16, 1))),
    ]
    values += [*operands, Value(shape, **OTHER), Value((1, 16, 1), **OTHER)]
    if kind == "SLICE":
        values[1] = Value((1, 4, 5), **OTHER, data=RNG.integers(-128, 128, (1, 4, 5)))
    made = 2 + len(operands)
    nodes = [Node(kind, range(1, made), [made]), Node("ADD", [0, made], [made + 1])]
    graph = tflite.parse(build_graph(values, nodes, [0], [made + 1]))
    assert constants.rewrite(graph).ops == graph.ops
