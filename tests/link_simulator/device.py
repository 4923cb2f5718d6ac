"""The firmware's own C (ek_frame.c, ek_app.c) with a port and a model made for tests, as a shared library."""

import ctypes
import os
import shutil
import sys
import zlib
from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from edgekit import process, resources

HERE = Path(__file__).parent / "device"
WARNINGS = (
    *("-std=c11", "-Wall", "-Wextra", "-Wpedantic", "-Wconversion", "-Wsign-conversion", "-Wshadow"),
    *("-Wcast-qual", "-Wstrict-prototypes", "-Wmissing-prototypes", "-Wundef", "-Wvla", "-Werror"),
)
INPUT_BYTES = 3072


def compiler() -> list[str]:
    """Return the C compiler to call: CC, else the system's, else the one of the ziglang package."""
    if given := os.environ.get("CC"):
        return given.split()
    found = shutil.which("cc") or shutil.which("gcc") or shutil.which("clang")
    return [found] if found else [sys.executable, "-m", "ziglang", "cc"]


def app_sources() -> list[Path]:
    """Return the C files of the firmware application."""
    app = resources.firmware_templates() / "app"
    return [app / "ek_classify.c", app / "edgekit" / "ek_frame.c", app / "edgekit" / "ek_app.c"]


def app_folders() -> list[Path]:
    """Return the folders of its headers: its own, and what all protocols share."""
    app = resources.firmware_templates() / "app"
    return [app / "edgekit", app]


def compile_device(
    out: Path,
    *,
    defines: Mapping[str, int] | None = None,
    options: Sequence[str] = ("-O2", "-shared", "-fPIC"),
    port: Sequence[Path] = (HERE / "sim_port.c",),
) -> Path:
    """Compile the device code and the test's model with a port: by default a library with the test's."""
    sources = [*app_sources(), HERE / "model.c", *port]
    if defines and "EK_CAMERA" in defines:
        camera = resources.firmware_templates() / "camera"
        sources += [camera / "ek_watch.c", camera / "ek_picture.c", HERE / "sim_camera.c"]
    folders = {f"-I{folder}" for folder in (*(path.parent for path in sources), *app_folders())}
    settings = [f"-D{name}={value}" for name, value in (defines or {}).items()]
    command = [*compiler(), *WARNINGS, *options, *settings, *sorted(folders)]
    process.run([*command, *map(str, sources), "-o", str(out)])
    return out


def compile_fuzzer(out: Path, **defines: int) -> Path:
    """Compile the fuzzing program, which stops at the first invalid access or undefined operation."""
    options = ("-O1", "-g", "-fsanitize=address,undefined", "-fno-sanitize-recover=all")
    port = [HERE / "sim_port.c", HERE / "fuzz.c"]
    return compile_device(out, defines=defines, options=options, port=port)


def compile_program(out: Path, **defines: int) -> Path:
    """Compile the device for the host's own port: a process that speaks on stdin and stdout."""
    host = resources.firmware_templates() / "host"
    port = [host / "port.c", host / "main.c"]
    return compile_device(out, defines=defines, options=("-O2",), port=port)


class SimulatedDevice:
    """One device. Its state lives in the library, so each device needs a library file of its own."""

    def __init__(self, library: Path) -> None:
        self._c = ctypes.CDLL(str(library))
        self._c.sim_arrive.argtypes = self._c.sim_queue.argtypes = [ctypes.c_char_p, ctypes.c_size_t]
        self._c.sim_take.argtypes = [ctypes.c_char_p, ctypes.c_size_t]
        self._c.sim_poll.argtypes = [ctypes.c_size_t]
        self._c.sim_take.restype = self._c.sim_overflow.restype = ctypes.c_size_t
        self._out = ctypes.create_string_buffer(1 << 20)
        self.reset()

    def reset(self) -> None:
        """Switch the device off and on."""
        self._c.sim_reset()

    def arrive(self, data: bytes) -> bytes:
        """Let bytes arrive, let the device handle them, and return what it sent."""
        self._c.sim_arrive(data, len(data))
        return self.take()

    def queue(self, data: bytes) -> None:
        """Let bytes arrive while the device is too busy to look."""
        self._c.sim_queue(data, len(data))

    def poll(self, rounds: int) -> bytes:
        """Let the device run its loop so many times, and return what it sent."""
        self._c.sim_poll(rounds)
        return self.take()

    def break_camera(self, fault: int) -> None:
        """From now on the camera works (0), gives no picture (1) or too small ones (2)."""
        self._c.sim_camera(fault)

    def take(self) -> bytes:
        """Return what the device has sent."""
        return self._out.raw[:count] if (count := self._c.sim_take(self._out, len(self._out))) else b""

    @property
    def overflow(self) -> int:
        """Bytes that came while the receive ring was full."""
        return int(self._c.sim_overflow())


_PIXELS = np.arange(256)
TABLE: NDArray[np.uint8] = np.stack([(_PIXELS * 7 + channel * 13 + 5) & 0xFF for channel in range(3)]).astype(
    np.uint8
)
_BY_CHANNEL = [row.tobytes() for row in TABLE]


def expected_scores(frame: bytes, *, pixels: bool = True) -> bytes:
    """Return what the test's model answers for a frame."""
    if pixels:
        tensor = bytearray(len(frame))
        for channel in range(3):
            tensor[channel::3] = frame[channel::3].translate(_BY_CHANNEL[channel])
    else:
        tensor = bytearray(frame)
    return zlib.crc32(tensor).to_bytes(4, "little") + zlib.adler32(tensor).to_bytes(4, "little")
