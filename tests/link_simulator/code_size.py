"""How much code the serial protocol costs a microcontroller."""

import shutil
import struct
import sys
from pathlib import Path

from edgekit import process
from link_simulator.device import HERE, WARNINGS, app_folders, app_sources

STRING_H = """#include <stddef.h>
void *memcpy(void *, const void *, size_t);
void *memset(void *, int, size_t);
"""


def code_bytes(cpu: str, folder: Path) -> dict[str, int]:
    """Compile the application for a Cortex-M (named as clang does) and return its code and constants.

    Uses arm-none-eabi-gcc where there is one, else the clang of the ziglang package.
    """
    gcc = shutil.which("arm-none-eabi-gcc")
    zig = [sys.executable, "-m", "ziglang", "cc", "-target", "thumb-freestanding-eabi", f"-mcpu={cpu}"]
    compiler = [gcc, "-mthumb", f"-mcpu={cpu.replace('_', '-')}"] if gcc else zig
    # A freestanding compiler brings no string.h; the board's C library does.
    (folder / "string.h").write_text(STRING_H)
    sizes = {"code": 0, "constants": 0}
    for source in app_sources():
        out = folder / f"{source.stem}_{cpu}.o"
        options = [*WARNINGS, "-Os", "-ffreestanding", "-ffunction-sections"]
        folders = [f"-I{folder}", f"-I{HERE}", *(f"-I{path}" for path in app_folders())]
        process.run([*compiler, *options, *folders, "-c", str(source), "-o", str(out)])
        for kind, size in section_sizes(out.read_bytes()).items():
            sizes[kind] += size
    return sizes


def section_sizes(elf: bytes) -> dict[str, int]:
    """Add up the sections of a 32-bit little-endian ELF object that end up in flash."""
    assert elf[:6] == b"\x7fELF\x01\x01"
    (start,) = struct.unpack_from("<I", elf, 32)
    entry_bytes, count, names_index = struct.unpack_from("<HHH", elf, 46)
    headers = [struct.unpack_from("<10I", elf, start + entry_bytes * index) for index in range(count)]
    names_at = headers[names_index][4]
    sizes = {"code": 0, "constants": 0}
    for name_offset, kind, flags, _, _, size, *_ in headers:
        name = elf[names_at + name_offset : elf.index(b"\0", names_at + name_offset)]
        if kind == 1 and flags & 2 and not name.startswith(b".ARM"):  # PROGBITS, allocated
            sizes["code" if flags & 4 else "constants"] += size
    return sizes
