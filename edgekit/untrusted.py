"""Parses texts that nobody vouches for, to values that a message can quote."""

import json
import re
import tomllib
from collections.abc import Callable
from typing import Any

_DEEPEST = 16
_INTEGERS = range(-(1 << 63), 1 << 64)
"""TOML's integers have 64 bits, and no field of ours needs more. Python's have any number, and then neither
text nor float may be made of them."""
_QUOTED = 80
_PART = r"""(?:[A-Za-z0-9_-]++|"(?:[^"\\\n]|\\.)*+"|'[^'\n]*+')"""
# The time that tomllib takes for a.a.a... grows with the square of its parts: 47 s for 60 kB. Strings and
# comments, which hold what they like, are passed over; what has no end ends with the line or the text.
_LONG_KEY = re.compile(
    r"""(?s:\"{3}(?:[^"\\]|\\.|"(?!""))*+\\?(?:\"{3}|\Z)|'{3}(?:[^']|'(?!''))*+(?:'{3}|\Z))|\#[^\n]*+"""
    rf"""|(?P<long>{_PART}(?:[ \t]*+\.[ \t]*+{_PART}){{{_DEEPEST}}})"""
    r"""|[A-Za-z0-9_-]++|"(?:[^"\\\n]|\\.)*+"?|'[^'\n]*+'?"""
)


def parse_toml(text: str) -> dict[str, Any]:
    """Return a TOML document. Raises ValueError where it is none, nests too deeply or has huge integers."""
    if any(token["long"] for token in _LONG_KEY.finditer(text)):
        raise ValueError(f"it has a key of more than {_DEEPEST} parts")
    try:
        root = tomllib.loads(text)
        _check(root)
        return root
    except tomllib.TOMLDecodeError:
        raise
    except ValueError as error:
        raise ValueError(_of_int(error)) from error
    except RecursionError as error:
        raise ValueError("it is nested too deeply") from error


def parse_json(text: str | bytes, pairs: Callable[[list[tuple[str, Any]]], Any] | None = None) -> Any:
    """Return a JSON value. Raises ValueError where it is none, nests too deeply or has huge integers.

    Args:
        text: the JSON.
        pairs: makes an object of its keys and values; None makes a dict.
    """
    try:
        root = json.loads(text, object_pairs_hook=pairs)
        _check(root)
        return root
    except (json.JSONDecodeError, UnicodeDecodeError):
        raise
    except ValueError as error:
        raise ValueError(_of_int(error)) from error
    except RecursionError as error:
        raise ValueError("it is nested too deeply") from error


def quoted(value: object, most: int = _QUOTED) -> str:
    """Return a parsed value as a message quotes it: in quotes, without control characters, cut to `most`."""
    text = str(value)
    return repr(text if len(text) <= most else f"{text[:most]}...")


def _of_int(error: ValueError) -> str:
    """Return what is wrong, in words; int() alone advises to lift its limit."""
    said = str(error)
    return "it holds an integer of thousands of digits" if said.startswith("Exceeds the limit") else said


def _check(root: Any) -> None:
    """Raise ValueError where a parsed value holds what str() or float() cannot take."""
    waiting: list[tuple[str, Any, int]] = [("", root, 0)]
    while waiting:
        name, value, depth = waiting.pop()
        if type(value) is int and value not in _INTEGERS:
            raise ValueError(f"{name or 'it'} is an integer of more than 64 bits")
        if depth > _DEEPEST:
            raise ValueError(f"it is nested deeper than {_DEEPEST} levels")
        if isinstance(value, dict):
            prefix = f"{name}." if name else ""
            waiting += [(f"{prefix}{key[:_QUOTED]}", inner, depth + 1) for key, inner in value.items()]
        elif isinstance(value, list):
            waiting += [(name, inner, depth + 1) for inner in value]
