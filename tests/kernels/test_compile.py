"""The kernels compile without a warning for host and microcontroller, by gcc and clang, and hold no state."""

import subprocess
import sys
from pathlib import Path

import pytest
from kernels.runner import RUNTIME, WARNINGS

SOURCES = sorted((RUNTIME / "src" / "ref").glob("*.c"))
HEADERS = sorted((RUNTIME / "include").glob("*.h"))
ZIG = [sys.executable, "-m", "ziglang", "cc"]
COMPILERS = {
    "gcc -O0": ["gcc", "-O0"],
    "gcc -O3": ["gcc", "-O3"],
    "clang -O2": [*ZIG, "-O2"],
    "clang Cortex-M0": [*ZIG, "-Os", "-target", "thumb-freestanding-eabi", "-mcpu=cortex_m0"],
    "clang Cortex-M4": [*ZIG, "-Os", "-target", "thumb-freestanding-eabihf", "-mcpu=cortex_m4"],
}

# What a freestanding C library must have, and all that the kernels may use.
STRING_H = """
#include <stddef.h>
void *memcpy(void *to, const void *from, size_t size);
void *memmove(void *to, const void *from, size_t size);
void *memset(void *to, int value, size_t size);
"""


@pytest.mark.parametrize("compiler", COMPILERS)
def test_kernels_compile_cleanly(compiler: str, tmp_path: Path) -> None:
    command = [*COMPILERS[compiler], "-c", *WARNINGS, f"-I{RUNTIME / 'include'}"]
    if "freestanding" in " ".join(command):
        (tmp_path / "string.h").write_text(STRING_H)
        command.append(f"-I{tmp_path}")
    for source in SOURCES:
        done = subprocess.run([*command, str(source)], cwd=tmp_path, capture_output=True, timeout=300)
        assert done.returncode == 0, done.stderr.decode()
        assert (tmp_path / f"{source.stem}.o").stat().st_size > 0


def test_kernels_have_no_state_and_need_no_library(tmp_path: Path) -> None:
    subprocess.run(
        ["gcc", "-c", "-Os", f"-I{RUNTIME / 'include'}", *map(str, SOURCES)], cwd=tmp_path, check=True
    )
    for source in SOURCES:
        done = subprocess.run(["nm", f"{source.stem}.o"], cwd=tmp_path, capture_output=True, check=True)
        symbols = [line.split()[-2:] for line in done.stdout.decode().splitlines()]
        assert [name for kind, name in symbols if kind == "T"] == [source.stem], (
            "one public function per file"
        )
        assert not [name for kind, name in symbols if kind not in "TtrRU"], "mutable data"
        needed = {name for kind, name in symbols if kind == "U"}
        assert needed <= {"memcpy", "memmove", "memset", "_GLOBAL_OFFSET_TABLE_"}, source.name


def test_kernels_use_no_floating_point() -> None:
    for source in [*SOURCES, *HEADERS]:
        words = set(source.read_text().replace("*", " ").split())
        assert not words & {"float", "double", "malloc(", "static_assert"}, source.name
