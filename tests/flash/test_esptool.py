"""The real esptool against a scripted ESP32-S3: what reaches its flash, and how each failure ends."""

import hashlib
import importlib.metadata
import os
import signal
import threading
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest
from flash.conftest import Built, boot_loader
from flash.rom_loader import ESP32_C3, RomLoader, Script

from edgekit import board as boards
from edgekit import flash
from edgekit.board import Board
from edgekit.device import ports
from edgekit.device.ports import Port
from edgekit.errors import (
    DoesNotFitError,
    FlashError,
    ModelError,
    PortError,
    ProjectError,
    ToolError,
    UsageError,
)
from edgekit.firmware.image import FlashSettings
from edgekit.flash import _esptool_log, esptool

pytestmark = pytest.mark.usefixtures("_patient")

Make = Callable[..., Built]
AS_IT_WAS = "the board's flash is as it was"
MODEL = b"\x1c\0\0\0TFL3" + bytes(range(256)) * 300


def expect(board: RomLoader, contents: dict[int, bytes]) -> None:
    """Check that these bytes lie in flash and that every other sector is as it came from the factory."""
    left = bytearray(board.flash)
    for offset, content in contents.items():
        assert left[offset : offset + len(content)] == content, hex(offset)
        end = -(-(offset + len(content)) // 4096) * 4096
        assert left[offset + len(content) : end].strip(b"\xff") == b"", hex(offset)
        left[offset:end] = b"\xff" * (end - offset)
    assert left.strip(b"\xff") == b""


@pytest.mark.parametrize("stub", [True, False])
def test_every_part_reaches_its_offset(built: Make, xiao: Board, stub: bool) -> None:
    made = built()
    assert made.image.flash_settings is not None
    image = replace(made.image, flash_settings=replace(made.image.flash_settings, stub=stub))
    seen: list[tuple[int, int]] = []
    with RomLoader() as board:
        flash.flash(image, xiao, board.port, lambda done, whole: seen.append((done, whole)))
    expect(board, made.contents)
    assert board.restarts == ["reset"]
    assert bool(board.segments) == stub
    whole = sum(map(len, made.contents.values()))
    assert {total for _, total in seen} == {whole}
    done = [step for step, _ in seen]
    assert done == sorted(done)
    assert (done[0], done[-1]) == (0, whole)
    assert len(set(done)) > len(made.contents) + 2  # it is told within a file too


def test_the_settings_of_the_build_reach_the_boot_loader(
    built: Make, xiao: Board, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What esptool is called with is the build's, whatever the environment says."""
    monkeypatch.setenv("ESPTOOL_FM", "qout")
    monkeypatch.setenv("ESPTOOL_AFTER", "no-reset")
    monkeypatch.setenv("ESPTOOL_BAUD", "115200")
    calls: list[list[str]] = []
    stream = esptool.process.stream

    def spy(command: list[str], *arguments: object, **options: object) -> int:
        calls.append(list(command))
        return stream(command, *arguments, **options)  # type: ignore[arg-type]

    monkeypatch.setattr(esptool.process, "stream", spy)
    made = built()
    with RomLoader() as board:
        flash.flash(made.image, xiao, board.port)
    command = " ".join(calls[0][1:])
    assert command.startswith(f"-P -m esptool --chip esp32s3 --port {board.port} --baud 115200 ")
    assert "--before default-reset --after hard-reset write-flash " in command
    assert "--flash-mode dio --flash-freq 80m --flash-size 8MB 0x0 " in command
    assert board.restarts == ["reset"]


def test_an_image_without_parts_is_a_merged_one(built: Make, xiao: Board, tmp_path: Path) -> None:
    path = tmp_path / "merged.bin"
    path.write_bytes(boot_loader(70_000))
    digest = hashlib.sha256(path.read_bytes()).hexdigest()
    image = built(path=path, sha256=digest, size_bytes=70_000, parts=(), flash_settings=None).image
    with RomLoader() as board:
        flash.flash(image, xiao, board.port)
    expect(board, {0: path.read_bytes()})


def test_an_image_without_parts_that_is_no_merged_one(built: Make, xiao: Board, tmp_path: Path) -> None:
    path = tmp_path / "firmware.elf"
    path.write_bytes(b"\x7fELF" + bytes(1000))
    digest = hashlib.sha256(path.read_bytes()).hexdigest()
    image = built(path=path, sha256=digest, size_bytes=1004, parts=(), flash_settings=None).image
    with pytest.raises(FlashError, match=f"'{path}' is no merged image.*{AS_IT_WAS}"):
        flash.flash(image, xiao, "/dev/nowhere")


def test_a_merged_file_of_somebody_else(xiao: Board, tmp_path: Path) -> None:
    path = tmp_path / "--theirs.bin"
    path.write_bytes(boot_loader(70_001))
    with RomLoader() as board:
        flash.flash_merged(path, xiao, board.port)
    # esptool fills the last word with ones.
    expect(board, {0: path.read_bytes()})


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"", "begins with no boot loader"),
        (b"TFL3" * 100, "begins with no boot loader"),
        (boot_loader(100, chip_id=5), "is for a chip of id 5, but 'xiao_esp32s3' has an esp32s3 of id 9"),
        (None, "cannot read"),
    ],
)
def test_what_is_no_merged_image_is_not_written(
    xiao: Board, tmp_path: Path, content: bytes | None, message: str
) -> None:
    path = tmp_path / "merged.bin"
    if content is not None:
        path.write_bytes(content)
    with RomLoader() as board, pytest.raises(FlashError, match=f"{message}.*{AS_IT_WAS}"):
        flash.flash_merged(path, xiao, board.port)
    assert board.commands == []


