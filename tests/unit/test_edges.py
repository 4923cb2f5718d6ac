"""Float32 and uint8 edges come off, and the oracle takes and gives the int8 values inside."""

from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from tflite_builder import Node, Value, build_graph

from edgekit.errors import ModelError
from edgekit.graph import tflite
from edgekit.graph.edges import int8_core
from edgekit.oracle import Oracle

SHAPE = (1, 4, 64)
CORE: dict[str, Any] = {"scales": [0.037], "zero_points": [-5]}
EDGES = {
    "float32": Value(SHAPE, "float32"),
    "uint8": Value(SHAPE, "uint8", scales=[0.037], zero_points=[123]),
    "another uint8": Value(SHAPE, "uint8", scales=[0.05], zero_points=[123]),
}


def model(first: Value, last: Value) -> bytes:
    """Return edge, RELU, edge."""
    ends = "DEQUANTIZE" if last.dtype == "float32" else "QUANTIZE"
    values = [first, Value(SHAPE, **CORE), Value(SHAPE, **CORE), last]
    nodes = [
        Node("QUANTIZE", [0], [1], version=1),
        Node("RELU", [1], [2], version=1),
        Node(ends, [2], [3], version=1),
    ]
    return build_graph(values, nodes, [0], [3])


@pytest.mark.parametrize("first", ["float32", "uint8"])
@pytest.mark.parametrize("last", ["float32", "uint8"])
def test_edges_come_off_without_loss(first: str, last: str) -> None:
    content = model(EDGES[first], EDGES[last])
    core = int8_core(tflite.parse(content))
    assert (core.inputs, core.outputs, [op.kind for op in core.ops]) == ((1,), (2,), ["RELU"])
    frame = np.arange(-128, 128).astype(np.int8).reshape(1, 4, 64)
    assert Oracle(content).run(frame).reshape(-1).tolist() == [max(v, -5) for v in range(-128, 128)]


def test_an_edge_that_rescales_stays() -> None:
    core = int8_core(tflite.parse(model(EDGES["another uint8"], EDGES["float32"])))
    assert [op.kind for op in core.ops] == ["QUANTIZE", "RELU"]
    with pytest.raises(ModelError, match="one int8 input"):
        Oracle(model(EDGES["another uint8"], EDGES["float32"]))


def test_a_model_of_edges_alone_stays() -> None:
    values = [EDGES["float32"], Value(SHAPE, **CORE)]
    graph = tflite.parse(build_graph(values, [Node("QUANTIZE", [0], [1], version=1)], [0], [1]))
    assert int8_core(graph) == graph


def test_an_output_that_is_named_twice_comes_off_once() -> None:
    graph = tflite.parse(model(EDGES["float32"], EDGES["float32"]))
    twice = int8_core(replace(graph, outputs=(3, 3)))
    assert (twice.outputs, [op.kind for op in twice.ops]) == ((2, 2), ["RELU"])


def test_two_outputs_of_one_tensor_come_off_both() -> None:
    values = [EDGES["float32"], Value(SHAPE, **CORE), Value(SHAPE, **CORE), *[EDGES["float32"]] * 2]
    nodes = [
        Node("QUANTIZE", [0], [1], version=1),
        Node("RELU", [1], [2], version=1),
        Node("DEQUANTIZE", [2], [3], version=1),
        Node("DEQUANTIZE", [2], [4], version=1),
    ]
    core = int8_core(tflite.parse(build_graph(values, nodes, [0], [3, 4])))
    assert (core.outputs, [op.kind for op in core.ops]) == ((2, 2), ["RELU"])
