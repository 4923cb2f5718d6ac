"""Makes an Arduino library of a generated model: its firmware project in the layout that Arduino wants.

Arduino compiles everything under `src/` with only `src/` and the core on the include path. So all C lies side
by side in `src/edgekit/`, where each file finds the headers that it names, and no name of ours stands on the
sketch's include path but `<Name>.h`.
"""

import io
import re
import zipfile
from collections.abc import Mapping
from pathlib import PurePosixPath

from edgekit import __version__
from edgekit.codegen.generator import GeneratedModel
from edgekit.errors import ProjectError, UsageError
from edgekit.firmware.project import FirmwareProject

BOARD = "arduino"
DEFAULT_NAME = "EdgekitModel"
URL = "https://github.com/edgekit/edgekit"
_NAME = re.compile(r"[A-Z][A-Za-z0-9_]{2,47}")
# `<Name>.h` stands on the include path of every file of the sketch: it must not hide one of these, also where
# the file system does not tell capitals.
_TAKEN_TEXT = """
    arduino assert client complex ctype ethernet errno fenv float inttypes iso646 limits locale math memory
    print printable random sd serial setjmp signal servo spi stdalign stdarg stdatomic stdbool stddef stdint
    stdio stdlib stdnoreturn stream string strings tgmath threads time uchar udp wchar wctype wifi wire
"""
_TAKEN = frozenset(_TAKEN_TEXT.split())
_SUFFIXES = (".c", ".h", ".cpp")
_MAX_PROPERTY = 200
_EPOCH = (1980, 1, 1, 0, 0, 0)
"""The earliest date that a zip can hold, so that equal input gives equal bytes."""


def library(model: GeneratedModel, project: FirmwareProject, name: str = DEFAULT_NAME) -> Mapping[str, bytes]:
    """Return the files of the library by path below its folder, sorted. Equal input gives equal bytes.

    Args:
        model: the generated C, with the contract that has the labels.
        project: the same model's firmware project for the board `arduino`.
        name: of the library and its header.

    Raises:
        UsageError: the name cannot be a header's in an Arduino sketch.
        ProjectError: two files of the project have the same name.
    """
    check_name(name)
    files = {
        "library.properties": _properties(model, name),
        f"src/{name}.h": _header(name),
        "src/edgekit/ek_labels.c": _labels(model.contract.labels),
    }
    for path, content in project.files.items():
        part = PurePosixPath(path)
        if part.suffix in _SUFFIXES:
            target = f"src/edgekit/{part.name}"
        elif part.suffix == ".ino":
            target = f"examples/{part.stem}/{part.name}"
            content = f"#include <{name}.h>\n\n".encode() + content
        else:
            raise ProjectError(f"an Arduino library has no place for the file '{path}'")
        if target in files:
            raise ProjectError(f"an Arduino library cannot have two files named '{part.name}'")
        files[target] = content
    return dict(sorted(files.items()))


def check_name(name: str) -> None:
    """Raise UsageError unless `name` can name a library and its header."""
    if not _NAME.fullmatch(name) or name.lower() in _TAKEN:
        raise UsageError(
            f"'{name[:80]}' cannot name an Arduino library",
            "use a capital letter, then 2 to 47 letters, digits and _, and no header of C or Arduino",
        )


def pack(files: Mapping[str, bytes], name: str) -> bytes:
    """Return a .zip with the files in one folder `name`, as the Arduino IDE adds libraries.

    Nothing is compressed: what a compressor writes differs from version to version.
    """
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w", zipfile.ZIP_STORED) as archive:
        for path, content in sorted(files.items()):
            entry = zipfile.ZipInfo(f"{name}/{path}", _EPOCH)
            entry.create_system = 3  # Unix, on any system, so that the mode below counts
            entry.external_attr = 0o100644 << 16
            archive.writestr(entry, content)
    return packed.getvalue()


def property_value(text: str) -> str:
    """Return `text` as the value of a line in library.properties: printable ASCII, of limited length."""
    kept = "".join(c if c.isascii() and c.isprintable() else "_" for c in text).strip()
    return kept if len(kept) <= _MAX_PROPERTY else kept[: _MAX_PROPERTY - 3] + "..."


def string_literal(text: str) -> str:
    """Return `text` in UTF-8 as a C string literal. Bytes that C could take for something else are octal."""
    safe = {byte for byte in range(0x20, 0x7F) if chr(byte) not in '"\\?'}
    return '"' + "".join(chr(b) if b in safe else f"\\{b:03o}" for b in text.encode("utf-8", "replace")) + '"'


def _properties(model: GeneratedModel, name: str) -> bytes:
    shape = "x".join(map(str, model.contract.frame_shape))
    fields = {
        "name": name,
        "version": __version__,
        "author": "edgekit",
        "maintainer": "edgekit",
        "sentence": f"A neural network as C: {shape} in, {model.contract.classes} scores out.",
        "paragraph": f"Generated by edgekit. Labels: {', '.join(model.contract.labels)}",
        "category": "Data Processing",
        "url": URL,
        "architectures": "*",
        "includes": f"{name}.h",
    }
    return "".join(f"{key}={property_value(value)}\n" for key, value in fields.items()).encode("ascii")


def _header(name: str) -> bytes:
    guard = f"EDGEKIT_{name.upper()}_H"
    return f"""\
/* Generated by edgekit {__version__}; do not edit. */
#ifndef {guard}
#define {guard}

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {{
#endif

#include "edgekit/ek_app.h"
#include "edgekit/model.h"

/* The name of each score, in UTF-8. */
extern const char *const ek_labels[EK_MODEL_OUTPUT_BYTES];

#ifdef __cplusplus
}}
#endif

#endif
""".encode("ascii")


def _labels(labels: tuple[str, ...]) -> bytes:
    lines = "".join(f"    {string_literal(label)},\n" for label in labels)
    return f"""\
/* Generated by edgekit {__version__}; do not edit. */
#include "model.h"

extern const char *const ek_labels[EK_MODEL_OUTPUT_BYTES];

const char *const ek_labels[EK_MODEL_OUTPUT_BYTES] = {{
{lines}}};
""".encode("ascii")
