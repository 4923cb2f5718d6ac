"""Marks what this user's builds made, so that nobody else's passes for it.

The key is a random one in edgekit's cache: marks that come with a stranger's project are worth nothing,
and what they stand beside is made anew.
"""

import functools
import hashlib
import hmac
import os
import secrets
import stat
import sys
from pathlib import Path

from edgekit import resources
from edgekit.errors import OutputError, ProjectError, ToolError
from edgekit.files import read_regular, write_whole

_BYTES = 32


def of(text: str) -> bytes:
    """Return the mark of a text, in hex."""
    return hmac.new(_secret(), text.encode(), hashlib.sha256).hexdigest().encode()


def check_folders(project_dir: Path, key: Path, names: tuple[str, ...]) -> None:
    """Refuse what an SDK's tools left in a project unless builds here left it; mark the project as ours.

    Args:
        project_dir: the project.
        key: where its mark is.
        names: files and folders that an SDK's build makes and takes up again.

    Raises:
        ToolError: one of them is there without our mark.
        OutputError: the mark cannot be written.
    """
    project_dir = project_dir.resolve()
    place = project_dir.stat()
    mark = of(f"{place.st_dev} {place.st_ino} {project_dir}")
    try:
        if hmac.compare_digest(read_regular(key, len(mark)), mark):
            return
    except OSError:
        pass
    found = [f"'{project_dir / name}'" for name in names if os.path.lexists(project_dir / name)]
    if found:
        raise ToolError(
            f"what builds left in {' and '.join(found)} was not made here, and a build would run it",
            "remove it: the build makes it again",
        )
    write_whole(key, mark, durable=False)


def _secret() -> bytes:
    try:
        return _kept(resources.cache() / "secret")
    except (OSError, OutputError, ProjectError):
        return _passing()  # nowhere to keep one: each run makes everything anew


@functools.cache
def _passing() -> bytes:
    return secrets.token_bytes(_BYTES)


@functools.cache
def _kept(path: Path) -> bytes:
    """Return the secret in a file that nobody else can read or has written; make it where there is none."""
    if (found := _read(path)) is not None:
        return found
    path.unlink(missing_ok=True)
    write_whole(path, secrets.token_bytes(_BYTES), private=True)
    # Another process may have made one at the same time: the last one counts, and costs a build at most.
    return read_regular(path, _BYTES)


def _read(path: Path) -> bytes | None:
    try:
        found, state = read_regular(path, _BYTES), path.lstat()
    except OSError:
        return None
    if sys.platform != "win32" and (state.st_uid != os.getuid() or stat.S_IMODE(state.st_mode) & 0o077):
        return None
    return found if len(found) == _BYTES and stat.S_ISREG(state.st_mode) else None
