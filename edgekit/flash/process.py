"""Flashes a virtual board: the image is put where the board's process is started from."""

import contextlib
import hashlib
import os
from dataclasses import replace
from pathlib import Path

from edgekit import resources
from edgekit.board import Board
from edgekit.errors import FlashError, ToolError, UsageError
from edgekit.files import locked, read_regular, write_whole
from edgekit.firmware.image import FirmwareImage
from edgekit.flash import Progress


def flash(image: FirmwareImage, board: Board, port: str | None, progress: Progress | None) -> None:
    """Install an image as the program of a virtual board; the one before stays until this one is whole.

    Raises:
        UsageError: a port was given.
        FlashError: the image cannot be read, or is not what its record says.
        OutputError: the board's folder cannot be written.
    """
    if port is not None:
        raise UsageError(
            f"the board '{board.id}' is a virtual one and has no port '{port}'",
            "leave out --port; EDGEKIT_PORT and board.port of edgekit.toml name one, too",
        )
    if board.flash.facts:
        raise UsageError(f"'{board.path}': the flash method 'process' takes no facts")
    try:
        content = read_regular(image.path)
    except OSError as error:
        raise FlashError(
            f"cannot read the image '{image.path}': {error.strerror}; the board '{board.id}' is as it was"
        ) from error
    if hashlib.sha256(content).hexdigest() != image.sha256:
        raise FlashError(
            f"the image '{image.path}' has changed since it was built; the board '{board.id}' is as it was",
            "run `edgekit build` again",
        )
    if progress is not None:
        progress(0, len(content))
    folder = _folder(board)
    with locked(folder):
        # The record is what counts, and it is replaced last: a new name for a new image.
        target = folder / f"firmware-{image.sha256[:16]}"
        write_whole(target, content, durable=False)
        target.chmod(0o755)
        replace(image, path=target).save()
        for path in folder.glob("firmware-*"):
            if path != target:
                with contextlib.suppress(OSError):
                    path.unlink()
    if progress is not None:
        progress(len(content), len(content))


def installed(board: Board) -> FirmwareImage:
    """Return the image that was flashed last.

    Raises:
        FlashError: nothing was flashed, or it is damaged.
    """
    hint = f"run `edgekit flash --board {board.argument} --model MODEL`"
    try:
        image = FirmwareImage.load(_folder(board))
    except FileNotFoundError as error:
        raise FlashError(f"nothing is flashed on '{board.id}'", hint) from error
    except ToolError as error:
        raise FlashError(f"what is flashed on '{board.id}' is damaged: {error.message}", hint) from error
    if image.board_id != board.id or not os.access(image.path, os.X_OK):
        raise FlashError(f"what is flashed on '{board.id}' is damaged: '{image.path}' cannot be run", hint)
    return image


def _folder(board: Board) -> Path:
    return resources.cache() / "boards" / board.id
