"""Copying to a folder that behaves as the drive of a board does."""

import errno
import os
import struct
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

import pytest
from flash.images import made_image

from edgekit import board as boards
from edgekit import flash
from edgekit.errors import DoesNotFitError, FlashError, ProjectError, UsageError
from edgekit.flash import _drive, _volumes, uf2

V1 = boards.load("grove_vision_ai")
A1101 = boards.load("sensecap_a1101")
INFO = "UF2 Bootloader 2.0.1\r\nModel: Seeed Studio Grove AI\r\nBoard-ID: Grove AI\r\n"
MODEL = bytes(range(256)) * 1_000


def plug_in(folder: Path, info: str = INFO) -> Path:
    """Make a drive."""
    folder.mkdir(parents=True)
    (folder / "INFO_UF2.TXT").write_bytes(info.encode())
    return folder


@contextmanager
def board_at(drive: Path) -> Iterator[Path]:
    """Run a board's bootloader: as soon as every block of a file has come, it takes the drive away."""
    taken = drive.with_name("taken")
    stop = threading.Event()

    def serve() -> None:
        while not stop.wait(0.002):
            file = drive / "EDGEKIT.UF2"
            content = file.read_bytes() if file.exists() else b""
            if len(content) >= 512 and len(content) == 512 * struct.unpack_from("<I", content, 24)[0]:
                drive.rename(taken)
                return

    thread = threading.Thread(target=serve)
    thread.start()
    try:
        yield taken / "EDGEKIT.UF2"
    finally:
        stop.set()
        thread.join()


@pytest.fixture(autouse=True)
def _short(monkeypatch: pytest.MonkeyPatch) -> None:
    """Give up soon where a test waits in vain; the others do not wait."""
    monkeypatch.setattr(_drive, "_POLL_S", 0.005)


def test_a_model_goes_to_the_drive_and_the_drive_goes(tmp_path: Path) -> None:
    drive = plug_in(tmp_path / "GROVEAI")
    counts: list[tuple[int, int]] = []
    with board_at(drive) as taken:
        flash.flash_model(MODEL, V1, str(drive), lambda *count: counts.append(count), slot=3)
    assert taken.read_bytes() == uf2.model_file(MODEL, V1, 3)
    assert counts == sorted(counts)
    assert counts[-1] == (512_000, 512_000)
    assert len(counts) == 512_000 // 32_768 + 2


