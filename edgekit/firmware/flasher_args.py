"""Reads flasher_args.json, in which an ESP-IDF build says what goes where in flash, and how it is written.

The file comes out of a build folder that anybody may have made: every value in it is checked, and no path
leads out of that folder. Its form is that of ESP-IDF's `components/esptool_py/flasher_args.json.in`.
"""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path
from typing import Any

from edgekit.errors import ToolError
from edgekit.files import read_regular
from edgekit.firmware.image import FlashSettings, Part
from edgekit.firmware.manifest import is_safe
from edgekit.untrusted import parse_json

NAME = "flasher_args.json"
SECTOR_BYTES = 4096
"""Flash is erased in such pieces, so two files may not share one."""

_LARGEST_TEXT = 1 << 16
_MOST_FILES = 32
_LARGEST_FLASH = 128 << 20
_HINT = "build the project again with ESP-IDF, `edgekit build` does"
_OFFSET = re.compile(r"0x[0-9a-fA-F]{1,8}|[0-9]{1,10}")
_ENTRY = re.compile(r"[A-Za-z][A-Za-z0-9_.-]{0,63}")
_OPTIONS = {"--flash-mode": "mode", "--flash-freq": "freq", "--flash-size": "size"}


@dataclass(frozen=True, slots=True)
class FlashFile:
    """One file of the build."""

    name: str
    """What the build calls it: `bootloader`, `partition-table`, `app`, a partition's name; else its stem."""
    offset: int
    """Where in flash, in bytes; a multiple of SECTOR_BYTES."""
    path: str
    """In the build folder, with slashes."""


@dataclass(frozen=True, slots=True)
class FlasherArgs:
    """What flasher_args.json says."""

    settings: FlashSettings
    files: tuple[FlashFile, ...]
    """By offset; at least one, all offsets and paths different."""


def read(build_dir: Path) -> FlasherArgs:
    """Read the flasher_args.json of a build folder. Raises ToolError where it is missing or wrong."""
    path = build_dir / NAME
    try:
        text = read_regular(path, _LARGEST_TEXT)
    except OSError as error:
        raise ToolError(f"cannot read '{path}': {error.strerror}", _HINT) from error
    return parse(text, str(path))


