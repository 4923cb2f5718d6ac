"""The firmware image: a built file and the record beside it that says what it is."""

import hashlib
import json
import re
from dataclasses import asdict, dataclass
from dataclasses import fields as dataclass_fields
from pathlib import Path
from typing import Any

from edgekit import untrusted
from edgekit.errors import ToolError
from edgekit.files import read_regular, write_whole
from edgekit.firmware.layout import Section
from edgekit.firmware.manifest import Manifest, is_safe
from edgekit.toml_table import NAME as BOARD_ID

RECORD = "image.json"
SCHEMA = 1

_MOST_BYTES = 1 << 24
_MOST_IMAGE_BYTES = 1 << 30
_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.-]{0,127}")
_PART_NAME = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_.+ -]{0,127}")
_DIGEST = re.compile(r"[0-9a-f]{64}")


@dataclass(frozen=True, slots=True)
class FlashSettings:
    """How esptool writes an image, in the words of esptool 5's options."""

    mode: str = "keep"
    freq: str = "keep"
    size: str = "keep"
    before: str = "default-reset"
    after: str = "hard-reset"
    stub: bool = True
    """Whether esptool uploads its own loader, which is faster than the chip's."""
    chip: str = ""
    """The chip that the image is for, as esptool calls it; empty where the board file alone says so."""

    @property
    def size_bytes(self) -> int | None:
        """Return the size of the flash; None where it is kept or detected."""
        number = self.size.removesuffix("KB").removesuffix("MB")
        if not number.isdigit():
            return None
        return int(number) << (10 if self.size.endswith("KB") else 20)

    def wrong_field(self) -> str | None:
        """Return the name of a field whose value is not one of esptool's, and the value; None if all are."""
        for name, pattern in _SETTINGS.items():
            value = getattr(self, name)
            if not isinstance(value, str) or not pattern.fullmatch(value):
                return f"{name} {str(value)[:40]!r}"
        return None if isinstance(self.stub, bool) else f"stub {str(self.stub)[:40]!r}"


_SETTINGS = {
    "mode": re.compile("keep|qio|qout|dio|dout"),
    "freq": re.compile("keep|[1-9][0-9]{1,2}m"),
    "size": re.compile("keep|detect|256KB|512KB|(1|2|4|8|16|32|64|128)MB"),
    "before": re.compile("default-reset|usb-reset|no-reset|no-reset-no-sync"),
    "after": re.compile("hard-reset|soft-reset|no-reset|no-reset-stub|watchdog-reset"),
    "chip": re.compile("|esp32[a-z0-9]{0,4}"),
}


@dataclass(frozen=True, slots=True)
class Part:
    """One file that goes to the board's flash at its own address."""

    name: str
    """What it is: `bootloader`, `partition table`, `app`, `model`."""
    offset: int
    """Where in flash, in bytes."""
    path: Path
    """Inside the image's folder."""
    size_bytes: int
    sha256: str

    @classmethod
    def of(cls, name: str, offset: int, path: Path) -> "Part":
        """Describe a file. Raises ToolError where it cannot be read."""
        try:
            content = read_regular(path, _MOST_IMAGE_BYTES)
        except OSError as error:
            raise ToolError(f"cannot read '{path}': {error.strerror}", _HINT) from error
        return cls(name, offset, path, len(content), hashlib.sha256(content).hexdigest())


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
    protocol: str = "edgekit"
    """What it speaks on its serial line: a module of edgekit.firmware.protocols."""
    sections: tuple[Section, ...] = ()
    """What takes memory, by address; empty for a board whose file lists no regions."""
    parts: tuple[Part, ...] = ()
    """All files that go to flash, by offset, `path` among them; empty where `path` is all there is."""
    flash_settings: FlashSettings | None = None
    """How esptool writes it; None where the board needs nothing of the kind."""

    @classmethod
    def record(
        cls,
        path: Path,
        content: bytes,
        project: Manifest,
        project_digest: str,
        compiler: str,
        sections: tuple[Section, ...],
        **flash: Any,
    ) -> "FirmwareImage":
        """Write, beside the file that a build made of a project, what it is. Raises OutputError."""
        image = cls(
            path,
            board_id=project.board_id,
            model_digest=project.model_digest,
            contract_digest=project.contract_digest,
            project_digest=project_digest,
            sha256=hashlib.sha256(content).hexdigest(),
            size_bytes=len(content),
            compiler=compiler,
            debug=project.debug,
            protocol=project.protocol,
            sections=sections,
            **flash,
        )
        image.save()
        return image

    def save(self) -> None:
        """Write the record beside the image. Raises OutputError."""
        folder = self.path.parent
        parts = [{**asdict(part), "path": part.path.relative_to(folder).as_posix()} for part in self.parts]
        fields = {"schema": SCHEMA, **asdict(self), "path": self.path.name, "parts": parts}
        text = json.dumps(fields, indent=2, sort_keys=True) + "\n"
        write_whole(self.path.parent / RECORD, text.encode("utf-8"), durable=False)

    @classmethod
    def load(cls, folder: Path) -> "FirmwareImage":
        """Read the record in `folder` and check that the image is the one it speaks of.

        Raises:
            FileNotFoundError: there is no record.
            ToolError: the record cannot be read, or the image is not the one it describes.
        """
        path = folder / RECORD
        try:
            fields = untrusted.parse_json(read_regular(path, _MOST_BYTES))
        except FileNotFoundError:
            raise
        except OSError as error:
            raise ToolError(f"cannot read '{path}': {error.strerror}", _HINT) from error
        except ValueError as error:
            raise ToolError(f"cannot read '{path}': {error}", _HINT) from error
        image = _checked(folder, path, fields)
        for file, digest in ((image.path, image.sha256), *((part.path, part.sha256) for part in image.parts)):
            try:
                content = read_regular(file, _MOST_IMAGE_BYTES)
            except OSError as error:
                raise ToolError(f"cannot read the image '{file}': {error.strerror}", _HINT) from error
            if hashlib.sha256(content).hexdigest() != digest:
                raise ToolError(f"the image '{file}' is not the one that '{path}' describes", _HINT)
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
        "protocol": str,
        "sections": list,
        "parts": list,
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
        if good and key in ("board_id", "protocol"):
            good = BOARD_ID.fullmatch(str(found)) is not None
        if not good:
            raise ToolError(f"'{path}': {key} is wrong", _HINT)
        values[key] = found
    values["path"] = folder / str(values["path"])
    values["sections"] = tuple(_section(path, entry) for entry in values["sections"])
    values["parts"] = tuple(_part(path, entry) for entry in values["parts"])
    values["flash_settings"] = _flash_settings(path, fields.get("flash_settings"))
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


def _part(path: Path, entry: object) -> Part:
    match entry:
        case {
            "name": str(name),
            "offset": int(offset),
            "path": str(file),
            "size_bytes": int(size),
            "sha256": str(digest),
        } if (
            _PART_NAME.fullmatch(name)
            and is_safe(file)
            and _DIGEST.fullmatch(digest)
            and offset >= 0
            and size >= 0
        ):
            return Part(name, offset, path.parent / file, size, digest)
    raise ToolError(f"'{path}': parts is wrong", _HINT)


def _flash_settings(path: Path, entry: object) -> FlashSettings | None:
    if entry is None:
        return None
    if isinstance(entry, dict) and set(entry) == {key.name for key in dataclass_fields(FlashSettings)}:
        settings = FlashSettings(**entry)
        if settings.wrong_field() is None:
            return settings
    raise ToolError(f"'{path}': flash_settings is wrong", _HINT)