def test_a_firmware_is_found_a_drive_by_its_label(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    image = made_image(tmp_path, V1, b"\x12\x34" * 5_000)
    stale, drive = tmp_path / "media/GROVEAI", tmp_path / "media/GROVEAI1"
    stale.mkdir(parents=True)
    plug_in(drive)
    monkeypatch.setattr(
        _volumes, "labelled", lambda labels: _volumes.on_linux(labels, tmp_path, "") if labels else []
    )
    with board_at(drive) as taken:
        flash.flash(image, V1, "/dev/ttyACM0")
    assert taken.read_bytes() == uf2.firmware_file(image, V1)
    assert taken.read_bytes()[12:16] == struct.pack("<I", 0x10000000)


def test_a_person_is_told_what_to_press_and_has_time(tmp_path: Path) -> None:
    drive = tmp_path / "GROVEAI"
    notes: list[str] = []

    def on_note(text: str) -> None:
        notes.append(text)
        plug_in(drive)

    with board_at(drive):
        flash.flash_model(MODEL, V1, str(drive), on_note=on_note)
    assert len(notes) == 1
    assert "double-click the board's BOOT button" in notes[0]


def test_a_drive_that_is_not_mounted_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(_drive, "APPEAR_S", 0.02)
    monkeypatch.setattr(_volumes, "labelled", lambda labels: [])
    monkeypatch.setattr(_volumes, "unmounted", lambda labels: Path("/dev/sdb"))
    with pytest.raises(FlashError, match=r"did not appear within 0\.02 s; nothing was written") as caught:
        flash.flash_model(MODEL, V1)
    assert "udisksctl mount -b /dev/sdb" in caught.value.hint


def test_a_drive_that_never_comes(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(_drive, "APPEAR_S", 0.02)
    with pytest.raises(FlashError, match="the board 'grove_vision_ai' is as it was") as caught:
        flash.flash_model(MODEL, V1, str(tmp_path / "nowhere"))
    assert "--port" in caught.value.hint


@pytest.mark.parametrize(
    ("board", "info", "message"),
    [
        (
            V1,
            INFO.replace("Board-ID: Grove AI", "Board-ID: RPI-RP2"),
            "Board-ID 'RPI-RP2', expected 'Grove AI'",
        ),
        (V1, "UF2 Bootloader\n", "names no Board-ID"),
        (V1, "", "names no Board-ID"),
        (A1101, "UF2 Bootloader\n", "names no Board-ID"),
        (A1101, INFO, "Board-ID 'Grove AI', expected a 'sensecap_a1101'"),
        (V1, "Board-ID: " + "x" * 9_000, "Board-ID 'x{60}'"),
    ],
)
def test_another_boards_drive(tmp_path: Path, board: boards.Board, info: str, message: str) -> None:
    drive = plug_in(tmp_path / "D", info)
    with pytest.raises(FlashError, match=message) as caught:
        flash.flash_model(MODEL, board, str(drive))
    assert "nothing was written" in caught.value.message
    assert list(drive.iterdir()) == [drive / "INFO_UF2.TXT"]


def test_a_board_whose_id_is_not_known_is_taken(tmp_path: Path) -> None:
    drive = plug_in(tmp_path / "SENSECAP", "Board-ID: whatever it is\n")
    with board_at(drive) as taken:
        flash.flash_model(MODEL, A1101, str(drive), header="sensecapai")
    assert taken.read_bytes()[32:36] == bytes.fromhex("4c485401")


def test_a_drive_that_stays(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(_drive, "VANISH_S", 0.02)
    with pytest.raises(FlashError, match=r"still there after 0\.02 s: the board .* has not taken the file"):
        flash.flash_model(MODEL, V1, str(plug_in(tmp_path / "GROVEAI")))


def test_a_link_on_the_drive_is_not_followed(tmp_path: Path) -> None:
    drive = plug_in(tmp_path / "GROVEAI")
    (tmp_path / "precious").write_bytes(b"mine")
    (drive / "EDGEKIT.UF2").symlink_to(tmp_path / "precious")
    with pytest.raises(FlashError, match="cannot write to the drive"):
        flash.flash_model(MODEL, V1, str(drive))
    assert (tmp_path / "precious").read_bytes() == b"mine"


class Failing(_drive.DriveFile):
    """A file on a drive that fails at a step, or goes away there; everything before it is real."""

    def __init__(self, path: Path, step: str, after: int, act: Callable[[], None]) -> None:
        if step == "open":
            act()
        super().__init__(path)
        self.step, self.left, self.act = step, after, act

    def _do(self, step: str) -> None:
        if step == self.step:
            self.left -= 1
            if self.left < 0:
                self.act()

    def write(self, data: bytes) -> None:
        self._do("write")
        super().write(data)

    def sync(self) -> None:
        self._do("sync")
        super().sync()

    def close(self) -> None:
        super().close()
        self._do("close")


PIECES = -(-(512_000 - 512) // 32_768)


def write(drive: Path, step: str, after: int, act: Callable[[], None]) -> None:
    content = uf2.model_file(MODEL, V1)
    _drive.write(drive, content, V1.id, None, lambda path: Failing(path, step, after, act))


def failing(number: int) -> Callable[[], None]:
    def act() -> None:
        raise OSError(number, os.strerror(number))

    return act


@pytest.mark.parametrize(
    ("step", "after", "number", "message"),
    [
        ("open", 0, errno.EROFS, "cannot write to the drive .*Read-only file system; nothing was written"),
        ("open", 0, errno.EACCES, "cannot write to the drive .*Permission denied; nothing was written"),
        ("open", 0, errno.ENOSPC, "cannot write to the drive .*No space left on device; nothing was written"),
        (
            "write",
            3,
            errno.ENOSPC,
            "No space left on device; the board .* half written .at least 98,304 of 512,000",
        ),
        ("write", 0, errno.EIO, "half written .at least 0 of 512,000"),
        ("sync", 2, errno.EIO, "Input/output error; the board .* half written .at least 65,536 of 512,000"),
        (
            "write",
            PIECES,
            errno.ENODEV,
            "No such device; the board .* half written .at least 511,488 of 512,000",
        ),
    ],
)
def test_a_drive_that_fails(tmp_path: Path, step: str, after: int, number: int, message: str) -> None:
    drive = plug_in(tmp_path / "GROVEAI")
    with pytest.raises(FlashError, match=message):
        write(drive, step, after, failing(number))


def test_a_drive_that_goes_midway(tmp_path: Path) -> None:
    drive = plug_in(tmp_path / "GROVEAI")

    def pull() -> None:
        if drive.exists():
            drive.rename(tmp_path / "pulled")

    with pytest.raises(
        FlashError, match=r"the drive went away; the board .* half written .at least 65,536"
    ) as caught:
        write(drive, "write", 2, pull)
    assert "flash again" in caught.value.hint


def test_a_folder_that_stays_when_its_drive_has_gone(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    drive = plug_in(tmp_path / "GROVEAI")
    write(drive, "close", 0, lambda: monkeypatch.setattr(_volumes, "attached", lambda _: False))
    assert (drive / "EDGEKIT.UF2").read_bytes() == uf2.model_file(MODEL, V1)
    monkeypatch.setattr(_drive, "APPEAR_S", 0.02)
    with pytest.raises(FlashError, match="did not appear"):
        flash.flash_model(MODEL, V1, str(drive))


@pytest.mark.parametrize("step", ["sync", "close"])
def test_a_drive_that_goes_with_the_last_block_has_all(tmp_path: Path, step: str) -> None:
    drive = plug_in(tmp_path / "GROVEAI")

    def act() -> None:
        drive.rename(tmp_path / "taken")
        raise OSError(errno.EIO, "Input/output error")

    write(drive, step, PIECES if step == "sync" else 0, act)
    assert (tmp_path / "taken/EDGEKIT.UF2").read_bytes() == uf2.model_file(MODEL, V1)


@pytest.mark.parametrize("slot", [None, 1, 2, 3, 4])
def test_slots(slot: int | None) -> None:
    file = uf2.model_file(MODEL, V1, slot)
    assert file[12:16] == struct.pack("<I", 0x30000000 + ((slot or 1) - 1) * 0x100000)


def test_what_does_not_fit_is_refused_before_anything_is_written(tmp_path: Path) -> None:
    drive = plug_in(tmp_path / "GROVEAI")
    for slot in (0, 5):
        with pytest.raises(UsageError, match=f"no slot {slot}"):
            flash.flash_model(MODEL, V1, str(drive), slot=slot)
    for size in (0, 0x100000, 0x100000 - 3):
        with pytest.raises(DoesNotFitError, match=f"the model has {size:,} bytes .* less than 1,048,576"):
            flash.flash_model(bytes(size), V1, str(drive))
    with pytest.raises(DoesNotFitError, match=r"1,048,572 bytes \(1,048,576 as it is stored\)"):
        flash.flash_model(bytes(0x100000 - 4), V1, str(drive), header="sensecapai")
    with pytest.raises(DoesNotFitError, match="at most 2,088,960"):
        flash.flash(made_image(tmp_path, V1, bytes(0x1FE001)), V1, str(drive))
    with pytest.raises(FlashError, match="several parts"):
        flash.flash(made_image(tmp_path, V1, b"x", {0x30000000: b"y"}), V1, str(drive))
    with pytest.raises(FlashError, match="is empty; the board 'grove_vision_ai' is as it was"):
        flash.flash(made_image(tmp_path, V1, b""), V1, str(drive))
    image = made_image(tmp_path, V1, b"x")
    image.path.write_bytes(b"y")
    with pytest.raises(FlashError, match="has changed since it was built"):
        flash.flash(image, V1, str(drive))
    assert list(drive.iterdir()) == [drive / "INFO_UF2.TXT"]


@pytest.mark.parametrize(
    ("port", "serial"),
    [
        (None, None),
        ("auto", "auto"),
        ("/dev/ttyACM0", "/dev/ttyACM0"),
        ("COM3", "COM3"),
        ("socket://localhost:1", "socket://localhost:1"),
        ("/media/ann/GROVEAI", None),
        ("G:\\", None),
        ("drive", None),
    ],
)
def test_a_port_is_the_serial_line_or_the_drive(port: str | None, serial: str | None) -> None:
    assert flash.serial_port(V1, port) == serial
    assert flash.serial_port(boards.load("grove_vision_ai_v2"), port) == port


@pytest.mark.parametrize(
    ("key", "value", "message"),
    [
        ("drive_labels", (), "at least 1"),
        ("family", -1, "flash.facts.family"),
        ("firmware_address", 0xFFFF_FF00, "flash.facts.firmware_address"),
        ("model_address", 0xFFD0_0000, "4,194,304 bytes behind it"),
        ("model_header", "none", "one of groveai, sensecapai"),
        ("label", "X", "unknown key 'flash.facts.label'"),
    ],
)
def test_facts_are_read_strictly(key: str, value: object, message: str) -> None:
    wrong = replace(V1, flash=replace(V1.flash, facts={**V1.flash.facts, key: value}))  # type: ignore[dict-item]
    with pytest.raises(ProjectError, match=message):
        flash.flash_model(MODEL, wrong)
