"""Writes files whole or not at all."""

import contextlib
import os
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

from edgekit.errors import OutputError


def write_whole(path: Path, content: bytes) -> None:
    """Write `content` to `path` so that a reader sees the old file or the new one, never a part.

    A device or a pipe (`/dev/null`, `/dev/stdout`) is written to as it is, and a link is followed.

    Raises:
        OutputError: the folder cannot be made or the file cannot be written.
    """
    try:
        if _is_special(path):
            path.write_bytes(content)
            return
        if path.is_symlink():
            path = path.resolve()
        path.parent.mkdir(parents=True, exist_ok=True)
        handle, name = tempfile.mkstemp(prefix=f".{path.name}.", dir=path.parent)
    except OSError as error:
        raise _cannot_write(path, error) from error
    try:
        with os.fdopen(handle, "wb") as file:
            file.write(content)
        # mkstemp makes private files; give the file what open() would have given it.
        mask = os.umask(0)
        os.umask(mask)
        Path(name).chmod(0o666 & ~mask)
        Path(name).replace(path)
    except BaseException as error:
        Path(name).unlink(missing_ok=True)
        if isinstance(error, OSError):
            raise _cannot_write(path, error) from error
        raise


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
        OutputError: the folder cannot be made.
    """
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise _cannot_write(folder, error) from error
    if sys.platform == "win32":
        yield
        return
    import fcntl

    try:
        handle = os.open(folder, os.O_RDONLY)
    except OSError as error:
        raise _cannot_write(folder, error) from error
    try:
        fcntl.flock(handle, fcntl.LOCK_EX)
        yield
    finally:
        os.close(handle)


def _cannot_write(path: Path, error: OSError) -> OutputError:
    return OutputError(
        f"cannot write '{path}': {error.strerror or error}",
        "choose another place, or make this one writable",
    )
