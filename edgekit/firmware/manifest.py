"""edgekit.json: what a firmware project is, and which files of it edgekit wrote."""

import json
import os
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import Any

from edgekit import untrusted
from edgekit.errors import ToolError
from edgekit.files import read_regular
from edgekit.toml_table import NAME as BOARD_ID

NAME = "edgekit.json"
OBJECTS = "obj"
"""The folder of what is compiled."""
SCHEMA = 1

_MOST_BYTES = 1 << 26
_DIGEST = re.compile(r"[0-9a-f]{64}")
_PART = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_.+-]*")
_CMAKE = "CMakeLists.txt"
# What builds leave at the top of a project, ESP-IDF's own idf.py among them.
_MADE = (
    *(NAME, OBJECTS, "image.json", "firmware", "firmware.bin", "output.img", "build", "build/sdkconfig"),
    *("build/sdkconfig.key", "sdkconfig", "sdkconfig.old", "dependencies.lock", "managed_components"),
)
_SOURCES = re.compile(r"\.(h|hh|hpp|hxx|inc|inl|def|tcc|ipp|c|cc|cpp|cxx|s|sx|asm|ld|lds|a|o|gch|pch)$")
_NOTES = (
    ".md",
    ".txt",
    ".rst",
    ".log",
    ".pdf",
    ".png",
    ".jpg",
    ".html",
    "readme",
    "license",
    "notes",
    "todo",
)
_MOST_NOTES = 1000
_HINT = "run `edgekit generate` again"


@dataclass(frozen=True, slots=True)
class Manifest:
    """What later stages need of edgekit.json; the rest of it is for people."""

    board_id: str
    model_digest: str
    contract_digest: str
    debug: bool
    protocol: str
    complete: bool
    """False while files are being written: a project that stays so was interrupted."""
    files: Mapping[str, str]
    """Path in the project, with slashes, to SHA-256 in hex."""

    @property
    def sources(self) -> tuple[str, ...]:
        """Return the C files, sorted."""
        return tuple(sorted(name for name in self.files if name.endswith(".c")))


def to_json(fields: Mapping[str, Any]) -> bytes:
    """Return the text of an edgekit.json: sorted, indented, ASCII, the same bytes for equal fields."""
    whole = {"schema": SCHEMA, **fields}
    return (json.dumps(whole, indent=2, sort_keys=True, allow_nan=False) + "\n").encode("ascii")


def read(folder: Path) -> Manifest | None:
    """Read the edgekit.json of a folder; None if there is none.

    Raises:
        ToolError: it cannot be read, or is not what edgekit writes.
    """
    path = folder / NAME
    try:
        return _checked(path, untrusted.parse_json(read_regular(path, _MOST_BYTES)))
    except (FileNotFoundError, NotADirectoryError):
        return None
    except OSError as error:
        raise ToolError(f"cannot read '{path}': {error.strerror}", _HINT) from error
    except ValueError as error:
        raise ToolError(f"cannot read '{path}': {error}", _HINT) from error


def _checked(path: Path, fields: object) -> Manifest:
    if not isinstance(fields, dict) or fields.get("schema") != SCHEMA:
        raise ToolError(f"'{path}' is not a project of schema {SCHEMA}", _HINT)
    kinds: dict[str, type] = {
        "board": str,
        "model_digest": str,
        "contract_digest": str,
        "debug": bool,
        "protocol": str,
        "complete": bool,
        "files": dict,
    }
    for key, kind in kinds.items():
        if type(fields.get(key)) is not kind:
            raise ToolError(f"'{path}': {key} is missing or wrong", _HINT)
    for key in ("board", "protocol"):
        if not BOARD_ID.fullmatch(fields[key]):
            raise ToolError(f"'{path}': {key} is {untrusted.quoted(fields[key])}, which is no name", _HINT)
    for key in ("model_digest", "contract_digest"):
        if not _DIGEST.fullmatch(fields[key]):
            raise ToolError(f"'{path}': {key} is not a SHA-256", _HINT)
    for name, digest in fields["files"].items():
        if not is_safe(name) or not isinstance(digest, str) or not _DIGEST.fullmatch(digest):
            raise ToolError(f"'{path}': files has the wrong entry {untrusted.quoted(name)}", _HINT)
    return Manifest(
        board_id=fields["board"],
        model_digest=fields["model_digest"],
        contract_digest=fields["contract_digest"],
        debug=fields["debug"],
        protocol=fields["protocol"],
        complete=fields["complete"],
        files=fields["files"],
    )


def check_inside(folder: Path, names: Iterable[str]) -> None:
    """Refuse a project with files that edgekit did not write and a build could read, or links out of it.

    A foreign `app/stdint.h` would be compiled in place of the system's; what is written through a link would
    land elsewhere, and what is read from a pipe might never end. What no build looks at may be there.

    Args:
        folder: the project; it need not be there yet.
        names: its files.

    Raises:
        ToolError: naming the first of them.
    """
    root = os.path.realpath(folder)

    def check(path: Path) -> None:
        if not Path(os.path.realpath(path)).is_relative_to(root):
            raise ToolError(f"'{path}' is a link that leads out of the project '{folder}'", "remove it")
        if path.exists() and not path.is_file() and not path.is_dir():
            raise ToolError(f"'{path}' is neither a file nor a folder", "remove it")

    names = set(names)
    objects = folder / OBJECTS
    for path in sorted(objects.iterdir()) if objects.is_dir() else ():
        if path.suffix != ".key" or path.is_symlink():  # any other key that is none is written anew
            check(path)
    for name in sorted({*names, *_MADE}):
        check(folder / name)
    with_headers = {str(PurePosixPath(name).parent) for name in names if name.endswith(".h")}
    for place in sorted({str(PurePosixPath(name).parent) for name in names}):
        is_esp_idf = _CMAKE in names and (place == "." or f"{place}/{_CMAKE}" in names)
        _check_foreign(folder, place, names, place in with_headers, is_esp_idf)


def _check_foreign(folder: Path, place: str, names: set[str], with_headers: bool, is_esp_idf: bool) -> None:
    """Refuse what edgekit did not write in one folder of a project. Raises ToolError."""
    own = {*names, *_MADE, *(str(parent) for name in names for parent in PurePosixPath(name).parents)}
    for path in sorted((folder / place).iterdir()) if (folder / place).is_dir() else ():
        name = path.name.lower()  # as some file systems see it
        is_note = name.startswith(".") or name.endswith(_NOTES)
        if path.relative_to(folder).as_posix() in own or not path.exists():
            continue
        is_read = bool(_SOURCES.search(name)) or (is_esp_idf and (not is_note or name == _CMAKE.lower()))
        # C++ has headers whose names have no dot, and `sys/types.h` is in a folder.
        if with_headers and "." not in name and not is_note:
            is_read |= not path.is_dir() or _holds_headers(path)
        if is_read:
            raise ToolError(
                f"'{path}' is not a file of the project '{folder}', and a build could read it", "move it away"
            )


def _holds_headers(folder: Path) -> bool:
    found = (name for _, _, names in os.walk(folder) for name in names)
    for number, name in enumerate(found):
        if number == _MOST_NOTES or "." not in name or _SOURCES.search(name.lower()):
            return True
    return False


def is_safe(name: str) -> bool:
    """Whether a path stays inside its project and means the same to make, to a shell and on any system."""
    parts = PurePosixPath(name).parts
    return "/".join(parts) == name and bool(parts) and all(_PART.fullmatch(part) for part in parts)
