"""The firmware image: a built file and the record beside it that says what it is."""

import hashlib
import json
import re
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from edgekit.errors import ToolError
from edgekit.files import write_whole
from edgekit.firmware.layout import Section

RECORD = "image.json"
SCHEMA = 1

_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.-]{0,127}")
_DIGEST = re.compile(r"[0-9a-f]{64}")


@dataclass(frozen=True, slots=True)
class FirmwareImage:
    """One built firmware. The digests are SHA-256 in hex."""

    path: Path
    board_id: str
    model_digest: str
    contract_digest: str
    project_digest: str
    """Of the project's edgekit.json: an image of another generation has another one."""
    sha256: str
    size_bytes: int
    compiler: str
    """What the compiler calls itself."""
    debug: bool
    """Whether the firmware keeps a checksum of each step's output."""
    sections: tuple[Section, ...] = ()
    """What takes memory, by address; empty for a board whose file lists no regions."""

    def save(self) -> None:
        """Write the record beside the image. Raises OutputError."""
        fields = {"schema": SCHEMA, **asdict(self), "path": self.path.name}
        text = json.dumps(fields, indent=2, sort_keys=True) + "\n"
        write_whole(self.path.parent / RECORD, text.encode("utf-8"))

    @classmethod
    def load(cls, folder: Path) -> "FirmwareImage":
        """Read the record in `folder` and check that the image is the one it speaks of.

        Raises:
            FileNotFoundError: there is no record.
            ToolError: the record cannot be read, or the image is not the one it describes.
        """
        path = folder / RECORD
        try:
            fields = json.loads(path.read_bytes())
        except FileNotFoundError:
            raise
        except (OSError, ValueError, RecursionError) as error:
            raise ToolError(f"cannot read '{path}': {error}", _HINT) from error
        image = _checked(folder, path, fields)
        try:
            content = image.path.read_bytes()
        except OSError as error:
            raise ToolError(f"cannot read the image '{image.path}': {error.strerror}", _HINT) from error
        if hashlib.sha256(content).hexdigest() != image.sha256:
            raise ToolError(f"the image '{image.path}' is not the one that '{path}' describes", _HINT)
        return image


_HINT = "run `edgekit build` again"


def _checked(folder: Path, path: Path, fields: object) -> FirmwareImage:
    kinds: dict[str, type] = {
        "path": str,
        "board_id": str,
        "model_digest": str,
        "contract_digest": str,
        "project_digest": str,
        "sha256": str,
        "size_bytes": int,
        "compiler": str,
        "debug": bool,
        "sections": list,
    }
    if not isinstance(fields, dict) or fields.get("schema") != SCHEMA:
        raise ToolError(f"'{path}' is not a record of schema {SCHEMA}", _HINT)
    values: dict[str, Any] = {}
    for key, kind in kinds.items():
        found = fields.get(key)
        good = type(found) is kind
        if good and (key.endswith("_digest") or key == "sha256"):
            good = _DIGEST.fullmatch(str(found)) is not None
        if good and key == "path":
            good = _NAME.fullmatch(str(found)) is not None
        if not good:
            raise ToolError(f"'{path}': {key} is wrong", _HINT)
        values[key] = found
    values["path"] = folder / str(values["path"])
    values["sections"] = tuple(_section(path, entry) for entry in values["sections"])
    return FirmwareImage(**values)


def _section(path: Path, entry: object) -> Section:
    match entry:
        case {
            "name": str(name),
            "address": int(address),
            "bytes": int(size),
            "load_address": int() | None as stored,
        }:
            return Section(name, address, size, stored)
    raise ToolError(f"'{path}': sections is wrong", _HINT)
