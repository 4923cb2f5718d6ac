"""The firmware's portable C passes two compilers' strictest warnings, and its headers are C++, too."""

import re
import sys
from pathlib import Path

import pytest
from link_simulator.device import HERE, WARNINGS, app_folders, app_sources

from edgekit import process, resources

TEMPLATES = resources.firmware_templates()
COMPILERS = {"gcc": ["gcc"], "clang": [sys.executable, "-m", "ziglang", "cc"]}
MORE = (
    "-Wdouble-promotion",
    "-Wfloat-conversion",
    "-Wcast-align",
    "-Wnull-dereference",
    "-Wimplicit-fallthrough",
)
INCLUDES = [f"-I{path}" for path in (HERE, *app_folders(), TEMPLATES / "camera", TEMPLATES / "host")]
HEADERS = ("ek_app.h", "ek_port.h", "ek_frame.h", "ek_camera.h", "ek_watch.h", "ek_config.h")


@pytest.mark.parametrize("compiler", COMPILERS)
@pytest.mark.parametrize(
    "defines",
    [(), ("EK_TRACE",), ("EK_CAMERA",), ("EK_CAMERA", "EK_TRACE", "TEST_TABLES=1"), ("TEST_TABLES=0",)],
    ids=" ".join,
)
def test_no_warning(compiler: str, defines: tuple[str, ...], tmp_path: Path) -> None:
    sources = [*app_sources(), TEMPLATES / "host" / "port.c", TEMPLATES / "host" / "main.c"]
    if "EK_CAMERA" in defines:
        sources += [*(TEMPLATES / "camera").glob("*.c"), TEMPLATES / "synthetic_camera" / "camera.c"]
    options = [*WARNINGS, *MORE, "-O2", *(f"-D{name}" for name in defines), *INCLUDES]
    process.run([*COMPILERS[compiler], *options, "-c", *map(str, sources)], cwd=tmp_path)


@pytest.mark.parametrize("compiler", ["g++", "arm-none-eabi-g++"])
@pytest.mark.parametrize("standard", ["c++11", "c++20"])
def test_headers_are_cpp_too(compiler: str, standard: str, tmp_path: Path) -> None:
    source = tmp_path / "headers.cpp"
    source.write_text("".join(f'#include "{name}"\n' for name in HEADERS))
    options = [
        f"-std={standard}",
        "-Wall",
        "-Wextra",
        "-Wpedantic",
        "-Wold-style-cast",
        "-Werror",
        "-ffreestanding",
    ]
    process.run([compiler, *options, *INCLUDES, "-c", str(source), "-o", str(tmp_path / "headers.o")])


def test_no_floating_point_and_no_heap() -> None:
    folders = ("app", "camera", "synthetic_camera", "esp32s3", "esp32s3_camera", "himax_we1", "himax_we2")
    sources = [
        path for name in folders for path in (TEMPLATES / name).rglob("*") if path.suffix in (".c", ".h")
    ]
    sources += [path for name in folders for path in (TEMPLATES / name).rglob("*.c.j2")]
    assert len(sources) > 15
    for source in sources:
        code = re.sub(r"/\*.*?\*/", " ", source.read_text("utf-8"), flags=re.DOTALL)
        assert not re.search(r"\b(float|double|malloc|calloc|realloc|free|alloca)\b", code), source.name