def test_a_model_alone_goes_to_where_stock_firmware_looks(xiao: Board) -> None:
    with RomLoader() as board:
        flash.flash_model(MODEL, xiao, board.port)
    expect(board, {0x400000: MODEL})


def test_a_model_that_does_not_belong_there(xiao: Board) -> None:
    with pytest.raises(DoesNotFitError, match=r"4,194,305 B, its place on 'xiao_esp32s3' 4,194,304 B"):
        flash.flash_model(MODEL.ljust(0x400001), xiao, "/nowhere")
    with pytest.raises(ModelError, match="no 'TFL3' at byte 4"):
        flash.flash_model(bytes(1000), xiao, "/nowhere")
    with pytest.raises(UsageError, match="has one place for a model, no 2"):
        flash.flash_model(MODEL, xiao, "/nowhere", slot=2)
    bare = replace(xiao, flash=replace(xiao.flash, facts={"chip": "esp32s3"}))
    with pytest.raises(UsageError, match="keeps no model apart from its firmware"):
        flash.flash_model(MODEL, bare, "/nowhere")


def test_the_model_of_an_image_is_written_alone(built: Make, xiao: Board) -> None:
    made = built()
    with RomLoader() as board:
        flash.flash(made.image, xiao, board.port, part="model")
    expect(board, {0x400000: made.contents[0x400000]})
    with pytest.raises(UsageError, match="has no part 'weights' of its own") as caught:
        flash.flash(made.image, xiao, "/nowhere", part="weights")
    assert "bootloader, partition-table, app, model" in caught.value.hint


# Blocks of flash data by number, for esptool's loader: 0 and 1 are the boot loader, 2 the partition table,
# 3 to 6 the application, 7 and on the model.
HALF = (
    "the board is half flashed: bootloader at 0x0, partition-table at 0x8000 written and verified, "
    "app at 0x10000, model at 0x400000 not; it does not start properly until it is flashed again"
)
FOREVER = frozenset(range(4, 100))


