"""Temporary folders: one that is in use is locked, and what a killed run has left is removed by the next.

The lock is on the folder itself and ends with its process, however that ends; a process number would tell
nothing across containers that share a folder for temporary files, and may belong to another one by now.
"""

import contextlib
import functools
import os
import shutil
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

from edgekit.errors import OutputError

PREFIX = "edgekit-scratch-"
_ROOM_BYTES = 1 << 20


@contextlib.contextmanager
def folder() -> Iterator[Path]:
    """Make an empty folder of this process's own, and remove it at the end.

    Raises:
        OutputError: there is no place for it.
    """
    try:
        root = tempfile.gettempdir()
        _remove_dead(root)
        path, lock = _make(root)
    except OSError as error:
        raise _no_room(error) from error
    try:
        yield path
    finally:
        shutil.rmtree(path, ignore_errors=True)
        if lock is not None:
            os.close(lock)


def environment(place: Path) -> tuple[tuple[str, str], ...]:
    """Return the variables that make other programs put their temporary files into a folder."""
    return tuple((name, str(place)) for name in ("TMPDIR", "TEMP", "TMP"))


def check_room() -> None:
    """Find out whether another program failed for want of room in the folder for temporary files.

    Raises:
        OutputError: not even 1 MiB can be written there.
    """
    try:
        with tempfile.TemporaryFile() as file:
            file.write(bytes(_ROOM_BYTES))
    except OSError as error:
        raise _no_room(error) from error


def _no_room(error: OSError) -> OutputError:
    place = f" in '{tempfile.tempdir}'" if tempfile.tempdir else ""
    return OutputError(
        f"cannot make temporary files{place}: {error.strerror or error}",
        "make room there, or name another folder in TMPDIR",
    )


def _make(root: str) -> tuple[Path, int | None]:
    """Return a new folder, and the file descriptor of its lock where there are locks."""
    while True:
        path = tempfile.mkdtemp(prefix=PREFIX, dir=root)
        if sys.platform == "win32":
            return Path(path), None
        # Another process may take it for a dead one's until the lock is ours: then there is none any more.
        with contextlib.suppress(FileNotFoundError):
            lock = os.open(path, os.O_RDONLY)
            with contextlib.suppress(OSError):  # some network file systems lock no folders
                _flock(lock, wait=True)
            if _is_at(lock, path):
                return Path(path), lock
            os.close(lock)


@functools.cache
def _remove_dead(root: str) -> None:
    """Remove what dead processes of this user have left in a folder; once a process, no link is followed."""
    if sys.platform == "win32":
        return
    with os.scandir(root) as entries:
        found = [entry.path for entry in entries if entry.name.startswith(PREFIX)]
    for path in found:
        with contextlib.suppress(OSError):
            lock = os.open(path, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW)
            try:
                if os.fstat(lock).st_uid == os.getuid():
                    _flock(lock, wait=False)
                    if _is_at(lock, path):
                        shutil.rmtree(path, ignore_errors=True)
            finally:
                os.close(lock)


def _flock(handle: int, *, wait: bool) -> None:
    """Lock a folder. Raises OSError if that cannot be, or must not be waited for."""
    if sys.platform != "win32":
        import fcntl

        fcntl.flock(handle, fcntl.LOCK_EX if wait else fcntl.LOCK_EX | fcntl.LOCK_NB)


def _is_at(handle: int, path: str) -> bool:
    """Return whether an open folder still has its name."""
    try:
        return os.path.samestat(os.fstat(handle), os.lstat(path))
    except FileNotFoundError:
        return False
