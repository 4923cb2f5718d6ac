"""Boards, images and a short-tempered esptool for the tests of flashing."""

import hashlib
import json
import random
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from edgekit import board
from edgekit.board import Board
from edgekit.firmware import flasher_args
from edgekit.firmware.image import FirmwareImage


@pytest.fixture
def configure(
    tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch
) -> Callable[..., None]:
    """Return a function that sets esptool's limits, in seconds; the environment names no port or speed."""
    for name in ("PORT", "BAUD"):
        monkeypatch.delenv(f"ESPTOOL_{name}", raising=False)

    def write(timeout: float = 60, sync_timeout: float = 0.5, connect_attempts: int = 3) -> None:
        path = tmp_path_factory.mktemp("config") / "esptool.cfg"
        limits = (
            f"timeout = {timeout}\nsync_timeout = {sync_timeout}\nconnect_attempts = {connect_attempts}\n"
        )
        path.write_text(f"[esptool]\n{limits}")
        monkeypatch.setenv("ESPTOOL_CFGFILE", str(path))

    return write


@pytest.fixture
def _patient(configure: Callable[..., None]) -> None:
    """Let esptool wait longer than a busy machine makes it: only who must time out sets other limits."""
    configure()


@pytest.fixture
def xiao() -> Board:
    return board.load("xiao_esp32s3")


def boot_loader(size: int, chip_id: int = 9) -> bytes:
    """Return bytes with the header of a boot loader's image, which holds no segments."""
    header = bytes([0xE9, 0, 2, 0x3F]) + bytes(8) + chip_id.to_bytes(2, "little") + bytes(10)
    return header + random.Random(size).randbytes(size - len(header))


@dataclass(frozen=True)
class Built:
    """A built image, and what is expected in flash by offset."""

    image: FirmwareImage
    contents: dict[int, bytes]


@pytest.fixture
def built(tmp_path: Path) -> Callable[..., Built]:
    """Return a function that makes an image as an ESP-IDF build leaves it, in a folder of its own."""

    def make(folder: Path | None = None, **fields: Any) -> Built:
        folder = folder or tmp_path / "firmware"
        bytes_of = random.Random(7).randbytes
        contents = {
            0x0: ("bootloader/bootloader.bin", boot_loader(20_000)),
            0x8000: ("partition_table/partition-table.bin", bytes_of(300) * 10),
            0x10000: ("firmware.bin", bytes_of(3000) + bytes(40_000) + bytes_of(50_000)),
            0x400000: ("model.bin", b"\x1c\0\0\0TFL3" + bytes_of(20_000)),
        }
        for path, content in contents.values():
            (folder / "build" / path).parent.mkdir(parents=True, exist_ok=True)
            (folder / "build" / path).write_bytes(content)
        names = {0x0: "bootloader", 0x8000: "partition-table", 0x10000: "app", 0x400000: "model"}
        entries = {
            name: {"offset": hex(offset), "file": contents[offset][0], "encrypted": "false"}
            for offset, name in names.items()
        }
        document = {
            "write_flash_args": ["--flash_mode", "dio", "--flash_size", "8MB", "--flash_freq", "80m"],
            "flash_files": {hex(offset): path for offset, (path, _) in contents.items()},
            "extra_esptool_args": {
                "after": "hard_reset",
                "before": "default_reset",
                "stub": True,
                "chip": "esp32s3",
            },
            **entries,
        }
        (folder / "build" / flasher_args.NAME).write_text(json.dumps(document))
        args = flasher_args.read(folder / "build")
        app = folder / "build" / "firmware.bin"
        defaults = dict.fromkeys(("model_digest", "contract_digest", "project_digest"), "0" * 64)
        image = FirmwareImage(
            **{
                "path": folder / "build" / "firmware.bin",
                "board_id": "xiao_esp32s3",
                "sha256": hashlib.sha256(app.read_bytes()).hexdigest(),
                "size_bytes": app.stat().st_size,
                "compiler": "xtensa-esp32s3-elf-gcc 14.2.0",
                "debug": False,
                "parts": flasher_args.parts(args, folder / "build"),
                "flash_settings": args.settings,
                **defaults,
                **fields,
            }
        )
        return Built(image, {offset: content for offset, (_, content) in contents.items()})

    return make
