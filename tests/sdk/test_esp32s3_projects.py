"""The ESP-IDF projects: complete, compiled as far as it goes here, and within the board's memory."""

import re
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import esp32s3
import pytest

from edgekit import board as boards
from edgekit import contract
from edgekit.codegen import budget
from edgekit.codegen.generator import generate
from edgekit.errors import DoesNotFitError, ProjectError, UsageError
from edgekit.firmware import layout, project
from edgekit.firmware.families import esp32s3 as family
from edgekit.firmware.options import Firmware
from edgekit.firmware.protocols.mlperf_tiny import MlperfTiny
from edgekit.firmware.sdk import esp_idf

KNOWN = frozenset((esp32s3.DECLARATIONS / "kconfig_names.txt").read_text("utf-8").splitlines()[1:])
VARIANTS = [(name, False) for name in esp32s3.IDS] + [(name, True) for name in esp32s3.WITH_CAMERA]


def test_all_boards_are_here() -> None:
    assert {"xiao_esp32s3", "xiao_esp32s3_sense", "esp32s3_devkitc", "esp32s3_eye"} <= set(esp32s3.IDS)
    assert set(esp32s3.WITH_CAMERA) == {"esp32s3_eye", "xiao_esp32s3_sense"}


@pytest.mark.parametrize(("name", "camera"), VARIANTS)
def test_compiles_links_and_fits(name: str, camera: bool, tmp_path: Path) -> None:
    board = boards.load(name)
    made = esp32s3.write(board, tmp_path, Firmware(camera=camera))
    assert ("main/camera.c" in made.files) == camera
    sections = esp32s3.link_portable(board, esp32s3.compile_all(board, made, tmp_path), tmp_path)
    used = {part.region: part for part in layout.usage(sections, board)}
    assert all(part.used <= part.available for part in used.values())
    assert ".ext_ram.bss" not in {section.name for section in sections if section.bytes}
    # The estimate that decides before anything is compiled is no less than what the linker took.
    estimate = budget.estimate(esp32s3.generated_of()[1], board, camera=camera)
    assert 0 < used["dram"].used <= estimate.ram.needed <= board.memory.ram_bytes
    assert used["flash_code"].used + used["flash_data"].used <= estimate.flash.needed


@pytest.mark.parametrize("model", ["ic01_resnet8_int8", "vww01_mobilenetv1_025_96_int8"])
def test_public_models_fit_inside(model: str, anchor: Callable[[str], Path], tmp_path: Path) -> None:
    board, data = boards.load("xiao_esp32s3_sense"), anchor(model).read_bytes()
    made = esp32s3.write(board, tmp_path, Firmware(camera=True), data=data)
    sections = esp32s3.link_portable(board, esp32s3.compile_all(board, made, tmp_path), tmp_path)
    used = {part.region: part.used for part in layout.usage(sections, board)}
    assert used["dram"] <= board.memory.ram_bytes
    table = family.partitions(esp32s3.generated_of(data)[1], board, 8 << 20)
    app = next(part for part in table if part.kind == "app")
    assert used["flash_code"] + used["flash_data"] + 512 * 1024 <= app.size


@pytest.mark.parametrize("inside", [240_000, 30_000])
def test_the_mlperf_protocol_compiles_too(inside: int, tmp_path: Path) -> None:
    board = esp32s3.small_inside("xiao_esp32s3", inside)
    mlperf = Firmware(MlperfTiny("ic01"))
    made = esp32s3.write(board, tmp_path, mlperf, data=esp32s3.images())
    sections = esp32s3.link_portable(board, esp32s3.compile_all(board, made, tmp_path), tmp_path)
    outside = sum(section.bytes for section in sections if section.name == ".ext_ram.bss")
    arena = esp32s3.generated_of(esp32s3.images())[1].plan.arena_bytes
    assert (outside >= arena + 64 * 64 * 3) if inside < arena else outside == 0


