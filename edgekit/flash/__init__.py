"""Brings firmware to a board. One module per method; the file name is the method's name."""

import importlib
from collections.abc import Callable
from pathlib import Path
from types import ModuleType
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
    image: FirmwareImage,
    board: Board,
    port: str | None = None,
    progress: Progress | None = None,
    part: str | None = None,
) -> None:
    """Write an image to a board, by the method of its board file.

    Args:
        image: a built firmware for this board.
        board: its `flash.method` names the module.
        port: where the board is; None lets the method find it, or means none is needed.
        progress: called during the work.
        part: write only the part of this name, such as `model`; the rest must be on the board already.

    Raises:
        UsageError: the image has no such part, or the board is flashed whole.
        ProjectError: the board file names no method that there is, or facts that it does not take.
        ToolError: the image is of another board, or the method's tool is missing.
        PortError: the port is absent, busy or not permitted, or None finds none or several.
        FlashError: writing failed; what state the board is in is in the message.
    """
    method = _method(board)
    if image.board_id != board.id:
        raise ToolError(
            f"the image '{image.path}' was built for the board '{image.board_id}', not for '{board.id}'",
            f"run `edgekit generate` and `edgekit build` for --board {board.id}",
        )
    if part is None:
        method.flash(image, board, port, progress)
        return
    if not hasattr(method, "flash_part"):
        raise UsageError(f"the board '{board.id}' is flashed whole", "leave out --model-only")
    method.flash_part(image, part, board, port, progress)


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
    method = _method(board)
    if not hasattr(method, "flash_model"):
        raise UsageError(
            f"the board '{board.id}' keeps no model apart from its firmware", "leave out --model-only"
        )
    method.flash_model(content, board, port, progress, slot)


def flash_merged(path: Path, board: Board, port: str | None = None, progress: Progress | None = None) -> None:
    """Write a file of somebody else's that holds a board's whole flash, from its first byte on.

    Raises:
        UsageError: the board's method takes no such file.
        FlashError: the file is none, or writing failed; what state the board is in is in the message.
    """
    method = _method(board)
    if not hasattr(method, "flash_merged"):
        raise UsageError(f"the board '{board.id}' takes no merged image", "leave out --merged")
    method.flash_merged(path, board, port, progress)


def restart(board: Board, port: str | None = None) -> bool:
    """Restart a board that was flashed and stays in its boot loader; return whether it did stay there."""
    method = _method(board)
    return bool(method.restart(board, port)) if hasattr(method, "restart") else False


def default_port(board: Board, port: str | None) -> str | None:
    """Return the port that was given, else the one that the method's own environment names, else None."""
    method = _method(board)
    if port is None and hasattr(method, "default_port"):
        found: str | None = method.default_port()
        return found
    return port


def _method(board: Board) -> ModuleType:
    method = board.flash.method
    if method not in methods():
        raise ProjectError(f"'{board.path}': there is no flash method '{method}'", ", ".join(methods()))
    return importlib.import_module(f"edgekit.flash.{method}")
