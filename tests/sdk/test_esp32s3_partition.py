"""The flash partition of a model on an ESP32-S3: its place in the table, and the port that maps it."""

import ctypes
from dataclasses import replace
from pathlib import Path

import esp32s3
import pytest
import small_models
import tflm_models
from link_simulator.device import compiler

from edgekit import board as boards
from edgekit import contract, models, pipeline, process, resources
from edgekit.codegen import tflm
from edgekit.codegen.generator import GeneratedModel
from edgekit.errors import DoesNotFitError, ProjectError
from edgekit.firmware import build, manifest
from edgekit.firmware.families import esp32s3 as family
from edgekit.firmware.options import Firmware
from edgekit.firmware.protocols.mlperf_tiny import MlperfTiny
from edgekit.graph import tflite

UNIT = 0x10000
TEMPLATES = resources.firmware_templates()


def generated(stored: bool = True) -> GeneratedModel:
    data = tflm_models.convolutional()
    graph = tflite.parse(data)
    board = boards.choose(boards.load("xiao_esp32s3"), runtime="tflm")
    return tflm.generate(data, graph, contract.of(graph), board, stored=stored)


@pytest.fixture
def model(tmp_path: Path) -> models.Model:
    (tmp_path / "small.tflite").write_bytes(small_models.classifier())
    return models.load_model(tmp_path / "small.tflite")


@pytest.fixture(scope="module")
def port(tmp_path_factory: pytest.TempPathFactory) -> ctypes.CDLL:
    out = tmp_path_factory.mktemp("partition") / "port.so"
    sources = [
        TEMPLATES / "esp32s3_model" / "main" / "stored_model.c",
        esp32s3.DECLARATIONS / "partition_peer.c",
    ]
    flags = [*build.LANGUAGE, "-Wall", "-Wextra", "-Werror", "-O1", "-shared", "-fPIC"]
    flags += [f"-I{esp32s3.DECLARATIONS / 'include'}", f"-I{TEMPLATES / 'stored_model'}"]
    process.run([*compiler(), *flags, *map(str, sources), "-o", str(out)])
    c = ctypes.CDLL(str(out))
    c.peer_partition.argtypes = [ctypes.c_bool, ctypes.c_bool, ctypes.c_uint32, ctypes.c_size_t]
    c.peer_partition.restype = c.ek_port_model.restype = ctypes.c_void_p
    return c


def test_the_partition_is_shown_whole(port: ctypes.CDLL) -> None:
    size = ctypes.c_size_t(99)
    place = port.peer_partition(False, False, 3 * UNIT, 0)
    assert port.ek_port_model(ctypes.byref(size)) == place
    assert size.value == 3 * UNIT


@pytest.mark.parametrize(
    "script", [(True, False, UNIT, 0), (False, True, UNIT, 0), (False, False, 0, 0), (False, False, UNIT, 8)]
)
def test_no_partition_none_that_can_be_mapped_or_a_crooked_place(
    port: ctypes.CDLL, script: tuple[bool, bool, int, int]
) -> None:
    port.peer_partition(*script)
    assert port.ek_port_model(ctypes.byref(ctypes.c_size_t())) is None


@pytest.mark.parametrize("name", esp32s3.IDS)
def test_every_board_keeps_the_model_apart(name: str, model: models.Model, tmp_path: Path) -> None:
    board = boards.choose(boards.load(name), runtime="tflm")
    pipeline.generate_project(model, board, tmp_path / "out")
    found = manifest.read(tmp_path / "out")
    assert found is not None
    assert {"model/model.bin", "main/stored_model.c"} <= set(found.files)
    rows = (tmp_path / "out" / "partitions.csv").read_text().splitlines()
    assert rows[-1].startswith("model,data,0x40,")
    packed = (tmp_path / "out" / "model" / "model.bin").read_bytes()
    assert packed.endswith(model.data)
    assert len(packed) <= int(rows[-1].split(",")[4], 16)


def test_only_tflm_with_our_own_protocol_and_only_where_the_board_says_so(
    model: models.Model, tmp_path: Path
) -> None:
    xiao = boards.load("xiao_esp32s3")
    facts = {key: value for key, value in xiao.build.facts.items() if key != "model_partition"}
    without = replace(xiao, build=replace(xiao.build, facts=facts))
    refused = replace(xiao, build=replace(xiao.build, facts=facts | {"model_partition": False}))
    assert family.read(xiao).model_partition
    pipeline.generate_project(model, xiao, tmp_path / "0")
    tflm_board = boards.choose(xiao, runtime="tflm")
    pipeline.generate_project(model, tflm_board, tmp_path / "1", Firmware(MlperfTiny("ic01")))
    for number, board in enumerate((without, refused), 2):
        pipeline.generate_project(model, boards.choose(board, runtime="tflm"), tmp_path / str(number))
    for number in range(4):
        found = manifest.read(tmp_path / str(number))
        assert found is not None
        assert not [name for name in found.files if "stored_model" in name or name.endswith(".bin")]
        assert ("model/model_data.c" in found.files) == (number > 0)
        assert "model," not in (tmp_path / str(number) / "partitions.csv").read_text()


def test_a_fact_that_is_neither_true_nor_false() -> None:
    board = boards.load("xiao_esp32s3")
    facts = dict(board.build.facts) | {"model_partition": 1}
    with pytest.raises(ProjectError, match="model_partition is '1'; it must be true or false"):
        family.read(replace(board, build=replace(board.build, facts=facts)))


def test_the_model_leaves_the_application_and_has_room_of_its_own() -> None:
    board = boards.load("xiao_esp32s3")
    inside = replace(generated(stored=False), weight_bytes=2_000_000)
    apart = replace(generated(), weight_bytes=2_000_000, stored_bytes=2_000_144)
    (*_, whole), (*_, app, part) = (family.partitions(one, board, 8 << 20) for one in (inside, apart))
    assert (app.kind, part.kind, part.name) == ("app", "data", "model")
    assert app.size + 2_000_000 <= whole.size
    assert part.offset == app.offset + app.size
    assert part.offset % UNIT == part.size % UNIT == 0
    # A quarter more, for a later model of about the same size.
    assert 2_500_000 <= part.size < 2_500_000 + 2 * UNIT


def test_without_room_for_a_quarter_more_there_is_what_is_needed() -> None:
    model, board = generated(), boards.load("xiao_esp32s3")
    limit = board.memory.flash_bytes // UNIT * UNIT
    most = limit - -(-(family.SDK_BYTES + model.table_bytes) // UNIT) * UNIT
    for stored in (most - UNIT, most - 1, most):
        *_, app, part = family.partitions(replace(model, stored_bytes=stored), board, 8 << 20)
        assert app.size >= family.SDK_BYTES + model.table_bytes
        assert part.size >= stored
        assert app.size + part.size <= limit
    with pytest.raises(DoesNotFitError, match=rf"in a partition of its own {most + 1:,}"):
        family.partitions(replace(model, stored_bytes=most + 1), board, 8 << 20)
