"""What is said when a tool is missing or too old, and when a model is too large."""

import os
import shutil
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest
from emulated.conftest import ALL, EXECUTED, changed

from edgekit import board, pipeline
from edgekit.emulator import RunningBoard, qemu
from edgekit.errors import DoesNotFitError, ToolError
from edgekit.firmware import build, layout
from edgekit.firmware.image import FirmwareImage
from edgekit.models import Model

Build = Callable[[str], FirmwareImage]


@pytest.fixture
def empty_path(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Return a folder that is the whole PATH."""
    folder = tmp_path / "bin"
    folder.mkdir()
    monkeypatch.setenv("PATH", str(folder))
    return folder


def program(folder: Path, name: str, text: str) -> None:
    path = folder / name
    path.write_text(f"#!/bin/sh\n{text}\n")
    path.chmod(0o755)


@pytest.mark.parametrize("name", ALL)
def test_a_missing_compiler(name: str, model: Model, tmp_path: Path, empty_path: Path) -> None:
    target = board.load(name)
    pipeline.generate_project(model, target, tmp_path / "out")
    with pytest.raises(ToolError, match=f"'{target.build.compilers[0]}' is not there") as caught:
        build.build(tmp_path / "out", target)
    assert "apt-get install gcc-" in caught.value.hint
    assert f"EDGEKIT_CC_{target.soc.isa.upper()}" in caught.value.hint
    assert caught.value.exit_code == 7


@pytest.mark.parametrize("name", EXECUTED)
def test_a_missing_emulator(name: str, image: Build, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    made = image(name)
    target = board.load(name)
    assert target.emulator is not None
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(ToolError, match=f"'{target.emulator.program}' was not found") as caught:
        RunningBoard(made, target)
    assert "apt-get install qemu-system-" in caught.value.hint


def test_an_emulator_that_is_too_old(empty_path: Path) -> None:
    emulator = board.load("mps3_an547").emulator
    for version in ("QEMU emulator version 6.2.0 (Debian)", "QEMU emulator version 7.1.9"):
        program(empty_path, "qemu-system-arm", f"echo '{version}'")
        with pytest.raises(ToolError, match=r"is QEMU [67]\.[12]\.[09]; 7\.2 or later is needed"):
            qemu.find(emulator)
    program(empty_path, "qemu-system-arm", "echo something else")
    with pytest.raises(ToolError, match="does not say what version"):
        qemu.find(emulator)
    program(empty_path, "qemu-system-arm", "echo QEMU emulator version 10.0.2")
    assert qemu.find(emulator).version == "10.0.2"


def test_what_qemu_says_is_shown(image: Build, tmp_path: Path) -> None:
    target = changed(tmp_path, "mps3_an547", ('"mps3-an547"', '"mps9-an999"'))
    made = replace(image("mps3_an547"), board_id=target.id)
    with RunningBoard(made, target) as running:
        assert running.connect().recv(1) == b""
        with pytest.raises(ToolError, match=r"exit code 1(.|\n)*unsupported machine type"):
            running.connect()


def test_an_emulator_that_cannot_be_started(
    image: Build, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    made = image("mps2_an386")
    with RunningBoard(made, board.load("mps2_an386")) as running:
        missing = replace(qemu.find(board.load("mps2_an386").emulator), path=str(tmp_path / "gone"))
        monkeypatch.setattr(running, "_qemu", missing)
        with pytest.raises(ToolError, match="cannot start"):
            running.connect()


def test_a_model_that_is_too_large_is_refused_before_anything_is_built(model: Model, tmp_path: Path) -> None:
    target = changed(tmp_path, "riscv_virt", ("ram_bytes = 0x64000", "ram_bytes = 20_000"))
    with pytest.raises(
        DoesNotFitError, match=r"bytes of RAM .*'my_riscv_virt' has 20,000; the largest"
    ) as caught:
        pipeline.generate_project(model, target, tmp_path / "out")
    assert caught.value.exit_code == 6
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize("name", ALL)
def test_the_linker_has_the_last_word(name: str, model: Model, tmp_path: Path) -> None:
    region = board.load(name).memory.regions[0]
    text = board.load(name).path.read_text("utf-8")
    size = next(line for line in text.splitlines() if line.startswith("bytes = "))
    target = changed(tmp_path, name, (f"\n{size}\n", "\nbytes = 1024\n"))
    assert shutil.which(target.build.compilers[0], path=os.environ["PATH"])
    pipeline.generate_project(model, target, tmp_path / "out")
    with pytest.raises(DoesNotFitError, match=rf"exceeds the region '{region.name}' by [\d,]+ bytes"):
        build.build(tmp_path / "out", target)
    assert not (tmp_path / "out" / "image.json").exists()


def test_the_linked_sizes_are_held_against_the_whole(model: Model, image: Build) -> None:
    target = board.load("mps2_an386")
    sections = image("mps2_an386").sections
    small = replace(target, memory=replace(target.memory, ram_bytes=20_000))
    with pytest.raises(
        DoesNotFitError, match=r"bytes of RAM on 'mps2_an386', which has 20,000 .*\.stack 16,384"
    ):
        layout.check(sections, small)
    elsewhere = replace(target, memory=replace(target.memory, regions=target.memory.regions[:1]))
    with pytest.raises(ToolError, match="where 'mps2_an386' has no memory"):
        layout.check(sections, elsewhere)


def test_a_damaged_image_is_named(image: Build) -> None:
    content = image("arc_em9d").path.read_bytes()
    whole = layout.read_sections(content, "x")
    assert [section.name for section in whole][:2] == [".vectors", ".text"]
    for size in (0, 3, 5, 20, 51, 52, 400, len(content) - 40):
        with pytest.raises(ToolError, match="'x' is not an ELF file that can be read"):
            layout.read_sections(content[:size], "x")
    for at in range(52):
        spoilt = bytearray(content)
        spoilt[at] ^= 0xFF
        try:
            layout.read_sections(bytes(spoilt), "x")
        except ToolError:
            continue
