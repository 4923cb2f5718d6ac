"""Finds out what kind of model a file is by its content. Nothing is unpickled or run to find out."""

import io
import pickletools
import re
import zipfile
import zlib
from collections.abc import Iterator
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from typing import IO

from edgekit.errors import ModelError
from edgekit.files import open_regular
from edgekit.graph import recognise
from edgekit.untrusted import parse_json

_LEGACY_TORCH = bytes.fromhex("80028a0a6cfc9c46f9206aa85019")
_MAX_PICKLE = 1 << 26
_MAX_HEADER = 1 << 22
"""Of safetensors: some 30,000 tensors. What is parsed takes up to a hundred times as much memory."""
_HINT = (
    "edgekit reads ONNX, PyTorch state dicts (.pt, .pth, .safetensors), TorchScript and torch.export archives"
)

# What a state dict is made of. torch.load(weights_only=True) has the last word; this list only lets the
# error come early and name what is foreign.
_PLAIN = re.compile(
    r"torch\.(\w+Storage|Size|device|dtype|\w*int\d+|\w*float\d+|bool|Tensor|serialization\._get_layout)$"
    r"|torch\._utils\._rebuild_\w+$|torch\._tensor\._rebuild_from_type_v2$|torch\.nn\.parameter\.Parameter$"
    r"|torch\.storage\.\w+$|collections\.(OrderedDict|Counter|defaultdict)$|_codecs\.encode$"
    r"|(builtins|__builtin__)\.(set|bytearray|complex)$"
)
_DAMAGED = (
    zipfile.BadZipFile,
    zlib.error,
    EOFError,
    NotImplementedError,
    RuntimeError,
    UnicodeDecodeError,  # of the names of members
)


class ModelKind(StrEnum):
    """What a model file can be."""

    ONNX = "ONNX"
    STATE_DICT = "PyTorch state dict"
    SAFETENSORS = "safetensors"
    PICKLED = "pickled PyTorch objects"
    TORCHSCRIPT = "TorchScript"
    EXPORTED = "torch.export archive"


@dataclass(frozen=True, slots=True)
class Found:
    """What a file is, and why it needs trust, if it does."""

    kind: ModelKind
    danger: str = ""
    """Why reading it could run code that its author chose; empty when it cannot."""


def detect(path: Path) -> Found:
    """Say what the model at `path` is.

    A state dict, safetensors and ONNX are data. The others are programs. Whole pickled modules, and
    checkpoints that hold other Python objects, are programs for the unpickler, and torch reads .pt2 archives
    with an unrestricted one. TorchScript is a language whose functions open files, and its compiler runs some
    of an archive's code while it reads it: no search through its text could say what it does not reach.

    Raises:
        ModelError: it cannot be read, or is no kind that edgekit knows.
    """
    try:
        if path.is_dir():
            what = "a TensorFlow SavedModel" if (path / "saved_model.pb").is_file() else "a folder"
            raise ModelError(f"'{path}' is {what}, not a model file", _HINT)
        with open_regular(path) as file:
            head = file.read(64)
            size = path.stat().st_size
            if head[:14] == _LEGACY_TORCH:
                file.seek(0)
                return _detect_pickle(io.BytesIO(file.read(min(size, _MAX_PICKLE))), path)
        if head[:4] == b"PK\x03\x04":
            return _detect_zip(path)
    except OSError as error:
        raise ModelError(
            f"cannot read the model '{path}': {error.strerror or error}", "check the path"
        ) from error
    _refuse_others(head, path)
    if _is_safetensors(path, size):
        return Found(ModelKind.SAFETENSORS)
    if head[:1] == b"\x08":
        return _detect_onnx(path)
    raise ModelError(f"'{path}' is no model that edgekit knows", _HINT)


def _refuse_others(head: bytes, path: Path) -> None:
    if not head:
        raise ModelError(f"'{path}' is empty", "export or download the model again")
    if found := recognise.stand_in(head):
        raise ModelError(f"'{path}' is {found[0]}", found[1])
    if head[4:8] == b"TFL3":
        raise ModelError(
            f"'{path}' is a .tflite already",
            "an int8 one goes straight to `edgekit generate`; a float one must be quantised from its ONNX",
        )
    if head[:4] == b"\x89HDF":
        raise ModelError(f"'{path}' is an HDF5 file, as Keras writes it", "export it to ONNX with tf2onnx")
    if head[:1] == b"\x80" and len(head) > 1 and 2 <= head[1] <= 5:
        raise ModelError(
            f"'{path}' is a Python pickle, but not one that torch.save wrote",
            "save the model's state_dict() with torch.save, or export it to ONNX",
        )


