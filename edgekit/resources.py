"""Finds the files that travel beside the Python code: boards/, firmware_templates/ and examples/.

They stand at the top of a checkout, and under `edgekit/_resources` in an installed wheel.
"""

import os
from pathlib import Path

from edgekit import install
from edgekit.errors import ProjectError

_PACKAGE = Path(__file__).parent
_ROOTS = (_PACKAGE / "_resources", _PACKAGE.parent)


def _find(name: str, override: str, holds: str = ".") -> Path:
    if given := os.environ.get(override):
        path = Path(given)
        if not os.path.isdir(given):  # noqa: PTH112 - Path.is_dir raises where a folder may not be entered
            raise ProjectError(f"{override} names '{given}', which is not a folder")
        if not os.path.isdir(path / holds):  # noqa: PTH112
            raise ProjectError(f"{override} names '{given}', which has no folder '{holds}'")
        return path
    for root in _ROOTS:
        if (root / name).is_dir():
            return root / name
    raise ProjectError(
        f"edgekit's own folder '{name}' is missing beside the package",
        install.restored(name),
    )


def boards() -> Path:
    """Return the folder of board files; `EDGEKIT_BOARDS` names another one."""
    return _find("boards", "EDGEKIT_BOARDS")


def firmware_templates() -> Path:
    """Return the folder of C runtime and templates; `EDGEKIT_TEMPLATES` names another one."""
    return _find("firmware_templates", "EDGEKIT_TEMPLATES", "runtime")


def examples() -> Path:
    """Return the folder of examples; `EDGEKIT_EXAMPLES` names another one."""
    return _find("examples", "EDGEKIT_EXAMPLES", "digits")


def cache() -> Path:
    """Return the folder for what can be made again, and for the images of virtual boards.

    `EDGEKIT_CACHE`, else `XDG_CACHE_HOME/edgekit`, else `~/.cache/edgekit`. It may not exist yet.
    Raises ProjectError where there is no home folder.
    """
    if given := os.environ.get("EDGEKIT_CACHE"):
        return Path(given)
    if base := os.environ.get("XDG_CACHE_HOME"):
        return Path(base) / "edgekit"
    try:
        return Path.home() / ".cache" / "edgekit"
    except RuntimeError as error:
        raise ProjectError(
            "this user has no home folder to keep builds in", "set EDGEKIT_CACHE to a folder"
        ) from error