@pytest.mark.parametrize(
    ("script", "message", "hint"),
    [
        (Script(corrupt_blocks=FOREVER), f"its checksum is wrong, bytes change on the way; {HALF}", "cable"),
        (Script(shorten_blocks=FOREVER), f"it is incomplete, bytes are lost on the way; {HALF}", "cable"),
        (Script(unplug_at_block=4), f"was unplugged or lost its power; {HALF}", "plug it in again"),
        (Script(silent_from_block=4), f"stopped answering; {HALF}", "cable"),
        (Script(rotten_sector=0x11000), f"differs from what was written (MD5); {HALF}", "flash again"),
        (
            Script(chip_id=ESP32_C3),
            f"is an ESP32-C3, but the board 'xiao_esp32s3' has an ESP32-S3; nothing was written: {AS_IT_WAS}",
            "--board",
        ),
        (
            Script(flash_bytes=4 << 20),
            f"has 4,194,304 B, and the image does not fit; nothing was written: {AS_IT_WAS}",
            "another variant",
        ),
        (
            Script(silent=True),
            f"does not answer as a boot loader does (esptool: No serial data received); nothing was written: "
            f"{AS_IT_WAS}",
            "download mode by hand: hold BOOT while you plug the USB cable in",
        ),
        (
            Script(unplug_after_files=4),
            "all was written and verified, but the board did not restart",
            "press RESET",
        ),
    ],
    ids=lambda value: value.split(";")[0][:40] if isinstance(value, str) else "",
)
def test_a_failure_says_what_state_the_board_is_in(
    built: Make, xiao: Board, configure: Callable[..., None], script: Script, message: str, hint: str
) -> None:
    if script.silent:
        configure(sync_timeout=0.1, connect_attempts=1)
    elif script.silent_from_block is not None:
        configure(timeout=3)
    elif script.unplug_at_block is not None:
        configure(connect_attempts=1)  # so often it looks whether the port is back
    made = built()
    with RomLoader(script) as board, pytest.raises(FlashError) as caught:
        flash.flash(made.image, xiao, board.port)
    assert message in caught.value.message
    assert hint in caught.value.hint
    # What it says of the flash is true.
    for part in made.image.parts:
        end = part.offset + part.size_bytes
        there = board.flash[part.offset : end] == made.contents[part.offset]
        if AS_IT_WAS in message:
            assert board.flash[part.offset : end].strip(b"\xff") == b""
        else:
            assert there == (part.offset < 0x10000 or HALF not in message)


def test_one_damaged_and_one_shortened_block_are_sent_again(built: Make, xiao: Board) -> None:
    made = built()
    with RomLoader(Script(corrupt_blocks=frozenset({4}), shorten_blocks=frozenset({7}))) as board:
        flash.flash(made.image, xiao, board.port)
    expect(board, made.contents)


def test_half_a_model_is_said_to_be_no_broken_firmware(xiao: Board, configure: Callable[..., None]) -> None:
    configure(connect_attempts=1)
    with RomLoader(Script(unplug_at_block=0)) as board, pytest.raises(FlashError) as caught:
        flash.flash_model(MODEL * 5, xiao, board.port)
    assert "model at 0x400000 not; its firmware has no whole model until it is written again" in str(
        caught.value
    )


def test_an_interruption_says_it_too(built: Make, xiao: Board) -> None:
    made = built()

    def interrupt(done: int, whole: int) -> None:
        if done > 30_000:  # within the application
            os.kill(os.getpid(), signal.SIGINT)
            threading.Event().wait(60)  # until Python delivers it, at once

    with RomLoader() as board, pytest.raises(KeyboardInterrupt) as caught:
        flash.flash(made.image, xiao, board.port, interrupt)
    assert str(caught.value) == HALF


def test_an_esptool_that_hangs_is_stopped(
    built: Make, xiao: Board, configure: Callable[..., None], monkeypatch: pytest.MonkeyPatch
) -> None:
    configure(timeout=600)
    monkeypatch.setattr(esptool, "_SILENCE_S", 4.0)
    monkeypatch.setattr(esptool, "_SILENCE_S_PER_MB", 0.0)
    made = built()
    with RomLoader(Script(silent_from_block=4)) as board, pytest.raises(FlashError) as caught:
        flash.flash(made.image, xiao, board.port)
    assert caught.value.message == f"esptool said nothing for 4 s and was stopped; {HALF}"


def test_a_changed_part_is_not_written(built: Make, xiao: Board) -> None:
    made = built()
    made.image.parts[1].path.write_bytes(b"other")
    with RomLoader() as board, pytest.raises(FlashError, match=r"has changed since it was built.*as it was"):
        flash.flash(made.image, xiao, board.port)
    made.image.parts[1].path.unlink()
    with pytest.raises(FlashError, match=r"cannot read .*partition-table.bin.*as it was"):
        flash.flash(made.image, xiao, board.port)
    assert board.commands == []


def test_an_image_of_another_chip_or_within_a_sector(built: Make, xiao: Board) -> None:
    made = built()
    other = replace(made.image, flash_settings=FlashSettings(chip="esp32c3"))
    with pytest.raises(ToolError, match="the image is for an esp32c3, but 'xiao_esp32s3' has an esp32s3"):
        flash.flash(other, xiao, "/nowhere")
    moved = replace(made.image, parts=(replace(made.image.parts[0], offset=0x10),))
    with pytest.raises(ToolError, match="is to go to 0x10, which is within a sector"):
        flash.flash(moved, xiao, "/nowhere")


