"""Brings firmware to a board. One module per method; the file name is the method's name."""

import importlib
from collections.abc import Callable
from pathlib import Path
from types import ModuleType
from typing import Any, TypeAlias

from edgekit.board import Board
from edgekit.errors import ProjectError, ToolError, UsageError
from edgekit.firmware.image import FirmwareImage

Progress: TypeAlias = Callable[[int, int], None]
"""Called with the bytes written so far and the bytes in all."""
Note: TypeAlias = Callable[[str], None]
"""Called with what a person should do or know meanwhile, such as which button to press."""


def methods() -> tuple[str, ...]:
    """Return the names of the flash methods, sorted."""
    return tuple(sorted(path.stem for path in Path(__file__).parent.glob("[a-z]*.py")))


def flash(
    image: FirmwareImage,
    board: Board,
    port: str | None = None,
    progress: Progress | None = None,
    part: str | None = None,
    *,
    on_note: Note | None = None,
) -> None:
    """Write an image to a board, by the method of its board file.

    Args:
        image: a built firmware for this board.
        board: its `flash.method` names the module.
        port: where the board is; None lets the method find it, or means none is needed.
        progress: called during the work.
        part: write only the part of this name, such as `model`; the rest must be on the board already.
        on_note: told what a person should do meanwhile.

    Raises:
        UsageError: the image has no such part, or the board is flashed whole.
        ProjectError: the board file names no method that there is, or facts that it does not take.
        ToolError: the image is of another board, or the method's tool is missing.
        DoesNotFitError: the image is larger than the place for it.
        PortError: the port is absent, busy or not permitted, or None finds none or several.
        FlashError: writing failed; what state the board is in is in the message.
    """
    method = _method(board)
    check_built_for(image, board)
    if part is None:
        method.flash(image, board, port, progress, **_told(method, on_note))
        return
    if not hasattr(method, "flash_part"):
        raise UsageError(f"the board '{board.id}' is flashed whole", "leave out --model-only")
    method.flash_part(image, part, board, port, progress)


def check_built_for(image: FirmwareImage, board: Board) -> None:
    """Refuse an image of another board. Raises ToolError."""
    if image.board_id != board.id:
        raise ToolError(
            f"the image '{image.path}' was built for the board '{image.board_id}', not for '{board.id}'",
            f"run `edgekit flash --board {board.argument} --model MODEL`, which builds it too",
        )


def flash_model(
    content: bytes,
    board: Board,
    port: str | None = None,
    progress: Progress | None = None,
    slot: int | None = None,
    *,
    header: str | None = None,
    on_note: Note | None = None,
) -> None:
    """Write a model alone to where the firmware on a board looks for it: stock firmware, or ours with a slot.

    Args:
        content: the int8 .tflite.
        board: its `flash.method` names the module.
        port: where the board is; None lets the method find it.
        progress: called during the work.
        slot: which of several places, from 1; None means the first.
        header: what stands in front of the model, for boards that know several ways; None means the board's.
        on_note: told what a person should do meanwhile.

    Raises:
        UsageError: the board keeps no model apart from its firmware, or has no such slot or header.
        DoesNotFitError: the model is larger than its place.
        FlashError: writing failed; what state the board is in is in the message.
    """
    method = _method(board)
    if not hasattr(method, "flash_model"):
        raise UsageError(
            f"the board '{board.id}' keeps no model apart from its firmware", "leave out --model-only"
        )
    chosen = _told(method, on_note)
    if header is not None:
        if not hasattr(method, "HEADERS"):
            raise UsageError(f"the board '{board.id}' takes a model as it is", "leave out --header")
        chosen["header"] = header
    method.flash_model(content, board, port, progress, slot, **chosen)


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


def is_compiled_model(content: bytes, board: Board) -> bool:
    """Return whether a .tflite was compiled for the board's own processor of networks."""
    method = _method(board)
    return hasattr(method, "is_compiled_model") and bool(method.is_compiled_model(content, board))


def serial_port(board: Board, port: str | None) -> str | None:
    """Return the serial port of a board that was flashed at `port`, which may name a drive instead."""
    method = _method(board)
    found: str | None = method.serial_port(port) if hasattr(method, "serial_port") else port
    return found


def _method(board: Board) -> ModuleType:
    """Return the module of the board's flash method. Raises ProjectError where there is none."""
    method = board.flash.method
    if method not in methods():
        raise ProjectError(f"'{board.path}': there is no flash method '{method}'", ", ".join(methods()))
    return importlib.import_module(f"edgekit.flash.{method}")


def _told(method: ModuleType, on_note: Note | None) -> dict[str, Any]:
    """Return what a method takes beyond the usual: those that need a person's hand tell what to do."""
    return {"on_note": on_note or (lambda _: None)} if hasattr(method, "TELLS_A_PERSON") else {}
