"""Writes small FlatBuffers from a tree of values, to stand in front of an existing one if need be.

Offsets in a FlatBuffer are relative and point forwards, so new tables can stand before an old file and refer
into it; the old bytes stay as they are. Output depends on the tree alone.
"""

import struct
from collections import deque
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import TypeAlias

ALIGNMENT = 16
"""What TFLite asks of a buffer's data; prefixes are a multiple of it, so old data stays aligned."""


@dataclass(frozen=True, slots=True)
class Number:
    """A scalar field: a struct code of at most four bytes and its value."""

    code: str
    value: int


@dataclass(frozen=True, slots=True)
class Existing:
    """An object of the existing file, by the byte where it stands there."""

    at: int


@dataclass(frozen=True, slots=True)
class Blob:
    """A vector of bytes whose first byte is aligned to 16."""

    content: bytes = field(repr=False)


@dataclass(frozen=True, slots=True)
class NewTable:
    """A table: values by slot."""

    fields: "Mapping[int, Value]"


@dataclass(frozen=True, slots=True)
class NewVector:
    """A vector of tables or strings."""

    items: "Sequence[Reference]"


Reference: TypeAlias = "NewTable | NewVector | Blob | str | Existing"
Value: TypeAlias = "Number | Reference"


def write(root: NewTable, identifier: bytes, *, marker: bytes = b"") -> bytes:
    """Return a FlatBuffer with `root`, padded to a multiple of 16; `Existing` objects stand right behind it.

    Args:
        root: the root table.
        identifier: the four letters after the root offset.
        marker: bytes that stand after the identifier, which no reader looks at.
    """
    writer = _Writer(bytearray(4) + identifier + marker)
    writer.place(0, root)
    # Children are written after their parents, because offsets point forwards only.
    while writer.pending:
        place, value = writer.pending.popleft()
        writer.place(place, value)
    writer.align(ALIGNMENT)
    for place, at in writer.existing:
        struct.pack_into("<I", writer.out, place, len(writer.out) + at - place)
    return bytes(writer.out)


@dataclass(slots=True)
class _Writer:
    out: bytearray
    pending: "deque[tuple[int, Reference]]" = field(default_factory=deque)
    existing: list[tuple[int, int]] = field(default_factory=list)

    def align(self, size: int, ahead: int = 0) -> None:
        """Pad so that what stands `ahead` bytes further is aligned to `size`."""
        self.out += bytes(-(len(self.out) + ahead) % size)

    def place(self, pointer: int, value: Reference) -> None:
        """Write `value` and let the offset at byte `pointer` point to it."""
        match value:
            case Existing(at):
                self.existing.append((pointer, at))
                return
            case NewTable(fields):
                at = self._table(fields)
            case NewVector(items):
                self.align(4)
                at = len(self.out)
                self.out += struct.pack("<I", len(items)) + bytes(4 * len(items))
                self.pending += [(at + 4 + 4 * i, item) for i, item in enumerate(items)]
            case Blob(content):
                self.align(ALIGNMENT, ahead=4)
                at = len(self.out)
                self.out += struct.pack("<I", len(content)) + content
            case str():
                self.align(4)
                at = len(self.out)
                text = value.encode("utf-8")
                self.out += struct.pack("<I", len(text)) + text + b"\0"
        struct.pack_into("<I", self.out, pointer, at - pointer)

    def _table(self, fields: Mapping[int, Value]) -> int:
        slots = max(fields, default=-1) + 1
        self.align(4)
        vtable = len(self.out)
        self.out += struct.pack("<HH", 4 + 2 * slots, 4 + 4 * len(fields)) + bytes(2 * slots)
        self.align(4)
        table = len(self.out)
        self.out += struct.pack("<i", table - vtable) + bytes(4 * len(fields))
        for i, slot in enumerate(sorted(fields)):
            offset = 4 + 4 * i
            struct.pack_into("<H", self.out, vtable + 4 + 2 * slot, offset)
            value = fields[slot]
            if isinstance(value, Number):
                struct.pack_into("<" + value.code, self.out, table + offset, value.value)
            else:
                self.pending.append((table + offset, value))
        return table
