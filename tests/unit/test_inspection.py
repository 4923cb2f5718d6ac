"""The figures of a model, also of one that cannot be run."""

import json
from collections.abc import Callable
from pathlib import Path

import small_models
from tflite_builder import Value, build

from edgekit import board as boards
from edgekit import contract
from edgekit.codegen import budget
from edgekit.codegen.generator import generate
from edgekit.graph import tflite
from edgekit.inspection import of_operators, of_steps


def test_a_classifier() -> None:
    graph = tflite.parse(small_models.classifier(), "small")
    generated = generate(graph, contract.of(graph))
    found = of_steps(
        graph, generated.steps, generated.plan, [budget.estimate(generated, boards.load("host"))]
    )
    data = json.loads(json.dumps(found.to_dict()))
    assert data["arena_bytes"] == generated.plan.arena_bytes
    assert data["weight_bytes"] == generated.weight_bytes
    assert data["macs"] == generated.macs
    assert data["ops"] == {
        "ADD": 1,
        "AVERAGE_POOL_2D": 1,
        "CONV_2D": 2,
        "FULLY_CONNECTED": 1,
        "RESHAPE": 1,
        "SOFTMAX": 1,
    }
    first = data["layers"][0]
    assert (first["kind"], first["inputs"], first["output"]) == ("CONV_2D", [[1, 8, 8, 3]], [1, 8, 8, 4])
    assert first["macs"] == 8 * 8 * 4 * 3 * 3 * 3
    assert data["peak"]["bytes"] == max(layer["live_bytes"] for layer in data["layers"])
    assert data["peak"]["step"] == found.peak_step
    assert [entry["board"] for entry in data["boards"]] == ["host"]
    assert data["problem"] is None
    assert data["input"] == {"shape": [1, 8, 8, 3], "dtype": "int8"}


def test_resnet8(anchor: Callable[[str], Path]) -> None:
    graph = tflite.read(anchor("ic01_resnet8_int8"))
    generated = generate(graph, contract.of(graph))
    found = of_steps(graph, generated.steps, generated.plan)
    assert found.macs == 12_501_632
    assert found.arena_bytes == generated.plan.arena_bytes
    # The first block: two activations of 32x32x16 and the one that the shortcut keeps.
    assert [live.bytes for live in found.peak][:3] == [16384] * 3


def test_a_float_model() -> None:
    values = [Value((1, 4), "float32"), Value((1, 4), "float32")]
    graph = tflite.parse(build("TANH", values[:1], values[1:]), "float")
    data = json.loads(json.dumps(of_operators(graph, "there is no kernel").to_dict()))
    assert (data["arena_bytes"], data["peak"], data["problem"]) == (None, None, "there is no kernel")
    assert data["ops"] == {"TANH": 1}
    assert data["input"]["dtype"] == "float32"
