"""Reads typed values out of a hand-written TOML table; names the file and the key that is wrong."""

import difflib
import re
from collections.abc import Iterable
from pathlib import Path
from typing import TypeAlias

from edgekit.errors import ProjectError
from edgekit.untrusted import quoted

NAME = re.compile(r"[a-z][a-z0-9_]{0,31}")
"""Names that become C identifiers, folder names, module names or parts of an environment variable."""
_FACT = re.compile(r"[a-z][a-z0-9_]{0,63}")

FactValue: TypeAlias = str | int | bool | tuple[str, ...]


class Table:
    """Reads typed keys of one TOML table; names the file and the key that is wrong."""

    def __init__(self, file: Path, name: str, value: dict[str, object]) -> None:
        self.file = file
        self.name = name
        self.value = value

    def wrong(self, key: str, allowed: str) -> ProjectError:
        """Return the error for a key whose value is not what is allowed."""
        said = "is missing" if key not in self.value else f"is {quoted(self.value[key])}"
        return ProjectError(f"'{self.file}': {self.full(key)} {said}; it must be {allowed}")

    def only(self, *keys: str, optional: tuple[str, ...] = ()) -> None:
        """Refuse keys that are not known, before any that is missing: a misspelt key is both."""
        for key in self.value:
            if key not in keys and key not in optional:
                raise ProjectError(
                    f"'{self.file}': unknown key {quoted(self.full(key))}",
                    nearest(key, sorted({*keys, *optional})),
                )

    def full(self, key: str) -> str:
        """Return a key as a message names it."""
        return f"{self.name}.{key[:80]}" if self.name else key[:80]

    def _get(self, key: str, kind: type, allowed: str) -> object:
        found = self.value.get(key)
        if type(found) is not kind:
            raise self.wrong(key, allowed)
        return found

    def integer(self, key: str, low: int, high: int) -> int:
        """Return an integer in low..high; true and false are none."""
        allowed = f"an integer in {low}..{high}"
        found = self._get(key, int, allowed)
        if not (isinstance(found, int) and low <= found <= high):
            raise self.wrong(key, allowed)
        return found

    def number(self, key: str, low: float, high: float) -> float:
        """Return an integer or a float in low..high; true and false are none."""
        found = self.value.get(key)
        if type(found) not in (int, float) or not (isinstance(found, int | float) and low <= found <= high):
            raise self.wrong(key, f"a number in {low:g}..{high:g}")
        return float(found)

    def flag(self, key: str) -> bool:
        """Return true or false."""
        return bool(self._get(key, bool, "true or false"))

    def text(self, key: str, pattern: re.Pattern[str], allowed: str) -> str:
        """Return text that matches the whole pattern; `allowed` says in words what that is."""
        found = str(self._get(key, str, allowed))
        if not pattern.fullmatch(found):
            raise self.wrong(key, allowed)
        return found

    def choice(self, key: str, known: Iterable[str]) -> str:
        """Return one of the known names."""
        names = sorted(str(name) for name in known)
        found = str(self._get(key, str, f"one of {listed(names)}"))
        if found not in names:
            raise self.wrong(key, f"one of {listed(names)}")
        return found

    def texts(self, key: str, pattern: re.Pattern[str], allowed: str, *, least: int = 0) -> tuple[str, ...]:
        """Return a list of texts that each match the whole pattern."""
        allowed = f"a list of {allowed}" + (f", at least {least}" if least else "")
        found = self._get(key, list, allowed)
        assert isinstance(found, list)
        if len(found) < least:
            raise self.wrong(key, allowed)
        for item in found:
            if not isinstance(item, str) or not pattern.fullmatch(item):
                holds = f"'{self.file}': {self.full(key)} holds {quoted(item)}"
                raise ProjectError(f"{holds}; it must be {allowed}")
        return tuple(found)

    def choices(self, key: str, known: Iterable[str]) -> tuple[str, ...]:
        """Return different names, at least one, all of them known."""
        names = sorted(known)
        found = self.texts(key, NAME, f"names out of {listed(names)}", least=1)
        if not set(found) <= set(names) or len(set(found)) != len(found):
            raise self.wrong(key, f"a list of different names out of {listed(names)}")
        return found

    def table(self, key: str) -> "Table":
        """Return the table under a key."""
        found = self._get(key, dict, "a table")
        assert isinstance(found, dict)
        return Table(self.file, self.full(key), found)

    def tables(self, key: str) -> "list[Table]":
        """Return the tables of an array, written as [[name.key]]."""
        found = self._get(key, list, "an array of tables")
        assert isinstance(found, list)
        if not all(isinstance(entry, dict) for entry in found):
            raise self.wrong(key, "an array of tables")
        return [Table(self.file, f"{self.full(key)}[{i}]", entry) for i, entry in enumerate(found)]

    def facts(self) -> dict[str, FactValue]:
        """Return all keys of a table whose meaning belongs to a flash method, typed but not judged."""
        found: dict[str, FactValue] = {}
        for key, value in self.value.items():
            if not _FACT.fullmatch(key):
                raise self.wrong(key, "named with a-z, 0-9 and _")
            if isinstance(value, list) and all(isinstance(item, str) for item in value):
                found[key] = tuple(value)
            elif isinstance(value, str | int):
                found[key] = value
            else:
                raise self.wrong(key, "text, an integer, true, false or a list of texts")
        return found


def nearest(name: str, known: Iterable[str]) -> str:
    """Return a hint: the known name nearest to a wrong one, and all that are known."""
    names = list(known)
    near = difflib.get_close_matches(name[:80], names, n=1, cutoff=0.5)
    question = f"did you mean '{near[0]}'? " if near else ""
    return f"{question}Known here: {listed(names)}"


def listed(names: Iterable[str]) -> str:
    """Return names for a message: separated by commas, or `none`."""
    return ", ".join(names) or "none"