def test_a_port_that_cannot_be_used(built: Make, xiao: Board, tmp_path: Path) -> None:
    made = built()
    with pytest.raises(PortError, match="there is no port '/dev/nowhere'"):
        flash.flash(made.image, xiao, "/dev/nowhere")
    with RomLoader() as board:
        holder = esptool.open_port(board.port, xiao.serial)
        with pytest.raises(PortError, match="is in use by another program"):
            flash.flash(made.image, xiao, board.port)
        holder.close()
    assert board.commands == []


ONE = Port("/dev/ttyACM0", "USB JTAG/serial", "303a:1001")
TWO = Port("/dev/ttyACM1", "USB JTAG/serial", "303a:1001")
OTHER = Port("/dev/ttyUSB0", "Bridge", "1a86:55d3")


def test_the_port_is_found_by_its_usb_id(built: Make, xiao: Board, monkeypatch: pytest.MonkeyPatch) -> None:
    made = built()
    with RomLoader() as board:
        found = (OTHER, replace(ONE, path=board.port))
        monkeypatch.setattr(esptool, "list_ports", lambda: found)
        flash.flash(made.image, xiao, None)
    expect(board, made.contents)


@pytest.mark.parametrize(
    ("found", "message", "hint"),
    [
        ((ONE, OTHER, TWO), "several ports match: /dev/ttyACM0 .*; /dev/ttyACM1", "--port"),
        ((OTHER,), "no serial port with USB id 303a:1001 .*/dev/ttyUSB0", "hold BOOT while you plug"),
        ((), "ports of this computer: none", "hold BOOT while you plug"),
    ],
)
def test_none_or_several_ports(
    built: Make,
    xiao: Board,
    monkeypatch: pytest.MonkeyPatch,
    found: tuple[Port, ...],
    message: str,
    hint: str,
) -> None:
    monkeypatch.setattr(esptool, "list_ports", lambda: found)
    for port in (None, "auto"):
        with pytest.raises(PortError, match=message) as caught:
            flash.flash(built().image, xiao, port)
        assert hint in caught.value.hint


def test_esptools_own_port_variable_comes_after_ours(
    built: Make, xiao: Board, monkeypatch: pytest.MonkeyPatch
) -> None:
    made = built()
    with RomLoader() as board:
        monkeypatch.setenv("ESPTOOL_PORT", board.port)
        assert flash.default_port(xiao, None) == board.port
        assert flash.default_port(xiao, "/dev/other") == "/dev/other"
        with pytest.raises(PortError, match="there is no port '/dev/nowhere'"):
            flash.flash(made.image, xiao, "/dev/nowhere")
        flash.flash(made.image, xiao, None)
    expect(board, made.contents)


