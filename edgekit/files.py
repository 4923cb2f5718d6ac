"""Reads regular files only, and writes files whole or not at all."""

import contextlib
import errno
import os
import secrets
import stat
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import BinaryIO

from edgekit.errors import OutputError

_LOCK_S = 600.0
_PATIENCE_S = 1.0
_POLL_S = 0.02

TEMPORARY = ".edgekit-"
"""How the name of a file begins that is being written and will get its own name when it is whole."""


def open_regular(path: Path) -> BinaryIO:
    """Open a file for reading. Only a regular one is opened: a pipe may have no writer, a device no end.

    Raises:
        OSError: it is no regular file, or cannot be opened.
    """
    try:
        mode = path.stat().st_mode
    except ValueError as error:  # a NUL in the name
        raise OSError(errno.EINVAL, str(error), str(path)) from error
    if not stat.S_ISREG(mode) and not stat.S_ISDIR(mode):
        raise OSError(errno.EINVAL, "it is a pipe or a device, not a regular file", str(path))
    # Should it become a pipe meanwhile, it is opened without waiting, and is empty.
    return open(path, "rb", opener=lambda name, flags: os.open(name, flags | getattr(os, "O_NONBLOCK", 0)))


def read_regular(path: Path, most: int | None = None) -> bytes:
    """Return the content of a regular file of at most `most` bytes. Raises OSError, as `open_regular`."""
    with open_regular(path) as file:
        # What a file holds is asked before memory is taken for it.
        if most is not None and os.fstat(file.fileno()).st_size > most:
            raise OSError(errno.EFBIG, f"it is larger than {most:,} bytes", str(path))
        return file.read()


def read_named(path: Path, most: int) -> bytes:
    """Return what a file that a user has typed holds. It may be a pipe: its writer is waited for.

    Raises:
        OSError: it cannot be read, or holds more than `most` bytes.
    """
    if not _is_special(path):
        return read_regular(path, most)
    with path.open("rb") as file:
        content = file.read(most + 1)
    if len(content) > most:
        raise OSError(errno.EFBIG, f"it is larger than {most:,} bytes", str(path))
    return content


def write_whole(path: Path, content: bytes, *, durable: bool = True, private: bool = False) -> None:
    """Write `content` to `path` so that a reader sees the old file or the new one, never a part.

    The new file has the old one's permissions and group, else those of any new file, and is never open to
    more. A device or a pipe (`/dev/null`, `/dev/stdout`) is written to as it is, and a link is followed.

    Args:
        path: the file. Folders above it are made.
        content: all of it.
        durable: outlive a loss of power: the content is on the disk before it has the name, and the name
            before this returns. It costs a disk up to some 10 ms a file, which is little for what a user
            waits for (a model, scores, a certificate) and much for a project's 40 files. What edgekit can
            make again at any time, and compares with what it should be before it uses it, does without.
        private: a new file is its owner's alone.

    Raises:
        OutputError: the folder cannot be made or the file cannot be written.
    """
    try:
        if _is_special(path):
            return _write_special(path, content)
        if path.is_symlink():
            path = path.resolve()
        new = [folder for folder in path.parents if not folder.exists()]
        path.parent.mkdir(parents=True, exist_ok=True)
        old = path.stat() if path.exists() else None
        name = path.parent / f"{TEMPORARY}{secrets.token_hex(8)}"
        flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | getattr(os, "O_BINARY", 0)
        handle = os.open(name, flags, 0o666 if old is None and not private else 0o600)
    except OSError as error:
        raise _cannot_write(path, error) from error
    try:
        with os.fdopen(handle, "wb") as file:
            if old is not None:
                _protect(name, old)
            file.write(content)
            if durable:
                file.flush()
                os.fsync(file.fileno())
        name.replace(path)
        for folder in {path.parent, *(folder.parent for folder in new)} if durable else ():
            _sync_folder(folder)
    except BaseException as error:
        name.unlink(missing_ok=True)
        if isinstance(error, OSError):
            raise _cannot_write(path, error) from error
        raise


