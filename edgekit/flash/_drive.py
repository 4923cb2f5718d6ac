"""The drive that a UF2 bootloader shows: waited for, checked, written to, and expected to go."""

import contextlib
import os
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from edgekit.errors import FlashError
from edgekit.files import open_regular
from edgekit.flash import Note, Progress, _volumes
from edgekit.flash._uf2_format import BLOCK_BYTES

APPEAR_S = 120.0
"""How long a person has to bring up the drive."""
VANISH_S = 30.0
"""How long the board may take to write what it was given; it then goes by itself."""
_POLL_S = 0.1
_PIECE_BYTES = 64 * BLOCK_BYTES
_INFO = "INFO_UF2.TXT"
_INFO_BYTES = 4096
_FILE = "EDGEKIT.UF2"


@dataclass(frozen=True, slots=True)
class Expected:
    """How to know the drive."""

    board: str
    """The id of the board, for messages."""
    labels: tuple[str, ...]
    ids: tuple[str, ...]
    """What `Board-ID` in its INFO_UF2.TXT may be; empty where that is not known."""
    not_ids: tuple[str, ...]
    """What it must not be: other boards with such a drive."""


class File(Protocol):
    """A file on the drive, open for writing."""

    def write(self, data: bytes) -> None:
        """Write all of `data`."""

    def sync(self) -> None:
        """Wait until what was written has left this computer."""

    def close(self) -> None:
        """Close the file."""


class DriveFile:
    """An unbuffered file of the operating system; an old one of that name is emptied, a link not followed."""

    def __init__(self, path: Path) -> None:
        flags = os.O_WRONLY | os.O_CREAT | os.O_TRUNC
        for name in ("O_NOFOLLOW", "O_BINARY", "O_NONBLOCK"):  # a pipe is an error, not a wait
            flags |= getattr(os, name, 0)
        self._number = os.open(path, flags, 0o666)

    def write(self, data: bytes) -> None:
        """See `File`."""
        rest = memoryview(data)
        while rest:
            rest = rest[os.write(self._number, rest) :]

    def sync(self) -> None:
        """See `File`."""
        os.fsync(self._number)

    def close(self) -> None:
        """See `File`."""
        os.close(self._number)


def wait_for(expected: Expected, folder: Path | None, on_note: Note) -> Path:
    """Return the folder of the board's drive as soon as it is there.

    Args:
        expected: how to know it.
        folder: where the user says that it is; None looks for it by its label.
        on_note: told what to do if it is not there yet.

    Raises:
        FlashError: it does not come, or it is another board's.
    """
    deadline = time.monotonic() + APPEAR_S
    told = ""
    while True:
        candidates = [folder] if folder is not None else _volumes.labelled(expected.labels)
        drive = next((place for place in candidates if _is_there(place)), None)
        if drive is not None:
            _check_board(drive, expected)
            return drive
        advice = _advice(expected, folder)
        if time.monotonic() >= deadline:
            raise FlashError(
                f"{_named(expected, folder)} did not appear within {APPEAR_S:g} s; "
                f"nothing was written, the board '{expected.board}' is as it was",
                f"{advice}; or name its folder with --port",
            )
        if advice != told:
            on_note(advice)
            told = advice
        time.sleep(_POLL_S)


def _is_there(drive: Path) -> bool:
    """Return whether a drive is there; of one that was pulled out, the folder may stay and fail."""
    try:
        return _volumes.attached((drive / _INFO).stat().st_dev)
    except OSError:
        return False


def _named(expected: Expected, folder: Path | None) -> str:
    return f"the drive '{folder or ' or '.join(expected.labels)}' of the board '{expected.board}'"


def _advice(expected: Expected, folder: Path | None) -> str:
    device = _volumes.unmounted(expected.labels) if folder is None else None
    if device is not None:
        return f"the board is there as {device} but not mounted: run `udisksctl mount -b {device}`"
    return f"double-click the board's BOOT button: {_named(expected, folder)} is waited for"


