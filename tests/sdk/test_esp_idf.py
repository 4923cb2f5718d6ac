"""Building with ESP-IDF, against a tree that behaves as ESP-IDF does at the level of files and processes."""

import shutil
from collections.abc import Callable
from pathlib import Path

import esp32s3
import esp_idf_tree
import pytest

from edgekit import board as boards
from edgekit.cli._needs import Need, needs
from edgekit.errors import DoesNotFitError, ToolError
from edgekit.firmware import build as building
from edgekit.firmware.sdk import esp_idf

BOARD = boards.load("xiao_esp32s3")
MakeIdf = Callable[..., Path]


@pytest.fixture(autouse=True)
def clean(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """A home of its own, so that an ESP-IDF of the machine plays no part."""
    for name in ("IDF_PATH", "IDF_TOOLS_PATH", "IDF_PYTHON_ENV_PATH", "EDGEKIT_SDK"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    monkeypatch.setattr(esp_idf, "SYSTEM", tmp_path / "opt")


@pytest.fixture
def make_idf(tmp_path: Path) -> MakeIdf:
    def make(place: str = "home/esp/esp-idf", version: str = "5.4.1", *, installed: bool = True) -> Path:
        return esp_idf_tree.make(tmp_path / place, tmp_path / "home", version, installed=installed)

    return make


def test_builds_and_describes_what_goes_to_flash(
    make_idf: MakeIdf, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    idf = make_idf()
    for name, value in (("PYTHONPATH", "/nowhere"), ("IDF_TARGET", "esp32"), ("SDKCONFIG_DEFAULTS", "x")):
        monkeypatch.setenv(name, value)
    folder = tmp_path / "a project; $(touch x)"
    made = esp32s3.write(BOARD, folder)
    image = building.build(folder, BOARD)
    assert image.compiler == "ESP-IDF v5.4.1"
    assert (image.board_id, image.model_digest) == ("xiao_esp32s3", made.model_digest)
    assert [(part.name, part.offset) for part in image.parts] == [
        ("bootloader", 0),
        ("partition-table", 0x8000),
        ("app", 0x10000),
    ]
    assert image.parts[2].path == image.path
    assert made.files["model/model.c"] in image.path.read_bytes()
    assert image.flash_settings is not None
    assert (image.flash_settings.mode, image.flash_settings.size) == ("dio", "8MB")
    assert {section.name for section in image.sections} == {".flash.text", ".dram0.bss"}
    assert building.load_image(folder, BOARD) == image
    assert esp_idf.find(None) == esp_idf.EspIdf(idf, (5, 4, 1), "the usual places")


def test_settings_of_an_earlier_project_are_forgotten(make_idf: MakeIdf, tmp_path: Path) -> None:
    make_idf()
    folder = tmp_path / "out"
    esp32s3.write(BOARD, folder)
    building.build(folder, BOARD)
    config = folder / "build" / "sdkconfig"
    with config.open("a") as file:
        file.write("# chosen with menuconfig\n")
    building.build(folder, BOARD)
    assert "menuconfig" in config.read_text()
    other = boards.load("esp32s3_devkitc_n16r8v")
    esp32s3.write(other, folder)
    image = building.build(folder, other)
    assert image.flash_settings is not None
    assert image.flash_settings.size == "16MB"
    assert "menuconfig" not in config.read_text()


@pytest.mark.parametrize(
    "name",
    [
        *(
            "main/Kconfig.projbuild",
            "main/project_include.cmake",
            "components/x/CMakeLists.txt",
            "idf_ext.py",
        ),
        *("sdkconfig.defaults.esp32s3", "CMakeUserPresets.json", "bootloader_components/x.c", "main/link.lf"),
    ],
)
def test_what_esp_idf_would_read_besides_the_project_is_refused(
    make_idf: MakeIdf, tmp_path: Path, name: str
) -> None:
    make_idf()
    folder = tmp_path / "out"
    esp32s3.write(BOARD, folder)
    (folder / "README.md").touch()
    building.build(folder, BOARD)
    (folder / name).parent.mkdir(parents=True, exist_ok=True)
    (folder / name).touch()
    with pytest.raises(ToolError, match="is not a file of the project"):
        building.build(folder, BOARD)


@pytest.mark.parametrize("name", ["build/CMakeCache.txt", "managed_components/x/CMakeLists.txt"])
def test_what_a_strangers_build_left_is_refused(make_idf: MakeIdf, tmp_path: Path, name: str) -> None:
    make_idf()
    folder, moved = tmp_path / "out", tmp_path / "moved"
    esp32s3.write(BOARD, folder)
    (folder / name).parent.mkdir(parents=True)
    (folder / name).touch()
    with pytest.raises(ToolError, match="was not made here") as caught:
        building.build(folder, BOARD)
    assert str(folder / Path(name).parts[0]) in caught.value.message
    shutil.rmtree(folder / Path(name).parts[0])
    building.build(folder, BOARD)
    building.build(folder, BOARD)
    shutil.copytree(folder, moved)
    with pytest.raises(ToolError, match="was not made here"):
        building.build(moved, BOARD)


def test_a_link_among_what_was_built_is_not_written_through(make_idf: MakeIdf, tmp_path: Path) -> None:
    make_idf()
    folder = tmp_path / "out"
    esp32s3.write(BOARD, folder)
    building.build(folder, BOARD)
    (tmp_path / "victim").write_text("mine")
    (folder / "build" / "sdkconfig.key").unlink()
    (folder / "build" / "sdkconfig.key").symlink_to(tmp_path / "victim")
    with pytest.raises(ToolError, match="is a link that leads out"):
        building.build(folder, BOARD)
    assert (tmp_path / "victim").read_text() == "mine"


def test_a_failing_build_shows_its_last_lines(make_idf: MakeIdf, tmp_path: Path) -> None:
    failure = make_idf() / "tools" / "failure"
    esp32s3.write(BOARD, tmp_path / "out")
    building.build(tmp_path / "out", BOARD)
    failure.write_text("main/port.c:1:1: error: something is wrong\nninja: build stopped: subcommand failed.")
    with pytest.raises(ToolError, match=r"main/port\.c:1:1: error: something is wrong") as caught:
        building.build(tmp_path / "out", BOARD)
    assert "build/log" in caught.value.hint
    # What was built before must not pass for this project's firmware.
    with pytest.raises(ToolError, match="has not been built"):
        building.load_image(tmp_path / "out", BOARD)


def test_too_large_is_an_error_of_its_own(make_idf: MakeIdf, tmp_path: Path) -> None:
    failure = make_idf() / "tools" / "failure"
    esp32s3.write(BOARD, tmp_path / "out")
    failure.write_text("ld: region `dram0_0_seg' overflowed by 1234 bytes\ncollect2: error")
    with pytest.raises(DoesNotFitError, match="'dram0_0_seg' by 1,234 bytes"):
        building.build(tmp_path / "out", BOARD)
    failure.unlink()
    csv = tmp_path / "out" / "partitions.csv"
    csv.write_text("factory,app,factory,0x10000,0x1000,\n")
    with pytest.raises(DoesNotFitError, match="its partition"):
        building.build(tmp_path / "out", BOARD)


def test_without_esp_idf_it_says_how_to_get_it(tmp_path: Path) -> None:
    esp32s3.write(BOARD, tmp_path / "out")
    with pytest.raises(ToolError, match="no ESP-IDF was found") as caught:
        building.build(tmp_path / "out", BOARD)
    assert "git clone -b v5.5 --depth 1 --recursive" in caught.value.hint
    assert "~/esp/esp-idf/install.sh esp32s3" in caught.value.hint


@pytest.mark.parametrize("version", ["4.4.8", "5.0.9", "7.0.0"])
def test_versions_that_were_not_tested_are_refused(
    make_idf: MakeIdf, version: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    idf = make_idf(version=version)
    said = rf"ESP-IDF {version}; edgekit knows versions from 5\.1 on, before 7\.0"
    with pytest.raises(ToolError, match=rf"no ESP-IDF was found.*{said}"):
        esp_idf.find(None)
    with pytest.raises(ToolError, match=rf"--sdk or EDGEKIT_SDK names, is {said}"):
        esp_idf.find(idf)
    monkeypatch.setenv("IDF_PATH", str(idf))
    with pytest.raises(ToolError, match=rf"IDF_PATH names, is {said}"):
        esp_idf.find(None)


def test_what_is_named_wins_over_what_is_found(make_idf: MakeIdf, monkeypatch: pytest.MonkeyPatch) -> None:
    old, new = make_idf("home/esp/v5.1/esp-idf", "5.1.7"), make_idf("home/esp/v6.0/esp-idf", "6.0.2")
    make_idf("home/esp/v4.4/esp-idf", "4.4.0")
    assert esp_idf.find(None).path == new
    monkeypatch.setenv("IDF_PATH", str(old))
    assert (esp_idf.find(None).path, esp_idf.find(None).source) == (old, "IDF_PATH")
    assert (esp_idf.find(new).path, esp_idf.find(new).source) == (new, "--sdk or EDGEKIT_SDK")


def test_a_folder_that_is_no_esp_idf(tmp_path: Path) -> None:
    with pytest.raises(ToolError, match="which --sdk or EDGEKIT_SDK names, is no ESP-IDF"):
        esp_idf.find(tmp_path)
    (tmp_path / "tools" / "cmake").mkdir(parents=True)
    (tmp_path / "tools" / "idf.py").touch()
    (tmp_path / "tools" / "cmake" / "version.cmake").write_text("set(IDF_VERSION_MAJOR 5)\n")
    with pytest.raises(ToolError, match="is no ESP-IDF"):
        esp_idf.find(tmp_path)


def test_an_installation_that_was_not_finished(make_idf: MakeIdf, tmp_path: Path) -> None:
    idf = make_idf(installed=False)
    esp32s3.write(BOARD, tmp_path / "out")
    with pytest.raises(ToolError, match="its Python environment is missing") as caught:
        building.build(tmp_path / "out", BOARD)
    assert f"{idf / 'install.sh'} esp32s3" in caught.value.hint
    shutil.rmtree(idf)
    idf = make_idf()
    (idf / "tools-installed").unlink()
    with pytest.raises(ToolError, match="xtensa-esp-elf has no installed versions") as caught:
        building.build(tmp_path / "out", BOARD)
    assert f"{idf / 'install.sh'} esp32s3" in caught.value.hint


def test_a_build_that_leaves_nonsense(make_idf: MakeIdf, tmp_path: Path) -> None:
    idf_py = make_idf() / "tools" / "idf.py"
    esp32s3.write(BOARD, tmp_path / "out")
    text = idf_py.read_text()
    for line, said in (
        ('(build / "flasher_args.json").unlink(missing_ok=True)', "cannot read"),
        ('(build / "edgekit.elf").write_bytes(b"no ELF")', "is not an ELF file"),
        ('(build / "flasher_args.json").write_text("{}")', "flasher_args.json"),
    ):
        idf_py.write_text(f"{text}\n_, build, _ = arguments()\n{line}\n")
        with pytest.raises(ToolError, match=said):
            building.build(tmp_path / "out", BOARD)


def test_doctor_says_which_esp_idf(make_idf: MakeIdf) -> None:
    def need() -> Need:
        return next(row for row in needs(BOARD) if row.name == "SDK esp_idf")

    missing = need()
    assert (missing.ok, missing.needed) == (False, True)
    assert "install.sh esp32s3" in missing.hint
    path = make_idf()
    assert need().found == f"ESP-IDF v5.4.1 ({path})"
    # The compiler of the portable part is no use to whoever builds with the SDK, and may be missing.
    assert not [row for row in needs(BOARD) if row.needed and "compiler" in row.name]
