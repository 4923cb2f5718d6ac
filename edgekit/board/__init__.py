"""What is known about a board: one TOML file each, read strictly (docs/reference/boards.md)."""

import os
from pathlib import Path

from edgekit import resources
from edgekit.board import file
from edgekit.board.description import (
    CAMERA_PINS,
    NO_LIMIT,
    Board,
    Build,
    Camera,
    Emulator,
    EmulatorKind,
    Flash,
    Memory,
    Region,
    RegionKind,
    Runtime,
    Serial,
    Soc,
    Ticks,
    TickUnit,
    choose,
    verification,
)
from edgekit.errors import ProjectError
from edgekit.toml_table import NAME, nearest
from edgekit.untrusted import quoted

__all__ = [
    "CAMERA_PINS",
    "NO_LIMIT",
    "Board",
    "Build",
    "Camera",
    "Emulator",
    "EmulatorKind",
    "Flash",
    "Memory",
    "Region",
    "RegionKind",
    "Runtime",
    "Serial",
    "Soc",
    "TickUnit",
    "Ticks",
    "choose",
    "list_ids",
    "load",
    "named",
    "verification",
]

_MOST_BOARDS = 256


def list_ids() -> tuple[str, ...]:
    """Return the ids of the boards that come with edgekit, variants included, sorted.

    Raises:
        ProjectError: a file is no TOML, or EDGEKIT_BOARDS names no folder of board files.
    """
    stems = _stems()
    return tuple(sorted([*stems, *(f"{stem}_{name}" for stem in stems for name in _variants(stem))]))


def _stems() -> list[str]:
    """Return the names of the board files, without .toml. Raises ProjectError."""
    folder = resources.boards()
    hint = "let EDGEKIT_BOARDS name a folder of board files, or unset it for those that come with edgekit"
    try:
        names = [path.name for path in folder.iterdir()]
    except OSError as error:
        raise ProjectError(f"cannot read the folder of boards '{folder}': {error.strerror}", hint) from error
    stems = [name[:-5] for name in names if name.endswith(".toml") and NAME.fullmatch(name[:-5])]
    if not stems:
        raise ProjectError(f"the folder of boards '{folder}' holds no board file", hint)
    if len(stems) > _MOST_BOARDS:
        raise ProjectError(
            f"the folder of boards '{folder}' holds {len(stems):,} .toml files, more than {_MOST_BOARDS}",
            hint,
        )
    return stems


def _variants(stem: str) -> list[str]:
    return file.variants(resources.boards() / f"{stem}.toml")


def _known() -> list[str]:
    """Return the ids for a hint, which must not fail in place of what it is about."""
    try:
        return list(list_ids())
    except ProjectError:
        return []


def load(id_or_path: str | Path, *, trusted: bool = False) -> Board:
    """Read a board by its id, or from a file of the user's own: a Path, or text with a slash or `.toml`.

    Args:
        id_or_path: the id or the file.
        trusted: let the file name any compiler on PATH, and give it and QEMU any flags. They can run other
            programs and write anywhere: as its author's Makefile could.

    Raises:
        ProjectError: there is no such board (the nearest is suggested), or its file is wrong (the key
            and what it may be are named).
    """
    text = str(id_or_path)
    if isinstance(id_or_path, Path) or text.endswith(".toml") or "/" in text or os.sep in text:
        path = Path(id_or_path)
        if not NAME.fullmatch(path.stem):
            raise ProjectError(
                f"'{path}': a board's id is its file name without .toml, and '{path.stem}' cannot be one",
                "use a lower-case letter, then up to 31 of a-z, 0-9 and _",
            )
        return file.read(path, trusted=trusted)
    for stem in sorted(_stems(), key=len, reverse=True):
        path = resources.boards() / f"{stem}.toml"
        if text == stem:
            return file.read(path, trusted=trusted)
        variant = text.removeprefix(f"{stem}_")
        if variant != text and variant in _variants(stem):
            return file.read(path, variant, trusted=trusted)
    raise ProjectError(f"there is no board {quoted(text)}", nearest(text, _known()))


def named(board_id: str) -> str:
    """Return how a command names the board of an id: by it, or by its file if it is the user's own."""
    return board_id if board_id in _known() else f"PATH/{board_id}.toml"