def _check_board(drive: Path, expected: Expected) -> None:
    as_it_was = "nothing was written, the board is as it was"
    try:
        with open_regular(drive / _INFO) as file:
            text = file.read(_INFO_BYTES).decode("utf-8", errors="replace")
    except OSError as error:
        raise FlashError(
            f"cannot read '{drive / _INFO}': {error.strerror}; {as_it_was}", "plug the board in again"
        ) from error
    keys = {
        key.strip().casefold(): value.strip()
        for key, _, value in (s.partition(":") for s in text.splitlines())
    }
    found = keys.get("board-id", "")
    known = {name.casefold() for name in expected.ids}
    others = {name.casefold() for name in expected.not_ids}
    if not found or found.casefold() in others or (known and found.casefold() not in known):
        wanted = f"'{' or '.join(expected.ids)}'" if expected.ids else f"a '{expected.board}'"
        said = f"says Board-ID '{found[:60]}'" if found else "names no Board-ID"
        raise FlashError(
            f"the drive '{drive}' is another board's: its {_INFO} {said}, expected {wanted}; {as_it_was}",
            "choose the board with --board, or name the right drive with --port",
        )


def write(
    drive: Path,
    content: bytes,
    board: str,
    progress: Progress | None,
    open_file: Callable[[Path], File] = DriveFile,
) -> None:
    """Write a .uf2 to a drive and wait until the drive goes, which says that the board has taken it.

    The last block is written alone, when all before it has left the computer: a board that goes away then has
    everything, whatever the system says of the file that it could not finish.

    Raises:
        FlashError: with what the board holds now.
    """
    pieces: Sequence[bytes] = [
        content[at : min(at + _PIECE_BYTES, len(content) - BLOCK_BYTES)]
        for at in range(0, len(content) - BLOCK_BYTES, _PIECE_BYTES)
    ]
    written = 0
    file = None
    try:
        file = open_file(drive / _FILE)
        for piece in pieces:
            file.write(piece)
            file.sync()
            # A drive that was pulled off a folder leaves files behind that can be written to for ever.
            if not _is_there(drive):
                raise FileNotFoundError(0, "the drive went away")
            written += len(piece)
            _tell(progress, written, len(content))
        file.write(content[-BLOCK_BYTES:])
    except OSError as error:
        if file is not None:
            with contextlib.suppress(OSError):
                file.close()
        raise _failed(drive, board, error, written, len(content), opened=file is not None) from error
    for last in (file.sync, file.close):
        # The board restarts as soon as it has the last block: its drive may go before the file is finished.
        with contextlib.suppress(OSError):
            last()
    _tell(progress, len(content), len(content))
    _await_end(drive, board)


def _tell(progress: Progress | None, done: int, whole: int) -> None:
    if progress is not None:
        progress(done, whole)


def _failed(drive: Path, board: str, error: OSError, written: int, whole: int, *, opened: bool) -> FlashError:
    why = error.strerror or str(error)
    if not opened:
        return FlashError(
            f"cannot write to the drive '{drive}': {why}; nothing was written, the board is as it was",
            "check that the drive is not write-protected, or bring it up again",
        )
    return FlashError(
        f"writing to the drive '{drive}' failed: {why}; the board '{board}' is half written "
        f"(at least {written:,} of {whole:,} bytes) and will not run until it is flashed again",
        "double-click BOOT and flash again; nothing else needs to be done first",
    )


def _await_end(drive: Path, board: str) -> None:
    deadline = time.monotonic() + VANISH_S
    while _is_there(drive):
        if time.monotonic() >= deadline:
            raise FlashError(
                f"all was written, but the drive '{drive}' is still there after {VANISH_S:g} s: the board "
                f"'{board}' has not taken the file, and it is not known what it holds",
                "double-click BOOT and flash again; the bootloader should be version 2.0.0 or later",
            )
        time.sleep(_POLL_S)