@pytest.mark.parametrize("moved", [(), ("frame buffers",), ("frame buffers", "arena")])
def test_what_is_too_large_for_the_chip_lies_in_psram(moved: tuple[str, ...], tmp_path: Path) -> None:
    data = esp32s3.images()
    model = esp32s3.generated_of(data)[1]
    parts = budget.estimate(model, esp32s3.small_inside("xiao_esp32s3_sense", 1 << 20), camera=True).ram.parts
    sizes = {part.name: part.bytes for part in parts}
    # One byte less than what is inside when nothing, or only the frames, has been moved.
    inside = sum(sizes.values())
    if moved:
        inside -= 1 + (sizes["frame buffers"] if "arena" in moved else 0)
    board = esp32s3.small_inside("xiao_esp32s3_sense", inside)
    assert budget.estimate(model, board, camera=True).moved == moved
    made = esp32s3.write(board, tmp_path, Firmware(camera=True), data=data)
    config = made.files["sdkconfig.defaults"]
    assert (b"CONFIG_SPIRAM_ALLOW_BSS_SEG_EXTERNAL_MEMORY=y" in config) == bool(moved)
    sections = esp32s3.link_portable(board, esp32s3.compile_all(board, made, tmp_path), tmp_path)
    outside = sum(section.bytes for section in sections if section.name == ".ext_ram.bss")
    # The camera's frame is one more than the two that travel.
    expected = 3 * 64 * 64 * 3 * ("frame buffers" in moved) + model.plan.arena_bytes * ("arena" in moved)
    assert expected <= outside <= expected + (8 * 1024 if moved else 0)
    used = {part.region: part.used for part in layout.usage(sections, board)}
    assert used["dram"] <= inside


def test_without_psram_nothing_can_move() -> None:
    graph, model = esp32s3.generated_of(esp32s3.images())
    board = esp32s3.small_inside("esp32s3_devkitc", 60_000)
    with pytest.raises(DoesNotFitError, match="bytes of RAM"):
        budget.check(model, graph, board)
    facts = dict(board.build.facts) | {"psram": "quad", "psram_bytes": 16 * 1024}
    board = replace(board, build=replace(board.build, facts=facts))
    with pytest.raises(DoesNotFitError, match="bytes of external RAM"):
        budget.check(model, graph, board)


@pytest.mark.parametrize("name", esp32s3.IDS)
def test_settings_are_names_that_esp_idf_knows(name: str, tmp_path: Path) -> None:
    board = boards.load(name)
    text = esp32s3.write(board, tmp_path).files["sdkconfig.defaults"].decode()
    found = set(re.findall(r"CONFIG_([A-Za-z0-9_]+)", text))
    assert found - KNOWN == set()
    assert re.search(r"^CONFIG_ESP_DEFAULT_CPU_FREQ_MHZ_240=y$", text, re.MULTILINE)
    assert re.search(r"^CONFIG_COMPILER_OPTIMIZATION_PERF=y$", text, re.MULTILINE)
    for line in text.splitlines():
        assert re.fullmatch(r'|# .*|CONFIG_[A-Z0-9_]+=(y|[0-9]+|"[a-z0-9_.]+")', line), line
    psram = board.build.facts["psram"]
    assert ("CONFIG_SPIRAM=y" in text) == (psram != "none")
    assert ("CONFIG_SPIRAM_MODE_OCT=y" in text) == (psram == "octal")
    assert ("CONFIG_ESPTOOLPY_OCT_FLASH=y" in text) == (board.build.facts["flash_mode"] == "opi")
    size = board.build.facts["flash_chip_bytes"]
    assert isinstance(size, int)
    assert f"CONFIG_ESPTOOLPY_FLASHSIZE_{size >> 20}MB=y" in text
    # The console must stay out of the line that the protocol owns.
    assert "CONFIG_ESP_CONSOLE_UART_DEFAULT=y" in text
    assert "CONFIG_ESP_CONSOLE_SECONDARY_NONE=y" in text


