"""The reader of symbol tables takes what a linker writes, and no damage ends in anything but a ToolError."""

import random
import struct

import pytest

from edgekit.errors import ToolError
from edgekit.firmware import symbols
from edgekit.firmware.symbols import Symbol

ARM = 40
RISCV = 243
_NAMES = b"\0ek_model_run\0machine_isr\0$t\0table\0"


def elf(machine: int = ARM) -> bytes:
    """Return a file of three sections: none, the symbols, their names."""
    entries = [
        (0, 0, 0, 0),
        (_NAMES.index(b"ek_model_run"), 0x101, 0x20, 2),
        (_NAMES.index(b"machine_isr"), 0x201, 0, 0x10),
        (_NAMES.index(b"$t"), 0x100, 0, 0),
        (_NAMES.index(b"table"), 0x300, 64, 1),
    ]
    table = b"".join(
        struct.pack("<3I2BH", name, value, size, info, 0, 1) for name, value, size, info in entries
    )
    names_at = 52 + len(table)
    headers_at = names_at + len(_NAMES)
    headers = [
        (0,) * 10,
        (0, 2, 0, 0, 52, len(table), 2, 0, 4, 16),
        (0, 3, 0, 0, names_at, len(_NAMES), 0, 0, 1, 0),
    ]
    start = b"\x7fELF\x01\x01\x01" + bytes(9) + struct.pack("<2H5I", 2, machine, 1, 0, 0, headers_at, 0)
    start += struct.pack("<6H", 52, 0, 0, 40, len(headers), 0)
    return start + table + _NAMES + b"".join(struct.pack("<10I", *header) for header in headers)


def test_functions_are_read_by_address() -> None:
    found = symbols.read_functions(elf(), "x")
    assert found == (Symbol("ek_model_run", 0x100, 0x120), Symbol("machine_isr", 0x200, 0x200))
    assert symbols.function(found, "ek_model_run").begin == 0x100


def test_only_thumb_addresses_lose_their_lowest_bit() -> None:
    assert symbols.read_functions(elf(RISCV), "x")[0].begin == 0x101


def test_a_function_that_is_not_there_is_named() -> None:
    found = symbols.read_functions(elf(), "x")
    for name in ("ek_app_classify", "machine_isr"):
        with pytest.raises(ToolError, match=name):
            symbols.function(found, name)


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        (b"", "not a 32-bit"),
        (b"\x7fELF\x02\x01" + bytes(60), "not a 32-bit"),
        (elf().replace(struct.pack("<2I", 0, 2), struct.pack("<2I", 0, 7)), "stripped"),
    ],
)
def test_other_files_are_refused(content: bytes, reason: str) -> None:
    with pytest.raises(ToolError, match=reason):
        symbols.read_functions(content, "x")


def test_no_damage_escapes_as_another_error() -> None:
    whole = elf()
    damaged = [whole[:size] for size in range(len(whole))]
    chance = random.Random(3)
    for at in range(len(whole) - 3):
        for value in (0, 0xFFFFFFFF, 0x7FFFFFFF, chance.getrandbits(32)):
            damaged.append(whole[:at] + struct.pack("<I", value) + whole[at + 4 :])
    for content in damaged:
        try:
            symbols.read_functions(content, "x")
        except ToolError as error:
            assert "'x'" in error.message
