"""Targets in C: the firmware's own sources, under the address and undefined behaviour sanitizers."""

import struct
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

from link_simulator import device

from edgekit import process, resources

HERE = Path(__file__).parent / "c"
SANITIZE = ("-O1", "-g", "-fsanitize=address,undefined", "-fno-sanitize-recover=all")
_FIRMWARE = resources.firmware_templates()
_APP = _FIRMWARE / "app"
_CAMERA = (_FIRMWARE / "camera" / "ek_watch.c", _FIRMWARE / "camera" / "ek_picture.c")
_SIMULATOR = (device.HERE / "model.c", device.HERE / "sim_port.c")


@dataclass(frozen=True, slots=True)
class Native:
    """A target of libFuzzer, `c/<source>`, and the firmware's sources that it is linked with."""

    name: str
    feeds: str
    source: str
    firmware: Sequence[Path]
    seeds: Callable[[], Iterable[bytes]]
    folders: Sequence[Path] = ()
    defines: Sequence[str] = ()
    max_bytes: int = 4096


def compile_fuzzer(target: Native, out: Path) -> Path:
    """Compile a target with libFuzzer. Raises ToolError."""
    return _compile(target, out, ["clang", "-fsanitize=fuzzer"], [])


def compile_replay(target: Native, out: Path) -> Path:
    """Compile a target as a program that runs the files of its command line, with any C compiler."""
    return _compile(target, out, device.compiler(), [HERE / "replay.c"])


def _compile(target: Native, out: Path, compiler: Sequence[str], more: Sequence[Path]) -> Path:
    sources = [HERE / target.source, *target.firmware, *more]
    folders = dict.fromkeys((HERE, *target.folders, *(path.parent for path in target.firmware)))
    options = [*device.WARNINGS, *SANITIZE, *(f"-I{folder}" for folder in folders)]
    options += [f"-D{define}" for define in target.defines]
    process.run([*compiler, *options, *map(str, sources), "-o", str(out)])
    return out


def _device_seeds() -> list[bytes]:
    def records(*parts: tuple[int, bytes]) -> bytes:
        return b"\1" + b"".join(bytes([operation, len(data)]) + data for operation, data in parts) + b"\0\0\0"

    frame = (4, b"\1" + bytes(8))
    pieces = [(3, bytes([2, unit, 0, 8])) for unit in (0, 8, 16)]
    return [
        records(frame, (4 + 64, b"\2" + bytes(8)), frame),
        records(*pieces, (1, b"\4"), (1, struct.pack("<BI", 1, 0))),
        records((8, b"\5\1\0"), (7, b"abc"), (8, b"\5\2\1"), (8, b"\5\2\2")),
        records((6, b"\0" * 200), (2, b"\2" + bytes(40)), (5, b"x"), frame, (0, b"boot\r\n")),
    ]


def _picture_seeds() -> list[bytes]:
    return [bytes([40, 0, 30, 0, 12, 9, order, 255]) + bytes(range(90)) for order in range(3)]


def _stored_seeds() -> list[bytes]:
    header = b"EKSM" + struct.pack("<3I", 1, 20, 900) + bytes(32) + b"\x09" + bytes(31) + bytes(64)
    return [bytes([wanted]) + header + bytes(20) for wanted in (0, 7, 15)]


def _text_seeds() -> list[bytes]:
    return [
        b"name%profile%timestamp%help%results%",
        b"db load 48%" + b"db 000102030405060708090a0b0c0d0e0f%" * 3 + b"db print%infer 2 1%",
        b"db load -1%db%db load 2147483648%infer 0 -1%db load 3%db 0g%db 123%what%",
    ]


_OURS = (_APP / "ek_classify.c", _APP / "edgekit" / "ek_frame.c", _APP / "edgekit" / "ek_app.c", *_SIMULATOR)
_MLPERF = tuple(_APP / name for name in ("ek_classify.c", "mlperf_tiny/ek_app.c", "mlperf_tiny/ek_text.c"))
_STORED = _FIRMWARE / "stored_model"

TARGETS = (
    Native(
        "device",
        "what the line brings to our firmware",
        "device.c",
        _OURS,
        _device_seeds,
        (_APP,),
        ("TEST_OUTPUT_BYTES=600", "EK_TRACE=1"),
    ),
    Native(
        "device_camera",
        "the same, with a camera, one frame buffer, and a model that fails",
        "device.c",
        (*_OURS, *_CAMERA, device.HERE / "sim_camera.c"),
        _device_seeds,
        (_APP,),
        ("TEST_OUTPUT_BYTES=600", "EK_TRACE=1", "EK_CAMERA=1", "EK_FRAME_BUFFERS=1", "TEST_INVOKE_FAILS=5"),
    ),
    Native("device_picture", "a camera's picture", "picture.c", _CAMERA[1:], _picture_seeds, max_bytes=256),
    Native(
        "device_model",
        "the flash partition of a stored model",
        "stored.c",
        (_STORED / "ek_sha256.c",),
        _stored_seeds,
        (HERE / "stored", _APP),
        max_bytes=512,
    ),
    Native(
        "device_text",
        "what the line brings to MLPerf Tiny firmware",
        "text.c",
        (*_MLPERF, *_SIMULATOR),
        _text_seeds,
        (HERE / "text", _APP),
        ("TEST_INPUT_BYTES=48",),
    ),
)