@pytest.mark.parametrize("name", esp32s3.IDS)
def test_partitions_follow_from_the_model_and_end_inside_the_flash(name: str, tmp_path: Path) -> None:
    board = boards.load(name)
    text = esp32s3.write(board, tmp_path).files["partitions.csv"].decode()
    rows = [line.split(",") for line in text.splitlines() if line and not line.startswith("#")]
    end = 0x9000  # the table itself lies before
    for row in rows:
        offset, size = int(row[3], 16), int(row[4], 16)
        assert offset >= end
        assert offset % (0x10000 if row[1] == "app" else 0x1000) == 0
        end = offset + size
    assert [row[1] for row in rows] == ["data", "data", "app"]
    chip = board.build.facts["flash_chip_bytes"]
    assert isinstance(chip, int)
    assert end <= chip
    small = esp32s3.generated_of()[1]
    large = replace(small, weight_bytes=3_000_000)
    sizes = [family.partitions(model, board, chip)[-1].size for model in (small, large)]
    assert sizes[1] >= sizes[0] + 3_000_000
    with pytest.raises(DoesNotFitError, match="partition"):
        family.partitions(replace(small, weight_bytes=board.memory.flash_bytes), board, chip)


def test_components_are_pinned(tmp_path: Path) -> None:
    plain = (
        esp32s3.write(boards.load("xiao_esp32s3"), tmp_path / "a").files["main/idf_component.yml"].decode()
    )
    assert re.search(r'^  idf: ">=5\.1,<7\.0"$', plain, re.MULTILINE)
    assert "esp32-camera" not in plain
    sense = boards.load("xiao_esp32s3_sense")
    with_camera = (
        esp32s3.write(sense, tmp_path / "b", Firmware(camera=True)).files["main/idf_component.yml"].decode()
    )
    for line in with_camera.splitlines()[2:]:
        assert re.fullmatch(r'  [a-z0-9/-]+: ">=[0-9.]+,<[0-9.]+"', line), line
    assert "espressif/esp32-camera" in with_camera


def test_the_versions_of_components_are_those_of_the_board_file() -> None:
    board = boards.load("xiao_esp32s3")
    facts = dict(board.build.facts) | {"esp_nn": ">=1.2.6", "tflm_library": "esp-tflite-micro 1.3.4"}
    other = replace(board, build=replace(board.build, facts=facts))
    graph, model = esp32s3.generated_of()
    esp_nn = boards.choose(other, kernels="esp_nn")
    fast = generate(graph, contract.of(graph), folders=esp_nn.build.kernels)
    text = project.assemble(fast, esp_nn).files["main/idf_component.yml"].decode()
    assert '  espressif/esp-nn: ">=1.2.6"' in text.splitlines()
    plain = project.assemble(model, other).files["main/idf_component.yml"].decode()
    assert "esp-nn" not in plain  # only where a kernel calls it
    assert family.read(other).esp_nn == ">=1.2.6"
    assert family.read(other).tflite_micro == ">=1.3.4,<1.4.0"
    assert family.read(board).tflite_micro == ">=1.4.0,<1.5.0"


def test_the_range_of_esp_idf_is_the_one_that_build_takes(tmp_path: Path) -> None:
    text = esp32s3.write(boards.load("xiao_esp32s3"), tmp_path).files["main/idf_component.yml"].decode()
    oldest, too_new = (".".join(map(str, limit)) for limit in (esp_idf.OLDEST, esp_idf.TOO_NEW))
    assert f'  idf: ">={oldest},<{too_new}"' in text


