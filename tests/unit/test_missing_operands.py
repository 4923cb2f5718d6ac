"""Operators without an input or an output that they need: an error with words, wherever a model goes."""

from collections.abc import Iterator
from typing import Any

import model_fuzzer
import numpy as np
import pytest
import small_models
from kernels.cases import FREE, KINDS, Make
from tflite_builder import Value, build

from edgekit import ops
from edgekit.codegen import tflm_operators, tflm_plan, tflm_scratch
from edgekit.errors import EdgekitError, ModelError
from edgekit.graph import digest, tflite
from edgekit.graph.edges import int8_core
from edgekit.inspection import of_operators

ACT: dict[str, Any] = {"scales": [0.5], "zero_points": [0]}


def view(kind: str) -> Make:
    """Return what makes a model of one of the operators that cost nothing."""
    long, short = Value((1, 1, 4), **ACT), Value((1, 4), **ACT)
    operand = Value((1,), "int32", data=np.array([1])) if kind == "EXPAND_DIMS" else None
    shape = Value((2,), "int32", data=np.array([1, 4])) if kind == "RESHAPE" else None
    inputs = [long if kind != "EXPAND_DIMS" else short, *(v for v in (operand, shape) if v is not None)]
    return lambda _: build(kind, inputs, [short if kind != "EXPAND_DIMS" else long])


MAKERS: dict[str, Make] = {
    **KINDS,
    **{kind: view(kind) for kind in FREE},
}


def changed(data: bytes, number: int, operands: str, places: list[int], *, itself: bool = False) -> bytes:
    """Return a model whose operator has other inputs or outputs; `itself`: its input is its output, too."""
    import flatbuffers
    from ai_edge_litert import schema_py_generated as generated

    model = generated.ModelT.InitFromPackedBuf(data, 0)
    (graph,) = model.subgraphs
    setattr(graph.operators[number], operands, places)
    if itself:
        graph.outputs = graph.inputs
    builder = flatbuffers.Builder(1024)
    builder.Finish(model.Pack(builder), b"TFL3")
    return bytes(builder.Output())


def lacking(data: bytes) -> Iterator[bytes]:
    """Yield the model with each operator's inputs and outputs cut at every length, and each input absent.

    And the same once more with the model's input as its output, so that nothing else is wrong with it.
    """
    for number, op in enumerate(tflite.parse(data).ops):
        changes: list[tuple[str, list[int]]] = []
        for name, places in (("inputs", op.inputs), ("outputs", op.outputs)):
            changes += [(name, list(places[:length])) for length in range(len(places))]
        for place in range(len(op.inputs)):
            changes.append(("inputs", [*op.inputs[:place], -1, *op.inputs[place + 1 :]]))
        for name, places in changes:
            yield changed(data, number, name, places)
            yield changed(data, number, name, places, itself=True)


def everywhere(data: bytes) -> None:
    """Put a model through what reads one without being told by the compiler for C that it is sound."""
    graph = int8_core(tflite.parse(data))
    digest.model_digest(graph)
    of_operators(graph, "")
    for release in tflm_operators._LIBRARIES:
        tflm_operators.check(graph, release)
    for op in graph.ops:
        tflm_plan.head_bytes(graph, [tflm_scratch.esp_nn(graph, op), tflm_scratch.cmsis_nn(graph, op)])


@pytest.mark.parametrize("kind", sorted(ops.supported()))
def test_an_operand_that_is_missing_is_an_error_with_words(kind: str) -> None:
    assert MAKERS.keys() == set(ops.supported())
    refused = 0
    for data in lacking(MAKERS[kind](np.random.default_rng(4))):
        refused += model_fuzzer.run(data).endswith("Error")
        try:
            everywhere(data)
        except EdgekitError as error:
            assert error.message
    assert refused


def test_no_operator_is_read_without_an_output_or_its_first_input() -> None:
    whole = small_models.classifier()
    for number in range(len(tflite.parse(whole).ops)):
        for name, places in (("outputs", []), ("inputs", []), ("inputs", [-1])):
            with pytest.raises(ModelError, match=f"operator {number} .* has no {name[:-1]}"):
                tflite.parse(changed(whole, number, name, places))
