"""Where the functions of a firmware lie: the symbols of its ELF file (System V ABI, 32 bits, little-endian).

The image comes from a linker, but it lies in a folder like any other file: every offset is checked.
"""

import struct
from collections.abc import Iterable
from dataclasses import dataclass

from edgekit.errors import ToolError

_HINT = "run `edgekit build` again"
_SYMBOL_TABLE = 2
_FUNCTION = 2
_NO_TYPE = 0
_SECTION = struct.Struct("<10I")
_SYMBOL = struct.Struct("<3I2BH")
_MOST = 1 << 20


@dataclass(frozen=True, slots=True)
class Symbol:
    """One function, or one place that assembler code has named: the bytes from `begin` to `end`."""

    name: str
    begin: int
    end: int


def read_functions(content: bytes, name: str) -> tuple[Symbol, ...]:
    """Return the functions and named places of code and data in an ELF file, by address.

    Args:
        content: of a 32-bit little-endian ELF file with a symbol table.
        name: of the file, for messages.

    Raises:
        ToolError: it is another kind of file, a damaged one, or one without symbols.
    """
    try:
        found = _read(content)
    except (struct.error, ValueError, IndexError) as error:
        raise ToolError(f"'{name}' has no symbol table that can be read: {error}", _HINT) from error
    # Bit 0 of a Thumb function's address names its instruction set, not a place.
    thumb = struct.unpack_from("<H", content, 18)[0] == 40
    mask = ~1 if thumb else ~0
    functions = (
        Symbol(text, value & mask, (value & mask) + size)
        for text, value, size, kind in found
        if kind == _FUNCTION or (kind == _NO_TYPE and text and not text.startswith("$"))
    )
    return tuple(sorted(functions, key=lambda symbol: (symbol.begin, symbol.name)))


def function(symbols: Iterable[Symbol], name: str) -> Symbol:
    """Return the function of this name. Raises ToolError if there is none with a size."""
    for symbol in symbols:
        if symbol.name == name and symbol.end > symbol.begin:
            return symbol
    raise ToolError(f"the firmware has no function '{name}' in its symbol table", _HINT)


def _read(content: bytes) -> list[tuple[str, int, int, int]]:
    """Return name, value, size and type of every symbol."""
    if content[:6] != b"\x7fELF\x01\x01":
        raise ValueError("it is not a 32-bit little-endian ELF file")
    table_at = struct.unpack_from("<I", content, 32)[0]
    row_size, rows = struct.unpack_from("<2H", content, 46)
    if row_size != _SECTION.size:
        raise ValueError(f"its section headers have {row_size} bytes instead of {_SECTION.size}")
    sections = [_SECTION.unpack_from(content, table_at + i * row_size) for i in range(rows)]
    for _, kind, _, _, at, size, link, _, _, entry in sections:
        if kind != _SYMBOL_TABLE:
            continue
        if entry != _SYMBOL.size or size % entry or size // entry > _MOST:
            raise ValueError(f"its symbol table of {size} bytes has entries of {entry}")
        _, _, _, _, names_at, names_size, *_ = sections[link]
        names = _slice(content, names_at, names_size)
        table = _slice(content, at, size)
        return [
            (_text(names, text), value, length, info & 15)
            for text, value, length, info, _, _ in _SYMBOL.iter_unpack(table)
        ]
    raise ValueError("it has been stripped")


def _slice(content: bytes, at: int, size: int) -> bytes:
    if at + size > len(content):
        raise ValueError("it is cut off")
    return content[at : at + size]


def _text(names: bytes, at: int) -> str:
    return names[at : names.index(b"\0", at)].decode("utf-8", "replace")
