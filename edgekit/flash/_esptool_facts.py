"""What a board file says to esptool under `[flash.facts]`."""

import os
from dataclasses import dataclass

from edgekit.board import Board
from edgekit.errors import ProjectError, UsageError
from edgekit.firmware.image import FlashSettings

LARGEST_FLASH = 128 << 20
"""In bytes; esptool knows no larger one."""

SECTOR_BYTES = 4096
"""In bytes: flash is erased in such pieces."""
_BAUD = 460800
"""Ports that are USB all the way ignore it; the usual bridges manage it."""


@dataclass(frozen=True, slots=True)
class Facts:
    """What a board file says under `[flash.facts]`."""

    chip: str
    baud: int
    boot_mode: str
    model_offset: int
    model_bytes: int
    """0 where the board's stock firmware keeps no model of its own."""
    model_magic: str

    def speed(self) -> int:
        """Return the speed of the line, which ESPTOOL_BAUD overrides. Raises UsageError."""
        stated = os.environ.get("ESPTOOL_BAUD")
        if not stated:
            return self.baud
        if not (stated.isascii() and stated.isdigit() and 1200 <= int(stated[:9]) <= 5_000_000):
            raise UsageError(f"ESPTOOL_BAUD is '{stated[:40]}', which is no speed in 1200..5000000")
        return int(stated)

    def to_download_mode(self) -> str:
        """Return how a person helps a board whose chip does not answer."""
        by_hand = self.boot_mode or "hold BOOT, tap RESET, let go of BOOT"
        return f"put the board into download mode by hand: {by_hand}. Then flash again"


def read(board: Board) -> Facts:
    """Read a board's facts, strictly. Raises ProjectError."""
    found = dict(board.flash.facts)

    def take(key: str, kind: type, default: str | int | None, low: int = 0, high: int = 0) -> str | int:
        value = found.pop(key, default)
        good = type(value) is kind and (not isinstance(value, int) or low <= value <= high)
        if not good:
            allowed = "text" if kind is str else f"an integer in {low}..{high}"
            raise ProjectError(f"'{board.path}': flash.facts.{key} is wrong; it must be {allowed}")
        assert isinstance(value, str | int)
        return value

    facts = Facts(
        chip=str(take("chip", str, None)),
        baud=int(take("baud", int, _BAUD, 1200, 5_000_000)),
        boot_mode=str(take("boot_mode", str, "")),
        model_offset=int(take("model_offset", int, 0, 0, LARGEST_FLASH)),
        model_bytes=int(take("model_bytes", int, 0, 0, LARGEST_FLASH)),
        model_magic=str(take("model_magic", str, "")),
    )
    if found:
        raise ProjectError(f"'{board.path}': the flash method 'esptool' takes no fact '{min(found)}'")
    if FlashSettings(chip=facts.chip).wrong_field() or not facts.chip:
        raise ProjectError(f"'{board.path}': flash.facts.chip is wrong; it must be a chip such as esp32s3")
    if (facts.model_offset == 0) != (facts.model_bytes == 0) or facts.model_offset % SECTOR_BYTES:
        raise ProjectError(
            f"'{board.path}': flash.facts.model_offset is wrong; it must be a multiple of {SECTOR_BYTES}, "
            "and stand together with model_bytes"
        )
    return facts
