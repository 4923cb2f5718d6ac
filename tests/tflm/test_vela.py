"""Vela, run from its package with Himax's settings; what it leaves to the processor; what overflows."""

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest
import tflm_models

from edgekit import board, contract, models, pipeline
from edgekit.board import Board
from edgekit.codegen import tflm, vela
from edgekit.errors import DoesNotFitError, ProjectError, UnsupportedOpError
from edgekit.graph import tflite
from edgekit.graph.digest import model_digest
from edgekit.toml_table import FactValue

GROVE = board.choose(board.load("grove_vision_ai_v2"), runtime="tflm")


def with_facts(**facts: FactValue) -> Board:
    return replace(GROVE, build=replace(GROVE.build, facts={**GROVE.build.facts, **facts}))


def compiled(data: bytes, target: Board = GROVE) -> vela.Compiled:
    return vela.compile_model(data, tflite.parse(data), target)


def test_a_whole_net_on_the_npu() -> None:
    made = compiled(tflm_models.convolutional())
    assert made.on_npu == {"AVERAGE_POOL_2D": 1, "CONV_2D": 1, "FULLY_CONNECTED": 1, "RESHAPE": 1}
    assert made.on_cpu == {}
    assert made.reasons == ()
    assert [op.kind for op in made.graph.ops] == ["CUSTOM:ethos-u"]
    assert made.accelerator == "ethos-u55-64"
    assert made.cycles > 0
    assert made.inference_ms == pytest.approx(made.cycles / 400e6 * 1e3, rel=1e-3)
    assert made.to_dict()["estimate"]["by"] == "Vela"


def test_what_is_left_to_the_processor_is_named_with_the_reason() -> None:
    made = compiled(tflm_models.convolutional(middle="L2_NORMALIZATION"))
    assert made.on_cpu == {"L2_NORMALIZATION": 1}
    assert sum(made.on_npu.values()) == 4
    assert made.reasons == ("L2_NORMALIZATION 'middle': Unsupported opType",)
    assert [op.kind for op in made.graph.ops] == ["CUSTOM:ethos-u", "L2_NORMALIZATION", "CUSTOM:ethos-u"]


def test_equal_models_give_equal_bytes() -> None:
    data = tflm_models.convolutional()
    assert compiled(data) == compiled(data)
    assert compiled(data).data == compiled(data).data


def test_the_digest_stays_the_source_models() -> None:
    data = tflm_models.convolutional()
    graph = tflite.parse(data)
    made = tflm.generate(data, graph, contract.of(graph), GROVE)
    npu = compiled(data)
    assert made.report["npu"] == npu.to_dict()
    assert made.model_digest == model_digest(graph) != model_digest(npu.graph)
    assert made.weight_bytes == len(npu.data) != len(data)
    assert made.report["resolver"] == ["AddEthosU"]


def test_an_already_compiled_model_is_refused() -> None:
    data = compiled(tflm_models.convolutional()).data
    graph = tflite.parse(data)
    with pytest.raises(UnsupportedOpError, match="been through Vela already"):
        tflm.generate(data, graph, contract.of(graph), GROVE)


def test_the_public_residual_net(anchor: Callable[[str], Path]) -> None:
    data = anchor("ic01_resnet8_int8").read_bytes()
    made = compiled(data)
    assert made.on_cpu == {}
    assert sum(made.on_npu.values()) == 16
    # Vela 5.2.0 says 51,840 bytes and 510,896 cycles.
    assert made.sram_bytes == pytest.approx(51_840, rel=0.1)
    assert made.cycles == pytest.approx(510_896, rel=0.2)
    assert len(made.data) < len(data)


def test_too_much_sram_is_refused_with_both_numbers() -> None:
    with pytest.raises(DoesNotFitError, match=r"Vela places [\d,]+ bytes .* leaves them 1,000") as caught:
        compiled(tflm_models.convolutional(), with_facts(npu_sram_bytes=1000))
    assert caught.value.exit_code == 6
    assert caught.value.details["available"] == 1000


def test_a_model_larger_than_the_boards_flash_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "model.tflite"
    path.write_bytes(tflm_models.convolutional())
    model = models.load_model(path)
    small = replace(GROVE, memory=replace(GROVE.memory, flash_bytes=tflm.FLASH_BYTES))
    with pytest.raises(DoesNotFitError, match=r"bytes of flash .*interpreter 49,152"):
        pipeline.generate_model(model, small)


@pytest.mark.parametrize(
    ("key", "value"),
    [
        ("npu", "ethos-u55"),
        ("npu", 55),
        ("npu", "ethos-u55-512"),
        ("vela_system", ("axi0_port=Sram",)),
        ("vela_system", ("core_clock=0",)),
        ("vela_system", ("core_clock=400e6\n[Memory_Mode.x]",)),
        ("vela_system", ("core_clock",)),
        ("vela_memory", ()),
        ("vela_memory", "const_mem_area=Axi1"),
        ("npu_sram_bytes", "many"),
    ],
)
def test_facts_that_vela_would_misread_are_refused(key: str, value: FactValue) -> None:
    with pytest.raises(ProjectError, match=f"build.facts.{key} must be"):
        compiled(tflm_models.convolutional(), with_facts(**{key: value}))