WRONG_FACTS = {
    "text for a size": ({"flash_chip_bytes": "8MB"}, "flash_chip_bytes is '8MB'"),
    "true for a size": ({"flash_chip_bytes": True}, "flash_chip_bytes is 'True'"),
    "a chip that is not sold": ({"flash_chip_bytes": 5_000_000}, "1, 2, 4, 8, 16, 32, 64, 128 MiB"),
    "negative": ({"flash_chip_bytes": -8 << 20}, "flash_chip_bytes is"),
    "mode": ({"flash_mode": "qio\nCONFIG_X=y"}, "flash_mode is"),
    "psram": ({"psram": "octl"}, "psram is 'octl'; it must be one of none, octal, quad"),
    "a list": ({"psram": ("octal",)}, "psram is"),
    "psram without a size": ({"psram_bytes": 0}, "psram_bytes is '0'"),
    "a size without psram": ({"psram": "none"}, "psram_bytes is"),
    "size as text": ({"psram_bytes": "8"}, "psram_bytes is '8'"),
    "out of the quotes": ({"esp_nn": '"\n  evil/evil: "*'}, "esp_nn is"),
    "another library": ({"tflm_library": "tflmtag2412_u55tag2411"}, "a release of esp-tflite-micro"),
    "misspelt": ({"psrma": "octal"}, "unknown key 'build.facts.psrma'"),
}


@pytest.mark.parametrize("case", WRONG_FACTS)
def test_wrong_facts_are_named_before_a_template_sees_them(case: str) -> None:
    facts, message = WRONG_FACTS[case]
    board = boards.load("xiao_esp32s3")
    board = replace(board, build=replace(board.build, facts=dict(board.build.facts) | facts))
    graph, model = esp32s3.generated_of()
    budget.check(model, graph, board)
    with pytest.raises(ProjectError) as caught:
        project.assemble(model, board)
    assert message in caught.value.message
    assert "xiao_esp32s3.toml" in caught.value.message


def test_a_camera_needs_psram() -> None:
    board = boards.load("xiao_esp32s3_sense")
    facts = dict(board.build.facts) | {"psram": "none", "psram_bytes": 0}
    board = replace(board, build=replace(board.build, facts=facts))
    model = esp32s3.generated_of()[1]
    assert "main/camera.c" not in project.assemble(model, board).files
    with pytest.raises(UsageError, match="keeps its pictures in PSRAM"):
        project.assemble(model, board, Firmware(camera=True))


def test_a_missing_fact_is_named() -> None:
    board = boards.load("xiao_esp32s3")
    for name in ("flash_chip_bytes", "flash_mode", "psram", "psram_bytes", "esp_nn"):
        facts = {key: value for key, value in board.build.facts.items() if key != name}
        with pytest.raises(ProjectError, match=f"build.facts.{name} is missing"):
            family.read(replace(board, build=replace(board.build, facts=facts)))


def test_every_source_is_compiled_and_every_header_found(tmp_path: Path) -> None:
    made = esp32s3.write(boards.load("esp32s3_eye"), tmp_path, Firmware(camera=True))
    text = made.files["main/CMakeLists.txt"].decode()
    listed = set(re.findall(r'"\.\./([^"]+\.cc?)"', text))
    assert listed == {name for name in made.files if name.endswith((".c", ".cc"))}
    assert set(re.findall(r'"\.\./([a-z/_]+)"', text)) == {
        name.rpartition("/")[0] for name in made.files if name.endswith(".h")
    }


def test_the_cameras_pins_are_the_boards(tmp_path: Path) -> None:
    board = boards.load("xiao_esp32s3_sense")
    text = esp32s3.write(board, tmp_path, Firmware(camera=True)).files["main/camera.c"].decode()
    found = dict(re.findall(r"\.pin_([a-z0-9_]+) = (-?\d+),", text))
    assert board.camera is not None
    renamed = {"sccb_sda": "siod", "sccb_scl": "sioc"}
    assert {renamed.get(name, name): int(pin) for name, pin in found.items()} == board.camera.pins
    assert len(found) == 16


def test_a_camera_where_there_is_none(tmp_path: Path) -> None:
    for name in ("xiao_esp32s3", "grove_vision_ai"):
        with pytest.raises(UsageError, match="has no camera"):
            esp32s3.write(boards.load(name), tmp_path, Firmware(camera=True))
    sense = boards.load("xiao_esp32s3_sense")
    with pytest.raises(UsageError, match="knows no camera"):
        esp32s3.write(sense, tmp_path, Firmware(MlperfTiny("ic01"), camera=True))
