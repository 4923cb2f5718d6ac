"""How the firmware of a virtual board ended, and what it said at the end."""

import os
import re
import signal
from typing import IO

from edgekit.board import Board, EmulatorKind
from edgekit.emulator import qemu
from edgekit.errors import FaultError, ToolError
from edgekit.firmware.image import FirmwareImage

_LAST_LINES = 20
_LAST_BYTES = 65536
# QEMU warns of every board whose network is not connected to anything.
_NO_NETWORK = re.compile(r"qemu-system-\S+: warning: nic \S+ has no peer")
_LOCKED_UP = -signal.SIGABRT
"""QEMU gives up on a Cortex-M that crashes inside its handler of crashes."""


def in_qemu(board: Board) -> bool:
    """Whether the board's firmware runs in QEMU."""
    return board.emulator is not None and board.emulator.kind is EmulatorKind.QEMU


def last_lines(errors: IO[bytes]) -> str:
    """Return the last lines of a file that a process is writing."""
    # Not by seeking: the process writes at the same position.
    handle = errors.fileno()
    end = os.fstat(handle).st_size
    text = os.pread(handle, _LAST_BYTES, max(0, end - _LAST_BYTES)).decode("utf-8", "replace")
    lines = (line for line in text.splitlines() if not _NO_NETWORK.match(line))
    return "\n".join(list(lines)[-_LAST_LINES:])


def check(image: FirmwareImage, board: Board, code: int | None, words: str) -> None:
    """Say how firmware in QEMU ended, if it did so by itself and not in order.

    A process that ends is a board that resets: whoever opens its line again starts it again, and it is the
    client that gives up. In QEMU the firmware itself can say that it crashed, and where; starting it again
    would hide that. If somebody kills QEMU, that is a reset too.

    Args:
        image: what ran.
        board: on what.
        code: the exit code, negative for a signal, None while it runs.
        words: its last lines.

    Raises:
        FaultError: the firmware crashed.
        ToolError: QEMU, or the firmware's files, failed.
    """
    if code is None or not in_qemu(board):
        return
    said = f":\n{words}" if words else " without a word"
    if code in (qemu.FAULT_EXIT, _LOCKED_UP):
        raise FaultError(
            f"the firmware on '{board.id}' has crashed{said}",
            f"the tool addr2line with `-e {image.path}` names the source line of an address",
        )
    if code > 0:
        raise ToolError(f"QEMU ended with exit code {code} on '{board.id}'{said}", qemu.HINT)
