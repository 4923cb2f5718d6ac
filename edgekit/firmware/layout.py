"""What the linker made of a firmware: its sections, and what they take of the board's memory.

The image is an ELF file (System V ABI, generic part), 32 or 64 bits, little-endian. It comes from our own
linker, but it lies in a folder like any other file: every offset is checked.
"""

import re
import struct
from collections.abc import Sequence
from dataclasses import dataclass

from edgekit.board import Board, Region, RegionKind
from edgekit.errors import DoesNotFitError, ToolError

_ALLOCATED = 2
_NO_BITS = 8
_LOAD = 1
_HINT = "run `edgekit build` again"
_SMALLER = "use a smaller input, fewer channels, or a board with more memory"
# How GNU ld says that a region of its script is too small.
_OVERFLOW = re.compile(r"region `([A-Za-z0-9_]+)' overflowed by (\d+) bytes")
# How ESP-IDF's check_sizes.py says that the application is larger than its partition.
_APP_TOO_LARGE = "too small for binary"


@dataclass(frozen=True, slots=True)
class Section:
    """One section that takes memory while the firmware runs."""

    name: str
    address: int
    bytes: int
    load_address: int | None
    """Where its content is stored before start-up copies it; None if it is the same, or nothing is stored."""


@dataclass(frozen=True, slots=True)
class Usage:
    """One region of the board, and how much of it the firmware takes."""

    region: str
    kind: RegionKind
    used: int
    available: int


def read_sections(content: bytes, name: str) -> tuple[Section, ...]:
    """Return the sections of an ELF file that take memory, by address.

    Raises:
        ToolError: it is not an ELF file, or a damaged one.
    """
    try:
        return _sections(content)
    except (struct.error, ValueError, IndexError, OverflowError) as error:
        raise ToolError(f"'{name}' is not an ELF file that can be read: {error}", _HINT) from error


def usage(sections: Sequence[Section], board: Board) -> tuple[Usage, ...]:
    """Return what the sections take of each region of the board; nothing for a board without regions."""
    return tuple(
        Usage(region.name, region.kind, sum(_taken(section, region) for section in sections), region.bytes)
        for region in board.memory.regions
    )


def check(sections: Sequence[Section], board: Board) -> None:
    """Hold the linker's numbers against the board.

    Raises:
        DoesNotFitError: a region, or flash or RAM as a whole, holds less than the firmware needs.
        ToolError: a section lies outside all regions.
    """
    if not board.memory.regions:
        return
    for section in sections:
        if not any(_taken(section, region) for region in board.memory.regions) and section.bytes:
            raise ToolError(
                f"the linker put '{section.name}' at {section.address:#x}, where '{board.id}' has no memory",
                "the linker script and the regions of the board file must agree",
            )
    taken = usage(sections, board)
    wholes = (
        ("flash", RegionKind.FLASH, board.memory.flash_bytes),
        ("RAM", RegionKind.RAM, board.memory.ram_bytes),
    )
    needs = [(f"the region '{item.region}'", item.used, item.available) for item in taken]
    needs += [(name, sum(u.used for u in taken if u.kind is kind), size) for name, kind, size in wholes]
    for name, used, available in needs:
        if used > available:
            sizes = ", ".join(f"{section.name} {section.bytes:,}" for section in sections)
            raise DoesNotFitError(
                f"the linked firmware takes {used:,} bytes of {name} on '{board.id}', which has "
                f"{available:,} ({sizes})",
                _SMALLER,
            )


def check_overflow(error: ToolError, board: Board) -> None:
    """Raise DoesNotFitError if a failed build means that a region or ESP-IDF's partition is too small."""
    places = [
        f"the region '{name}' by {int(size):,} bytes" for name, size in _OVERFLOW.findall(error.message)
    ]
    if not places and _APP_TOO_LARGE in error.message:
        places = ["its partition"]
    if places:
        raise DoesNotFitError(
            f"the firmware is too large for '{board.id}': it exceeds {', '.join(places)}", _SMALLER
        ) from error


def _taken(section: Section, region: Region) -> int:
    places = {section.address} | ({section.load_address} if section.load_address is not None else set())
    return sum(section.bytes for at in places if region.origin <= at < region.origin + region.bytes)


def _sections(content: bytes) -> tuple[Section, ...]:
    if content[:4] != b"\x7fELF" or content[4] not in (1, 2) or content[5] != 1:
        raise ValueError("it does not begin as one")
    wide = content[4] == 2
    word = "Q" if wide else "I"
    # e_phoff, e_shoff; then e_phentsize, e_phnum, e_shentsize, e_shnum, e_shstrndx.
    program_at, header_at = struct.unpack_from(f"<2{word}", content, 32 if wide else 28)
    sizes = struct.unpack_from("<5H", content, 54 if wide else 42)
    program_size, programs, header_size, headers, names_index = sizes
    segments = []
    for index in range(programs):
        at = program_at + index * program_size
        if wide:
            kind, _, _, virtual, physical, _, size = struct.unpack_from("<2I5Q", content, at)
        else:
            kind, _, virtual, physical, _, size = struct.unpack_from("<6I", content, at)
        if kind == _LOAD:
            segments.append((virtual, physical, size))
    rows = [
        struct.unpack_from(f"<2I4{word}", content, header_at + index * header_size)
        for index in range(headers)
    ]
    names = rows[names_index][4]
    found = []
    for name_at, kind, flags, address, _, size in rows:
        if not flags & _ALLOCATED:
            continue
        end = content.index(b"\0", names + name_at)
        stored = None
        for virtual, physical, length in segments:
            if virtual <= address < virtual + length and kind != _NO_BITS and physical != virtual and size:
                stored = address - virtual + physical
        found.append(Section(content[names + name_at : end].decode("utf-8"), address, size, stored))
    return tuple(sorted(found, key=lambda section: (section.address, section.bytes)))
