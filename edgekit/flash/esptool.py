# ruff: noqa: ARG001
"""Flashes by esptool."""

from edgekit.board import Board
from edgekit.errors import FlashError
from edgekit.firmware.image import FirmwareImage
from edgekit.flash import Progress


def flash(image: FirmwareImage, board: Board, port: str | None, progress: Progress | None) -> None:
    """Write an image to the board. Raises FlashError."""
    raise FlashError(f"the board '{board.id}' cannot be flashed by esptool yet")
