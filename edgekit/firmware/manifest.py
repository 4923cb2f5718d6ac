"""edgekit.json: what a firmware project is, and which files of it edgekit wrote."""

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import Any

from edgekit.errors import ToolError
from edgekit.toml_table import NAME as BOARD_ID

NAME = "edgekit.json"
SCHEMA = 1

_DIGEST = re.compile(r"[0-9a-f]{64}")
_PART = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_.+-]*")
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
        fields = json.loads(path.read_bytes())
    except (FileNotFoundError, NotADirectoryError):
        return None
    except (OSError, ValueError, RecursionError) as error:
        raise ToolError(f"cannot read '{path}': {error}", _HINT) from error
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
    if not BOARD_ID.fullmatch(fields["board"]):
        raise ToolError(f"'{path}': board is no board's id", _HINT)
    for key in ("model_digest", "contract_digest"):
        if not _DIGEST.fullmatch(fields[key]):
            raise ToolError(f"'{path}': {key} is not a SHA-256", _HINT)
    for name, digest in fields["files"].items():
        if not is_safe(name) or not isinstance(digest, str) or not _DIGEST.fullmatch(digest):
            raise ToolError(f"'{path}': files has the wrong entry {name!r}", _HINT)
    return Manifest(
        board_id=fields["board"],
        model_digest=fields["model_digest"],
        contract_digest=fields["contract_digest"],
        debug=fields["debug"],
        protocol=fields["protocol"],
        complete=fields["complete"],
        files=fields["files"],
    )


def is_safe(name: str) -> bool:
    """Whether a path stays inside its project and means the same to make, to a shell and on any system."""
    parts = PurePosixPath(name).parts
    return "/".join(parts) == name and bool(parts) and all(_PART.fullmatch(part) for part in parts)