def test_a_speed_that_is_none(built: Make, xiao: Board, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ESPTOOL_BAUD", "fast")
    with pytest.raises(UsageError, match="ESPTOOL_BAUD is 'fast'"):
        flash.flash(built().image, xiao, "/dev/nowhere")


@pytest.mark.parametrize(
    ("facts", "message"),
    [
        ({}, "flash.facts.chip is wrong; it must be text"),
        ({"chip": "esp32s3 --force"}, "must be a chip such as esp32s3"),
        ({"chip": ""}, "must be a chip such as esp32s3"),
        ({"chip": "esp32s3", "baud": True}, "flash.facts.baud is wrong; it must be an integer in 1200"),
        ({"chip": "esp32s3", "model_offset": -1}, "flash.facts.model_offset is wrong"),
        ({"chip": "esp32s3", "model_offset": 0x400001, "model_bytes": 4096}, "a multiple of 4096"),
        ({"chip": "esp32s3", "model_offset": 0x400000}, "stand together with model_bytes"),
        ({"chip": "esp32s3", "model_bytes": 4096}, "stand together with model_bytes"),
        ({"chip": "esp32s3", "speed": 3}, "takes no fact 'speed'"),
    ],
)
def test_wrong_facts_are_named(built: Make, xiao: Board, facts: dict[str, str | int], message: str) -> None:
    wrong = replace(xiao, flash=replace(xiao.flash, facts=facts))
    with pytest.raises(ProjectError, match=message):
        flash.flash(built().image, wrong, "/dev/nowhere")


def test_a_chip_that_waits_is_restarted_by_its_watchdog(built: Make, xiao: Board) -> None:
    with RomLoader(Script(waits_after_reset=True)) as board:
        flash.flash(built().image, xiao, board.port)
        assert flash.restart(xiao, board.port)
    assert board.restarts == ["reset", "watchdog"]
    with RomLoader(Script(silent=True)) as board:
        assert not flash.restart(xiao, board.port)


@pytest.mark.parametrize("version", [None, "4.8.1", "5.0.2", "6.0", "5", "5.x"])
def test_an_esptool_that_is_missing_or_old(
    built: Make, xiao: Board, monkeypatch: pytest.MonkeyPatch, version: str | None
) -> None:
    def found(name: str) -> str:
        if version is None:
            raise importlib.metadata.PackageNotFoundError(name)
        return version

    monkeypatch.setattr(importlib.metadata, "version", found)
    with pytest.raises(ToolError, match="esptool is") as caught:
        flash.flash(built().image, xiao, "/dev/nowhere")
    assert caught.value.hint.endswith(' install "esptool>=5.1,<6"')


def test_a_file_of_the_same_name_in_the_users_folder_is_not_run(
    built: Make, xiao: Board, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("esptool", "serial"):
        (tmp_path / f"{name}.py").write_text("raise SystemExit('this is not esptool')")
    monkeypatch.chdir(tmp_path)
    made = built()
    with RomLoader() as board:
        flash.flash(made.image, xiao, board.port)
    expect(board, made.contents)


@pytest.mark.parametrize("name", ["esptool.cfg", "setup.cfg", "tox.ini"])
def test_a_configuration_in_the_users_folder_is_not_obeyed(
    built: Make, xiao: Board, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    monkeypatch.delenv("ESPTOOL_CFGFILE")
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    # esptool takes the first of these that it finds; this one lets it give up before it begins.
    (tmp_path / name).write_text("[esptool]\ncustom_reset_sequence = nonsense\nopen_port_attempts = x\n")
    monkeypatch.chdir(tmp_path)
    made = built()
    with RomLoader() as board:
        flash.flash(made.image, xiao, board.port)
    expect(board, made.contents)


def test_a_configuration_that_the_user_names_is_obeyed(
    built: Make, xiao: Board, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "mine.cfg").write_text("[esptool]\ncustom_reset_sequence = nonsense\n")
    monkeypatch.setenv("ESPTOOL_CFGFILE", "mine.cfg")
    monkeypatch.chdir(tmp_path)
    with RomLoader() as board, pytest.raises(FlashError, match=r"nonsense|reset sequence"):
        flash.flash(built().image, xiao, board.port)


def test_words_that_are_not_known_are_shown(xiao: Board) -> None:
    log = _esptool_log.Log([_esptool_log.Region("app", 0x10000, 100)], None, "it does not start")
    for line in ("esptool v5.9.0", "Connected to ESP32-S3", "A fatal error occurred: the moon is full."):
        log.feed(line)
    error = log.failure(xiao, "COM3", 2, "")
    assert error.message == (
        f"esptool failed with exit code 2: the moon is full; nothing was written: {AS_IT_WAS}"
    )


def test_a_port_that_is_gone_between_our_look_and_esptools(xiao: Board) -> None:
    log = _esptool_log.Log([_esptool_log.Region("app", 0x10000, 100)], None, "it does not start")
    log.feed("ERROR: A fatal error occurred: Could not open COM3, the port is busy or doesn't exist.")
    error = log.failure(xiao, "COM3", 2, "")
    assert isinstance(error, PortError)
    assert error.message == f"the port 'COM3' cannot be opened any more; nothing was written: {AS_IT_WAS}"


@pytest.mark.parametrize("name", [name for name in boards.list_ids() if "esp32s3" in name])
def test_our_boards_have_what_flashing_needs(built: Make, name: str) -> None:
    board = boards.load(name)
    assert board.flash.method == "esptool"
    assert board.flash.facts["boot_mode"]
    with pytest.raises(PortError, match="there is no port '/dev/nowhere'"):
        flash.flash(built(board_id=name).image, board, "/dev/nowhere")


def test_ports_are_asked_only_where_they_can_answer() -> None:
    with pytest.raises(PortError, match="several ports match: /dev/ttyACM0"):
        ports.choose((ONE, TWO), ["303a:1001"])