def parts(args: FlasherArgs, build_dir: Path) -> tuple[Part, ...]:
    """Return the files with their sizes and digests, by offset.

    Raises:
        ToolError: a file cannot be read or is empty, two overlap, or one ends behind the flash.
    """
    found = tuple(Part.of(file.name, file.offset, build_dir / file.path) for file in args.files)
    limit = args.settings.size_bytes or _LARGEST_FLASH
    for part in found:
        if not part.size_bytes:
            raise ToolError(f"'{part.path}' is empty, and nothing can be flashed from it", _HINT)
        if part.offset + part.size_bytes > limit:
            raise ToolError(
                f"'{part.path}', {part.size_bytes:,} B at {part.offset:#x}, "
                f"ends behind the {limit:,} B of flash",
                _HINT,
            )
    for before, after in pairwise(found):
        end = -(-(before.offset + before.size_bytes) // SECTOR_BYTES) * SECTOR_BYTES
        if end > after.offset:
            raise ToolError(
                f"'{before.path}' takes flash up to {end:#x}, but '{after.path}' begins at {after.offset:#x}",
                _HINT,
            )
    return found


def parse(text: str | bytes, source: str = NAME) -> FlasherArgs:
    """Read the text of a flasher_args.json.

    Options may be spelt as ESP-IDF 5 (`--flash_mode`) or later (`--flash-mode`) spells them.

    Args:
        text: the JSON.
        source: what to call it in errors.

    Raises:
        ToolError: it is not such a file, or it asks for what edgekit does not do (encryption, paths that
            leave the build folder, options that are not known); the field is named.
    """
    if len(text) > _LARGEST_TEXT:
        raise ToolError(f"'{source}' has more than {_LARGEST_TEXT} characters", _HINT)
    try:
        fields = parse_json(text, _unique)
    except ValueError as error:
        raise ToolError(f"'{source}' is not valid JSON: {error}", _HINT) from error
    if not isinstance(fields, dict):
        raise _wrong(source, "the file", "an object")
    return FlasherArgs(_settings(source, fields), _files(source, fields))


def _settings(source: str, fields: dict[str, Any]) -> FlashSettings:
    values = _options(source, fields.get("write_flash_args"))
    stated = _object(source, fields, "flash_settings")
    for key, value in values.items():
        if stated.get(f"flash_{key}", value) != value:
            raise _wrong(source, f"flash_settings.flash_{key}", f"'{value}' as in write_flash_args")
    extra = _object(source, fields, "extra_esptool_args")
    for key in ("before", "after", "chip"):
        if key in extra:
            values[key] = _text(source, f"extra_esptool_args.{key}", extra[key])
    for key in ("before", "after"):
        if key in values:
            values[key] = values[key].replace("_", "-")
    stub = extra.get("stub", True)
    if type(stub) is not bool:
        raise _wrong(source, "extra_esptool_args.stub", "true or false")
    settings = FlashSettings(**values, stub=stub)
    wrong = settings.wrong_field()
    if wrong is not None:
        raise _wrong(source, f"the setting {wrong}", "one that esptool knows")
    return settings


def _options(source: str, found: object) -> dict[str, str]:
    if not isinstance(found, list) or len(found) % 2 or not all(isinstance(word, str) for word in found):
        raise _wrong(source, "write_flash_args", "a list of options, each with its value")
    values: dict[str, str] = {}
    words: Sequence[str] = found
    for option, value in zip(words[::2], words[1::2], strict=True):
        key = _OPTIONS.get(option.replace("_", "-"))
        if key is None or key in values:
            raise _wrong(source, f"write_flash_args: {option[:40]!r}", f"one of {', '.join(_OPTIONS)}, once")
        values[key] = value
    return values


def _files(source: str, fields: dict[str, Any]) -> tuple[FlashFile, ...]:
    listed = _object(source, fields, "flash_files")
    if not 1 <= len(listed) <= _MOST_FILES:
        raise _wrong(source, "flash_files", f"an object of 1 to {_MOST_FILES} files")
    names = _names(source, fields)
    found: dict[int, FlashFile] = {}
    for key, value in listed.items():
        offset = _offset(source, "flash_files", key)
        path = _path(source, f"flash_files[{key}]", value)
        if offset in found:
            raise _wrong(source, f"flash_files[{key}]", "at an offset of its own")
        found[offset] = FlashFile(names.pop((offset, path), Path(path).stem), offset, path)
    if names:
        (offset, path), name = names.popitem()
        raise _wrong(source, name, f"one of flash_files, but '{path}' at {offset:#x} is not there")
    for values in ({file.path for file in found.values()}, {file.name for file in found.values()}):
        if len(values) != len(found):
            raise _wrong(source, "flash_files", "files of different paths and names")
    return tuple(found[offset] for offset in sorted(found))


def _names(source: str, fields: dict[str, Any]) -> dict[tuple[int, str], str]:
    """Return what the build calls its files, by offset and path."""
    names: dict[tuple[int, str], str] = {}
    for name, entry in fields.items():
        if not isinstance(entry, dict) or "offset" not in entry or "file" not in entry:
            continue
        if not _ENTRY.fullmatch(name):
            raise _wrong(source, name[:40], "named with a-z, 0-9, _, - and .")
        if entry.get("encrypted", "false") not in ("false", False):
            raise ToolError(
                f"'{source}': {name} is to be encrypted, which edgekit cannot do",
                "switch flash encryption off in the project's sdkconfig",
            )
        place = _offset(source, f"{name}.offset", entry["offset"]), _path(source, name, entry["file"])
        if place in names:
            raise _wrong(source, name, "the only name of its file")
        names[place] = name
    return names


def _offset(source: str, where: str, found: object) -> int:
    allowed = f"an offset in flash, a multiple of {SECTOR_BYTES}"
    if not isinstance(found, str) or not _OFFSET.fullmatch(found):
        raise _wrong(source, where, allowed)
    offset = int(found, 16) if found.startswith("0x") else int(found)
    if offset % SECTOR_BYTES or offset >= _LARGEST_FLASH:
        raise _wrong(source, f"{where}: {found}", allowed)
    return offset


def _path(source: str, where: str, found: object) -> str:
    path = _text(source, where, found)
    if not is_safe(path):
        raise _wrong(
            source, f"{where}: {path[:80]!r}", "a path inside the build folder, without odd characters"
        )
    return path


def _text(source: str, where: str, found: object) -> str:
    if not isinstance(found, str) or not found:
        raise _wrong(source, where, "text")
    return found


def _object(source: str, fields: dict[str, Any], key: str) -> dict[str, Any]:
    found = fields.get(key, {})
    if not isinstance(found, dict):
        raise _wrong(source, key, "an object")
    return found


def _unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) != len(pairs):
        raise ValueError("an object has the same key twice")
    return found


def _wrong(source: str, where: str, allowed: str) -> ToolError:
    return ToolError(f"'{source}': {where} is wrong; it must be {allowed}", _HINT)