def _detect_zip(path: Path) -> Found:
    try:
        with open_regular(path) as file, zipfile.ZipFile(file) as archive:
            names = archive.namelist()
            ends = {name.partition("/")[2] or name: name for name in names}
            if "archive_format" in ends or any(n.endswith("serialized_exported_program.json") for n in names):
                return Found(
                    ModelKind.EXPORTED, "torch reads a torch.export archive with an unrestricted unpickler"
                )
            if "constants.pkl" in ends:  # which is by what torch itself knows them
                return Found(
                    ModelKind.TORCHSCRIPT, "TorchScript is a program, which starts while torch reads it"
                )
            if "data.pkl" in ends:
                info = archive.getinfo(ends["data.pkl"])
                if info.file_size > _MAX_PICKLE:
                    raise ModelError(f"'{path}' holds a pickle of {info.file_size} bytes, which is not read")
                return _detect_pickle(io.BytesIO(_read_member(archive, info)), path)
            if {"config.json", "model.weights.h5"} <= set(names):
                raise ModelError(f"'{path}' is a Keras model", "export it to ONNX with tf2onnx")
    except _DAMAGED as error:
        raise ModelError(f"'{path}' is a damaged archive: {error}", "export or download it again") from error
    raise ModelError(f"'{path}' is a zip archive without a model", _HINT)


def _read_member(archive: zipfile.ZipFile, info: zipfile.ZipInfo) -> bytes:
    # torch writes no other kinds, and each kind's decoder has exceptions of its own.
    if info.compress_type not in (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED):
        raise zipfile.BadZipFile(f"'{info.filename}' is compressed in a way that torch does not write")
    return archive.read(info)


def _detect_pickle(data: io.BytesIO, path: Path) -> Found:
    try:
        foreign = sorted({name for name in _globals(data) if not _PLAIN.match(name)})
    except (ValueError, IndexError, UnicodeDecodeError) as error:
        if data.getbuffer().nbytes == _MAX_PICKLE:  # and it was cut there
            raise ModelError(
                f"'{path}' holds pickles of more than {_MAX_PICKLE:,} bytes, which are not read",
                "save the model's state_dict() alone",
            ) from error
        raise ModelError(
            f"'{path}' holds a damaged pickle: {error}", "export or download it again"
        ) from error
    if not foreign:
        return Found(ModelKind.STATE_DICT)
    shown = ", ".join(foreign[:4]) + (f" and {len(foreign) - 4} more" if len(foreign) > 4 else "")
    return Found(ModelKind.PICKLED, f"it holds Python objects besides tensors ({shown})")


def _globals(data: io.BytesIO) -> Iterator[str]:
    """Yield the dotted name of each object that a pickle, or several one after another, would import."""
    # A legacy file is five pickles, then the tensors' bytes, which are none.
    for _ in range(5 if data.getbuffer()[:14] == _LEGACY_TORCH else 1):
        strings: list[str] = []
        memo: dict[int, str] = {}
        memoized = 0
        for opcode, argument, _ in pickletools.genops(data):
            match opcode.name:
                case "GLOBAL" | "INST":
                    yield str(argument).replace(" ", ".", 1)
                case "STACK_GLOBAL":
                    # Names come from strings that were pushed just before, or fetched from the memo.
                    yield ".".join(strings[-2:]) if len(strings) >= 2 else "an unknown name"
                case "MEMOIZE":
                    memo[memoized] = strings[-1] if strings else ""
                    memoized += 1
                case "PUT" | "BINPUT" | "LONG_BINPUT" if strings and argument is not None:
                    memo[int(argument)] = strings[-1]
                case "GET" | "BINGET" | "LONG_BINGET" if argument is not None and int(argument) in memo:
                    strings.append(memo[int(argument)])
                case name if "UNICODE" in name or "STRING" in name:
                    strings.append(str(argument))


def _is_safetensors(path: Path, size: int) -> bool:
    with open_regular(path) as file:
        length = int.from_bytes(file.read(8), "little")
        if not 2 <= length <= size - 8 or file.read(1) != b"{":
            return False
        if length > _MAX_HEADER:
            raise ModelError(
                f"'{path}' has a safetensors header of {length:,} bytes; edgekit reads {_MAX_HEADER:,}"
            )
        raw = b"{" + file.read(length - 1)
    try:
        return isinstance(parse_json(raw), dict)
    except ValueError:
        return False


def _detect_onnx(path: Path) -> Found:
    """Walk the top-level fields of a protobuf: ONNX's ModelProto has its graph in field 7."""
    size = path.stat().st_size
    graph = False
    with open_regular(path) as file:
        while file.tell() < size:
            key = _varint(file)
            value = _varint(file) if key is not None and key & 7 in (0, 2) else None
            if key is None or value is None or not 1 <= key >> 3 <= 30:
                raise ModelError(f"'{path}' is no model that edgekit knows, or is damaged", _HINT)
            if key & 7 == 2:
                missing = value - (size - file.tell())
                if missing > 0:
                    raise ModelError(
                        f"'{path}' ends early: {missing} bytes are missing",
                        "export or download the model again",
                    )
                graph |= key >> 3 == 7
                file.seek(value, 1)
    if not graph:
        raise ModelError(
            f"'{path}' is no ONNX model, or is cut off before its graph", "export or download it again"
        )
    return Found(ModelKind.ONNX)


def _varint(file: IO[bytes]) -> int | None:
    value = 0
    for shift in range(0, 70, 7):
        byte = file.read(1)
        if not byte:
            return None
        value |= (byte[0] & 0x7F) << shift
        if byte[0] < 0x80:
            return value
    return None