def _protect(name: Path, old: os.stat_result) -> None:
    """Give a file that nobody else can read the group and the permissions of the one that it will replace."""
    mode = stat.S_IMODE(old.st_mode) & 0o777
    if sys.platform != "win32":
        try:
            os.chown(name, -1, old.st_gid)
        except OSError:  # not a group of ours: its rights are not for another one
            mode &= ~stat.S_IRWXG
    name.chmod(mode)


def _sync_folder(folder: Path) -> None:
    """Bring the names of a folder to the disk, where its file system can do that."""
    with contextlib.suppress(OSError):
        handle = os.open(folder, os.O_RDONLY)
        try:
            os.fsync(handle)
        finally:
            os.close(handle)


def _write_special(path: Path, content: bytes) -> None:
    """Write to a device or a pipe; one that nobody reads is an error, not a wait."""
    handle = os.open(path, os.O_WRONLY | getattr(os, "O_NONBLOCK", 0))
    with os.fdopen(handle, "wb") as file:
        os.set_blocking(handle, True)
        file.write(content)


def check_writable(path: Path) -> None:
    """Find out before long work whether `write_whole` to `path` can succeed. Raises OutputError.

    Nothing is made: folders that are missing must not stay behind if the work fails.
    """
    try:
        if path.is_dir():
            raise OutputError(f"cannot write '{path}': it is a folder", "name a file")
        if _is_special(path):
            return
        folder = (path.resolve() if path.is_symlink() else path).parent
        while not folder.exists() and folder != folder.parent:
            folder = folder.parent
        with tempfile.TemporaryFile(dir=folder):
            pass
    except OSError as error:
        raise _cannot_write(path, error) from error


def _is_special(path: Path) -> bool:
    """Return whether a path is something that must not be replaced by a file: a device, a pipe, a socket."""
    return path.exists() and not path.is_file() and not path.is_dir()


@contextlib.contextmanager
def locked(folder: Path) -> Iterator[None]:
    """Keep other processes that lock the same folder waiting; the folder is made if it is not there.

    The lock is on the folder itself and leaves nothing behind, however the process ends. Where folders
    cannot be locked (Windows) this does nothing.

    Raises:
        OutputError: the folder cannot be made, or another process keeps it locked for 10 minutes.
    """
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise _cannot_write(folder, error) from error
    if sys.platform == "win32":
        yield
        return
    try:
        handle = os.open(folder, os.O_RDONLY)
    except OSError as error:
        raise _cannot_write(folder, error) from error
    try:
        _lock(handle, folder)
        yield
    finally:
        os.close(handle)


def _lock(handle: int, folder: Path) -> None:
    """Lock an open folder as soon as nobody else does; say so where that takes long. Raises OutputError."""
    if sys.platform == "win32":
        return
    import fcntl

    start, is_said = time.monotonic(), False
    while True:
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
            return
        except BlockingIOError:
            waited = time.monotonic() - start
        except OSError as error:
            raise _cannot_write(folder, error) from error
        if waited > _LOCK_S:
            raise OutputError(
                f"another process has kept '{folder}' locked for {_LOCK_S:g} s",
                f"end it, or use another folder; `fuser -v '{folder}'` names it",
            )
        if waited > _PATIENCE_S and not is_said:
            import logging

            is_said = True
            logging.getLogger("edgekit.files").warning("waiting for another process that uses '%s'", folder)
        time.sleep(_POLL_S)


def _cannot_write(path: Path, error: OSError) -> OutputError:
    if error.errno == errno.ENXIO:
        return OutputError(f"cannot write '{path}': nobody reads that pipe", "start its reader first")
    return OutputError(
        f"cannot write '{path}': {error.strerror or error}",
        "choose another place, or make this one writable",
    )
