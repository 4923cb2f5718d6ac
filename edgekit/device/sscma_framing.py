"""Cuts what SSCMA firmware sends into messages; does no I/O and trusts no byte.

A message is `\\r{JSON}\\n`. Boot text, logs of other tasks and pieces of messages may stand between and
before them. Source: Seeed's AT protocol specification, and what the servers of firmware 1.0.x and 2.0 send.
"""

import json
from collections import deque
from dataclasses import dataclass
from typing import Any, NoReturn

from edgekit.plain_text import is_plain

MAX_LINE_BYTES = 1 << 20
"""Longer lines are dropped; a 640x480 JPEG in base64 has about 100 kB."""
MAX_DEPTH = 16
"""Real messages nest at most 6 levels."""
MAX_TEXT = 200

_KINDS = 3


@dataclass(frozen=True, slots=True)
class Message:
    """What every message holds."""

    name: str
    """As sent: `TAG@COMMAND`, or `COMMAND` if no tag was given."""
    code: int
    """0 for success, else a key of `sscma.CODES`."""
    data: Any
    """Any JSON value, nested at most MAX_DEPTH levels."""

    @property
    def tag(self) -> str:
        """What stands before the last `@` of the name; empty without one."""
        return self.name.rpartition("@")[0]

    @property
    def command(self) -> str:
        """What stands after the last `@` of the name."""
        return self.name.rpartition("@")[2]


@dataclass(frozen=True, slots=True)
class Reply(Message):
    """The answer to a command (type 0)."""


@dataclass(frozen=True, slots=True)
class Event(Message):
    """Something that happens while a command goes on (type 1); 2.0 also refuses commands in this form."""


@dataclass(frozen=True, slots=True)
class Log(Message):
    """A log message (type 2), or with an empty name a line of text that is no message."""


@dataclass(slots=True)
class Losses:
    """Lines that could not be used."""

    damaged: int = 0
    """Looked like messages, but are no JSON, no UTF-8, nested too deeply or without a message's fields."""
    too_long: int = 0


class Messages:
    """Bytes in, messages out."""

    def __init__(self) -> None:
        self._rest = bytearray()
        self._dropping = False
        self._whole: deque[Message] = deque()
        self.losses = Losses()

    def feed(self, data: bytes) -> None:
        """Take what has arrived, in pieces of any size."""
        *ends, last = data.split(b"\n")
        for end in ends:
            if not end and not self._rest and not self._dropping:
                continue
            self._collect(end)
            if self._dropping:
                self._dropping = False
                self.losses.too_long += 1
            else:
                self._line(bytes(self._rest))
            self._rest.clear()
        self._collect(last)

    def take(self) -> Message | None:
        """Return the oldest message, or None."""
        return self._whole.popleft() if self._whole else None

    def _collect(self, part: bytes) -> None:
        if len(self._rest) + len(part) > MAX_LINE_BYTES:
            self._dropping = True
        if self._dropping:
            self._rest.clear()
        else:
            self._rest += part

    def _line(self, line: bytes) -> None:
        # The last start counts: a message that a restart cut off may stand before it.
        start = line.rfind(b"\r{") + 1
        before, found = line[:start], line[start:].strip()
        if not found.startswith(b"{"):
            before, found = line, b""
        text = plain(before.decode("utf-8", "replace"))
        if text:
            self._whole.append(Log("", 0, text))
        if not found:
            return
        message = _parse(found)
        if message is None:
            self.losses.damaged += 1
        else:
            self._whole.append(message)


def plain(text: str, limit: int = MAX_TEXT) -> str:
    """Return a device's text without what could steer a terminal, and not longer than `limit`."""
    return "".join(c for c in text[: 2 * limit] if is_plain(c))[:limit].strip()


def is_shallow(value: Any, depth: int = MAX_DEPTH) -> bool:
    """Return whether a JSON value nests at most `depth` lists and objects."""
    level = [value]
    for _ in range(depth + 1):
        level = [
            inner
            for outer in level
            if isinstance(outer, list | dict)
            for inner in (outer.values() if isinstance(outer, dict) else outer)
        ]
        if not level:
            return True
    return False


def parse_json(text: str) -> Any:
    """Return a JSON value. Raises ValueError if it is none, or is nested too deeply."""
    try:
        value = json.loads(text, strict=False, parse_constant=_no_number)
    except RecursionError as error:
        raise ValueError("nested too deeply") from error
    if not is_shallow(value):
        raise ValueError("nested too deeply")
    return value


def _no_number(name: str) -> NoReturn:
    raise ValueError(f"{name} is no JSON")


def _parse(line: bytes) -> Message | None:
    try:
        value = parse_json(line.decode("utf-8"))
    except ValueError:  # also UnicodeDecodeError
        return None
    if not isinstance(value, dict):
        return None
    kind, name, code = value.get("type"), value.get("name"), value.get("code", 0)
    if type(kind) is not int or type(code) is not int or not isinstance(name, str):
        return None
    if not 0 <= kind < _KINDS or abs(code) > 1 << 31:
        return None
    return (Reply, Event, Log)[kind](plain(name), code, value.get("data"))
