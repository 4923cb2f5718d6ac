"""Reads FlatBuffers without trusting them: every offset and length is checked before it is used.

A FlatBuffer is a root offset, a four-letter identifier, and tables that point at each other by offsets
relative to where they stand. Nothing here knows a schema; callers name fields by slot number.

Two things bound the work that a hostile file can ask for. Readers walk a schema of fixed depth, so cycles of
offsets cannot trap them; and all that is read is charged to one allowance in proportion to the file's size,
so a small file cannot refer to its own bytes a million times.
"""

import struct
from dataclasses import dataclass, field

from edgekit.errors import ModelError

_MAX_FIELDS = 64
_ALLOWANCE_PER_BYTE = 8
_ALLOWANCE_BASE = 1 << 16
_TABLE_COST = 16
_HINT = "get or convert the file again; it is cut short or damaged"

_INT8 = struct.Struct("<b")
_UINT8 = struct.Struct("<B")
_UINT16 = struct.Struct("<H")
_INT32 = struct.Struct("<i")
_UINT32 = struct.Struct("<I")
_UINT64 = struct.Struct("<Q")
_FLOAT32 = struct.Struct("<f")


def damaged(what: str) -> ModelError:
    """Return the error for a file whose inner structure contradicts itself."""
    return ModelError(f"the model file is damaged: {what}", _HINT)


@dataclass(slots=True)
class FlatBuffer:
    """The bytes of one file and what is left of its reading allowance."""

    data: bytes
    allowance: int = field(init=False)

    def __post_init__(self) -> None:
        self.allowance = _ALLOWANCE_BASE + _ALLOWANCE_PER_BYTE * len(self.data)

    def charge(self, cost: int) -> None:
        """Take `cost` bytes off the allowance. Raises ModelError when it is used up."""
        self.allowance -= cost
        if self.allowance < 0:
            raise damaged("its parts refer to the same bytes over and over")

    def number(self, kind: struct.Struct, at: int) -> int:
        """Read one number at byte `at`. Raises ModelError outside the file."""
        if at < 0 or at + kind.size > len(self.data):
            raise damaged(f"it refers to byte {at}, but has {len(self.data)} bytes")
        value: int = kind.unpack_from(self.data, at)[0]
        return value

    def follow(self, at: int) -> int:
        """Return where the offset at byte `at` points."""
        target = at + self.number(_UINT32, at)
        if target >= len(self.data):
            raise damaged(f"an offset at byte {at} points to byte {target} of {len(self.data)}")
        return target

    def vector(self, at: int, element_size: int) -> tuple[int, int]:
        """Return the first byte and the length of the vector at `at`, which lies inside the file."""
        count = self.number(_UINT32, at)
        if at + 4 + count * element_size > len(self.data):
            raise damaged(f"a list of {count} entries at byte {at} does not fit into {len(self.data)} bytes")
        self.charge(count * element_size)
        return at + 4, count

    def table(self, at: int) -> "Table":
        """Return the table at byte `at` with its field offsets, all inside the file."""
        self.charge(_TABLE_COST)
        vtable = at - self.number(_INT32, at)
        size = self.number(_UINT16, vtable)
        table_size = self.number(_UINT16, vtable + 2)
        if size < 4 or size % 2 or vtable + size > len(self.data) or at + table_size > len(self.data):
            raise damaged(f"the table at byte {at} has an impossible layout")
        count = min((size - 4) // 2, _MAX_FIELDS)
        fields = struct.unpack_from(f"<{count}H", self.data, vtable + 4)
        return Table(self, at, fields)

    def root(self) -> "Table":
        """Return the root table."""
        return self.table(self.follow(0))


@dataclass(frozen=True, slots=True)
class Table:
    """One table; fields are named by slot, and a field that is absent has its schema's default."""

    buffer: FlatBuffer
    at: int
    fields: tuple[int, ...]

    def place(self, slot: int) -> int:
        """Return the byte where the field stands, or 0 if it is absent."""
        offset = self.fields[slot] if slot < len(self.fields) else 0
        return self.at + offset if offset else 0

    def _number(self, slot: int, kind: struct.Struct, default: int) -> int:
        place = self.place(slot)
        return self.buffer.number(kind, place) if place else default

    def int8(self, slot: int, default: int = 0) -> int:
        """Read a field of type byte."""
        return self._number(slot, _INT8, default)

    def uint8(self, slot: int, default: int = 0) -> int:
        """Read a field of type ubyte."""
        return self._number(slot, _UINT8, default)

    def int32(self, slot: int, default: int = 0) -> int:
        """Read a field of type int."""
        return self._number(slot, _INT32, default)

    def uint32(self, slot: int, default: int = 0) -> int:
        """Read a field of type uint."""
        return self._number(slot, _UINT32, default)

    def uint64(self, slot: int, default: int = 0) -> int:
        """Read a field of type ulong."""
        return self._number(slot, _UINT64, default)

    def float32(self, slot: int, default: float = 0.0) -> float:
        """Read a field of type float."""
        place = self.place(slot)
        return float(self.buffer.number(_FLOAT32, place)) if place else default

    def target(self, slot: int) -> int:
        """Return the byte that an offset field points at, or 0 if it is absent."""
        place = self.place(slot)
        return self.buffer.follow(place) if place else 0

    def table(self, slot: int) -> "Table | None":
        """Return the table in a field, or None."""
        target = self.target(slot)
        return self.buffer.table(target) if target else None

    def string(self, slot: int) -> str:
        """Return a string field; bytes that are not UTF-8 become U+FFFD. Absent: empty."""
        return self.blob(slot).decode("utf-8", "replace")

    def blob(self, slot: int) -> bytes:
        """Return a field of type [ubyte] or string. Absent: empty."""
        target = self.target(slot)
        if not target:
            return b""
        first, count = self.buffer.vector(target, 1)
        return self.buffer.data[first : first + count]

    def int32s(self, slot: int) -> tuple[int, ...]:
        """Return a field of type [int]. Absent: empty."""
        return self._numbers(slot, "i", 4)

    def int64s(self, slot: int) -> tuple[int, ...]:
        """Return a field of type [long]. Absent: empty."""
        return self._numbers(slot, "q", 8)

    def float32s(self, slot: int) -> tuple[float, ...]:
        """Return a field of type [float]. Absent: empty."""
        return self._numbers(slot, "f", 4)

    def _numbers(self, slot: int, code: str, size: int) -> tuple[int, ...]:
        target = self.target(slot)
        if not target:
            return ()
        first, count = self.buffer.vector(target, size)
        return struct.unpack_from(f"<{count}{code}", self.buffer.data, first)

    def targets(self, slot: int) -> tuple[int, ...]:
        """Return where the entries of a field of type [table] or [string] stand. Absent: empty."""
        target = self.target(slot)
        if not target:
            return ()
        first, count = self.buffer.vector(target, 4)
        return tuple(self.buffer.follow(first + 4 * i) for i in range(count))

    def tables(self, slot: int) -> tuple["Table", ...]:
        """Return the tables of a field of type [table]. Absent: empty."""
        return tuple(self.buffer.table(target) for target in self.targets(slot))
