"""Reads `edgekit.toml`, the user's project file, so that bare commands work in its folder."""

import difflib
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TypeAlias

from edgekit import untrusted
from edgekit.errors import ProjectError
from edgekit.files import read_regular
from edgekit.untrusted import quoted

FILE_NAME = "edgekit.toml"
SCHEMA = 1

Value: TypeAlias = str | float | int | tuple[float, ...] | tuple[str, ...]

_MOST_BYTES = 1 << 20
# pyserial's other URLs do more than open a port: spy:// writes a file, alt:// runs a class of its choice.
_PORT = re.compile(r"(?:socket|rfc2217|loop)://.*|(?!.*://).*", re.DOTALL)
_TEXT = (str,)
_NUMBER = (int, float)
_LIST = (list,)
# section -> key -> allowed TOML types
_KEYS: dict[str, dict[str, tuple[type, ...]]] = {
    "model": {"source": _TEXT, "output": _TEXT, "builder": _TEXT, "labels": (str, list)},
    "input": {"size": (str, int), "color": _TEXT, "resize": _TEXT, "mean": _LIST, "std": _LIST},
    "data": {"calibration": _TEXT, "eval": _TEXT, "source": _TEXT},
    "accuracy": {"max_drop": _NUMBER},
    "board": {"id": _TEXT, "port": _TEXT},
    "build": {"out": _TEXT},
}


@dataclass(frozen=True, slots=True)
class Settings:
    """What a project file says: `values` maps "section.key" to its value. Empty without a file."""

    path: Path | None = None
    values: Mapping[str, Value] = field(default_factory=dict)

    def get(self, key: str) -> Value | None:
        """Return the value of "section.key", or None."""
        return self.values.get(key)


def load(folder: Path) -> Settings:
    """Read `folder`/edgekit.toml; a folder without one gives empty settings.

    Raises:
        ProjectError: the file is not TOML, has an unknown key (the nearest known one is suggested),
            or a value of the wrong type.
    """
    path = folder / FILE_NAME
    try:
        root = untrusted.parse_toml(read_regular(path, _MOST_BYTES).decode("utf-8"))
    except FileNotFoundError:
        return Settings()
    except OSError as error:
        raise ProjectError(f"cannot read '{path}': {error.strerror}") from error
    except UnicodeDecodeError as error:
        raise ProjectError(f"'{path}' is not UTF-8 text: {error}", "save it as UTF-8") from error
    except ValueError as error:
        raise ProjectError(f"'{path}' is not valid TOML: {error}") from error
    return Settings(path, _check(path, root))


def _check(path: Path, root: dict[str, object]) -> dict[str, Value]:
    schema = root.pop("schema", None)
    if schema is None:
        raise ProjectError(
            f"'{path}' does not say its schema", f"write `schema = {SCHEMA}` at its top, before any section"
        )
    if schema != SCHEMA:
        raise ProjectError(
            f"'{path}' has schema {repr(schema)[:80]}; this edgekit reads schema {SCHEMA}",
            f"write `schema = {SCHEMA}` at its top, or start again with `edgekit init`",
        )
    values: dict[str, Value] = {}
    for section, table in root.items():
        keys = _KEYS.get(section)
        if keys is None or not isinstance(table, dict):
            raise _unknown(path, section, list(_KEYS))
        for key, value in table.items():
            if key not in keys:
                raise _unknown(path, f"{section}.{key}", [f"{section}.{k}" for k in keys])
            values[f"{section}.{key}"] = _value(path, f"{section}.{key}", value, keys[key])
    return values


def _unknown(path: Path, key: str, known: list[str]) -> ProjectError:
    near = difflib.get_close_matches(key[:80], known, n=1, cutoff=0.0)
    return ProjectError(
        f"'{path}': unknown key {quoted(key)}",
        f"did you mean '{near[0]}'? Known here: {', '.join(known)}" if near else "",
    )


def _value(path: Path, key: str, value: object, allowed: tuple[type, ...]) -> Value:
    if isinstance(value, bool) or not isinstance(value, allowed):
        words = {str: "text", list: "a list", int: "a number", float: "a number"}
        names = " or ".join(dict.fromkeys(words[kind] for kind in allowed))
        raise ProjectError(f"'{path}': {key} must be {names}, not {quoted(value)}")
    texts = [item for item in (value if isinstance(value, list) else [value]) if isinstance(item, str)]
    if any("\0" in text for text in texts):
        raise ProjectError(f"'{path}': {key} holds a NUL character, which no path or name can")
    if key == "board.port" and not _PORT.fullmatch(str(value)):
        raise ProjectError(
            f"'{path}': board.port is {quoted(value)}; of URLs it may be socket://, rfc2217:// or loop://",
            "pass any other with --port",
        )
    if isinstance(value, list):
        kinds = (str,) if key == "model.labels" else (int, float)
        if not all(isinstance(item, kinds) and not isinstance(item, bool) for item in value):
            raise ProjectError(f"'{path}': {key} must be a list of {'texts' if str in kinds else 'numbers'}")
        return tuple(value)
    assert isinstance(value, str | int | float)
    return value
