"""Operators that the pinned TensorFlow Lite Micro lacks are refused before anything is generated."""

import pytest
import tflm_models
from tflite_builder import Node, Value, build, build_graph

from edgekit.codegen import tflm_operators
from edgekit.errors import ProjectError, UnsupportedOpError
from edgekit.graph import schema, tflite

ESPRESSIF = tflm_operators.library("esp-tflite-micro 1.4.0")
HIMAX = tflm_operators.library("tflmtag2412_u55tag2411")


def test_every_operator_of_the_list_is_a_builtin() -> None:
    assert set(ESPRESSIF.operators) <= set(schema.BUILTINS)
    assert len(ESPRESSIF.operators) == 100
    assert set(ESPRESSIF.operators) - set(HIMAX.operators) == HIMAX.lacks


@pytest.mark.parametrize("kind", ["GELU", "RELU_0_TO_1", "TOPK_V2"])
def test_what_no_release_has_is_refused(kind: str) -> None:
    with pytest.raises(
        UnsupportedOpError, match=f"operator 0 {kind} 'y': TensorFlow Lite Micro has no kernel"
    ):
        tflm_operators.check(tflite.parse(tflm_models.one(kind)), ESPRESSIF)


def test_what_only_the_newer_release_has() -> None:
    graph = tflite.parse(tflm_models.one("REVERSE_V2"))
    tflm_operators.check(graph, ESPRESSIF)
    with pytest.raises(UnsupportedOpError, match="tflmtag2412_u55tag2411 is older than its kernel"):
        tflm_operators.check(graph, HIMAX)


def test_all_refused_operators_are_listed() -> None:
    values = [Value((1, 4), scales=(0.1,), zero_points=(0,), name=f"t{i}") for i in range(4)]
    nodes = [Node("GELU", (0,), (1,)), Node("RELU", (1,), (2,)), Node("RELU_0_TO_1", (2,), (3,))]
    graph = tflite.parse(build_graph(values, nodes, inputs=[0], outputs=[3]))
    with pytest.raises(UnsupportedOpError) as caught:
        tflm_operators.check(graph, ESPRESSIF)
    assert "cannot run 2 of the model's 3 operators" in caught.value.message
    assert "operator 0 GELU 't1'" in caught.value.message
    assert "operator 2 RELU_0_TO_1 't3'" in caught.value.message
    assert caught.value.details["operators"] == ["GELU", "RELU_0_TO_1"]
    assert caught.value.exit_code == 4
    assert "replace GELU by RELU" in caught.value.hint


def sliced(rank: int) -> bytes:
    shape = (1,) * (rank - 1) + (4,)
    ends = [Value((rank,), "int32", data=[value] * rank) for value in (0, 1, 1)]
    tensor = {"scales": (0.1,), "zero_points": (0,)}
    return build(
        "STRIDED_SLICE",
        inputs=[Value(shape, **tensor), *ends],
        outputs=[Value((1,) * rank, **tensor)],
    )


def test_slices_of_five_dimensions_are_refused() -> None:
    tflm_operators.check(tflite.parse(sliced(4)), ESPRESSIF)
    with pytest.raises(UnsupportedOpError, match="slices 5 dimensions, and at most 4"):
        tflm_operators.check(tflite.parse(sliced(5)), ESPRESSIF)


def test_an_unknown_release_is_named() -> None:
    with pytest.raises(ProjectError, match="'tflm 3' is no release") as caught:
        tflm_operators.library("tflm 3")
    assert "esp-tflite-micro 1.4.0, tflmtag2412_u55tag2411" in caught.value.hint
