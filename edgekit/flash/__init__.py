"""Brings firmware to a board. One module per method; the file name is the method's name."""

import importlib
from collections.abc import Callable
from pathlib import Path
from typing import TypeAlias

from edgekit.board import Board
from edgekit.errors import ProjectError, ToolError, UsageError
from edgekit.firmware.image import FirmwareImage

Progress: TypeAlias = Callable[[int, int], None]
"""Called with the bytes written so far and the bytes in all."""


def methods() -> tuple[str, ...]:
    """Return the names of the flash methods, sorted."""
    return tuple(sorted(path.stem for path in Path(__file__).parent.glob("[a-z]*.py")))


def flash(
    image: FirmwareImage, board: Board, port: str | None = None, progress: Progress | None = None
) -> None:
    """Write an image to a board, by the method of its board file.

    Args:
        image: a built firmware for this board.
        board: its `flash.method` names the module.
        port: where the board is; None lets the method find it, or means none is needed.
        progress: called during the work.

    Raises:
        ToolError: the image is of another board.
        FlashError: writing failed; what state the board is in is in the message.
    """
    method = board.flash.method
    if method not in methods():
        raise ProjectError(f"'{board.path}': there is no flash method '{method}'", ", ".join(methods()))
    if image.board_id != board.id:
        raise ToolError(
            f"the image '{image.path}' was built for the board '{image.board_id}', not for '{board.id}'",
            f"run `edgekit generate` and `edgekit build` for --board {board.id}",
        )
    importlib.import_module(f"edgekit.flash.{method}").flash(image, board, port, progress)


def flash_model(
    content: bytes,
    board: Board,
    port: str | None = None,
    progress: Progress | None = None,
    slot: int | None = None,
) -> None:
    """Write a model alone to where the firmware on a board looks for it: stock firmware, or ours with a slot.

    Args:
        content: the int8 .tflite.
        board: its `flash.method` names the module.
        port: where the board is; None lets the method find it.
        progress: called during the work.
        slot: which of several places, from 1; None means the first.

    Raises:
        UsageError: the board keeps no model apart from its firmware.
        DoesNotFitError: the model is larger than its place.
        FlashError: writing failed; what state the board is in is in the message.
    """
    method = importlib.import_module(f"edgekit.flash.{board.flash.method}")
    if board.flash.method not in methods() or not hasattr(method, "flash_model"):
        raise UsageError(
            f"the board '{board.id}' keeps no model apart from its firmware", "leave out --model-only"
        )
    method.flash_model(content, board, port, progress, slot)
