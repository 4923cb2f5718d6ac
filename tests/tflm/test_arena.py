"""The arena: measured by tflite-micro's own interpreter, with a margin for the board's kernels."""

from collections.abc import Callable
from pathlib import Path

import pytest
import small_models
import tflm_models
from tflite_builder import Value, build

from edgekit import board, tflite_micro
from edgekit.board import Board
from edgekit.codegen import tflm_arena, tflm_plan, tflm_scratch
from edgekit.errors import ModelError, ProjectError
from edgekit.graph import tflite
from edgekit.graph.ir import DType, Graph, Op, Tensor

SMALL = {
    "classifier": small_models.classifier(),
    "convolutional": tflm_models.convolutional(middle="L2_NORMALIZATION"),
    "strided": tflm_models.convolutional(stride=2),
    "dense": tflm_models.dense(),
}


def on_tflm(board_id: str) -> Board:
    return board.choose(board.load(board_id), runtime="tflm")


@pytest.mark.parametrize("name", SMALL)
def test_our_plan_is_the_interpreters(name: str) -> None:
    graph = tflite.parse(SMALL[name])
    measured = tflite_micro.measure(SMALL[name], graph)
    assert tflm_plan.head_bytes(graph, [0] * len(graph.ops)) == measured.head
    assert measured.total == measured.head + measured.tail


@pytest.mark.parametrize(
    ("name", "head", "espressif"),
    [("ic01_resnet8_int8", 49_152, 112_880), ("vww01_mobilenetv1_025_96_int8", 73_728, 144_912)],
)
def test_public_models(anchor: Callable[[str], Path], name: str, head: int, espressif: int) -> None:
    data = anchor(name).read_bytes()
    graph = tflite.parse(data)
    measured = tflite_micro.measure(data, graph)
    assert measured.head == head == tflm_plan.head_bytes(graph, [0] * len(graph.ops))
    # What the interpreter keeps beside the tensors changes with its release, by little.
    arena = tflm_arena.measured(data, graph, on_tflm("esp32s3_eye"))
    assert arena.bytes == pytest.approx(espressif, abs=1024)
    assert arena.bytes >= arena.reference + arena.margin
    assert arena.bytes % 16 == 0


def test_the_same_on_every_run() -> None:
    graph = tflite.parse(SMALL["classifier"])
    found = set()
    for _ in range(3):
        tflite_micro._tried.cache_clear()
        found.add(tflite_micro.measure(SMALL["classifier"], graph))
    assert len(found) == 1


def test_scratch_adds_what_the_plan_grows_by() -> None:
    graph = tflite.parse(SMALL["classifier"])
    without = tflm_plan.head_bytes(graph, [0] * len(graph.ops))
    # Less than what is free beside the last, small tensors costs nothing.
    assert tflm_plan.head_bytes(graph, [0] * (len(graph.ops) - 1) + [without // 2]) == without
    assert tflm_plan.head_bytes(graph, [0] * (len(graph.ops) - 1) + [10_000]) >= 10_000


def test_a_model_that_the_interpreter_refuses() -> None:
    data = tflm_models.one("GELU")
    with pytest.raises(ModelError, match=r"tflite-micro cannot run the model: .*GELU"):
        tflite_micro.measure(data, tflite.parse(data))


def test_a_model_that_ends_the_interpreters_process() -> None:
    # Its kernel for FLOOR knows float alone, and says so only when it runs.
    data = tflm_models.one("FLOOR")
    with pytest.raises(ModelError, match=r"tflite-micro cannot run the model: .*FLOAT32"):
        tflite_micro.measure(data, tflite.parse(data))


def test_a_model_of_absurd_size_is_refused() -> None:
    data = build(
        "RELU",
        inputs=[Value((1, 1 << 30), scales=(0.1,), zero_points=(0,))],
        outputs=[Value((1, 1 << 30), scales=(0.1,), zero_points=(0,))],
    )
    with pytest.raises(ModelError, match=r"tflite-micro cannot run the model: .*failed to allocate"):
        tflite_micro.measure(data, tflite.parse(data))


def layer(
    kind: str, source: tuple[int, ...], weights: tuple[int, ...], made: tuple[int, ...], stride: int
) -> int:
    tensors = tuple(Tensor(i, "", shape, DType.INT8) for i, shape in enumerate((source, weights, made)))
    op = Op(0, kind, 1, (0, 1), (2,), {"stride_h": stride, "stride_w": stride})
    return tflm_scratch.esp_nn(Graph("", tensors, (op,), (0,), (2,)), op)


@pytest.mark.parametrize(
    ("kind", "source", "weights", "made", "stride", "asked"),
    [
        # What ESP-NN 1.2.3's own functions return.
        ("CONV_2D", (1, 8, 8, 64), (64, 3, 3, 64), (1, 8, 8, 64), 1, 86_848),
        ("CONV_2D", (1, 32, 32, 3), (16, 3, 3, 3), (1, 32, 32, 16), 1, 704),
        ("CONV_2D", (1, 48, 48, 8), (16, 1, 1, 8), (1, 48, 48, 16), 1, 320),
        ("DEPTHWISE_CONV_2D", (1, 48, 48, 8), (1, 3, 3, 8), (1, 48, 48, 8), 1, 37_040),
        ("DEPTHWISE_CONV_2D", (1, 1, 14, 24), (1, 3, 3, 24), (1, 1, 14, 24), 1, 3_680),
    ],
)
def test_esp_nn_is_given_no_less_than_it_asks_for(
    kind: str,
    source: tuple[int, ...],
    weights: tuple[int, ...],
    made: tuple[int, ...],
    stride: int,
    asked: int,
) -> None:
    assert layer(kind, source, weights, made, stride) >= asked


def test_a_board_must_name_its_kernels() -> None:
    graph = tflite.parse(SMALL["classifier"])
    with pytest.raises(ProjectError, match="tflm_kernels must name the kernel library"):
        tflm_arena.measured(SMALL["classifier"], graph, board.load("host"))
