"""Runs whole data sets on an emulated board past its serial line: frames from a file, scores to a file.

The firmware is the very image that speaks the serial protocol. It finds a file of frames in the folder that
its emulator was started in, runs each frame through the same code, and ends: no byte goes over the UART.
The two formats stand in firmware_templates/bare_metal/batch.c.
"""

import contextlib
import os
import struct
import subprocess
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO, Any

import numpy as np
from numpy.typing import NDArray

from edgekit import scratch
from edgekit.answers import Answers
from edgekit.board import Board
from edgekit.emulator import check_runnable, ending, qemu
from edgekit.errors import DeviceError, OutputError, ToolError, UsageError
from edgekit.firmware.image import FirmwareImage

FRAMES = "edgekit-frames.bin"
SCORES = "edgekit-scores.bin"

_LOOK_S = 0.05
_HEAD = struct.Struct("<4s32s32s")
_END = struct.Struct("<4sI")


def can_run(board: Board) -> bool:
    """Whether the board has a way past its serial line: those in QEMU have."""
    return ending.in_qemu(board)


def run(
    image: FirmwareImage,
    board: Board,
    frames: NDArray[Any],
    classes: int,
    *,
    jobs: int | None = None,
    arguments: Sequence[str] = (),
    timeout_s: float = 60.0,
    progress: Callable[[float], None] = lambda _: None,
) -> Answers:
    """Run every frame through the firmware.

    Nothing interrupts a batch: the same frames count the same ticks on every run.

    Args:
        image: a built firmware for this board.
        board: one that runs in QEMU.
        frames: uint8 pixels or int8 tensors [N, ...frame shape], at least one; checked by the caller
            against the model's contract.
        classes: how many scores a frame gets.
        jobs: emulators at a time; None means one per core.
        arguments: more for QEMU, the same for each emulator.
        timeout_s: how long an emulator may take for one frame.
        progress: told the fraction done.

    Raises:
        UsageError: no frames, or the board does not run in QEMU.
        FaultError: the firmware crashed.
        ToolError: QEMU is missing, too old, or failed.
        DeviceError: it takes too long, or its answers are not those of this image.
        OutputError: there is no room for the files.
    """
    check_runnable(board)
    if not can_run(board):
        raise UsageError(f"the board '{board.id}' does not run in QEMU, and has no way past its serial line")
    if len(frames) == 0:
        raise UsageError("a batch needs at least one frame")
    count = min(jobs or len(os.sched_getaffinity(0)), len(frames))
    with contextlib.ExitStack() as stack:
        try:
            folder = stack.enter_context(scratch.folder())
            parts = [
                stack.enter_context(_started(image, board, folder / str(number), part, arguments))
                for number, part in enumerate(np.array_split(frames, count))
            ]
            record = np.dtype([("preprocess", "<u8"), ("invoke", "<u8"), ("scores", "i1", (classes,))])
            whole = record.itemsize * len(frames)
            _wait(parts, image, board, record, timeout_s, lambda size: progress(min(1.0, size / whole)))
            found = [_read(part, image, record) for part in parts]
        except OSError as error:
            raise OutputError(
                f"cannot exchange frames with QEMU: {error}", "set TMPDIR to a larger place"
            ) from error
    return _joined(found, board.ticks.unit)


@dataclass(slots=True, eq=False)
class _Part:
    """One emulator and its share of the frames."""

    frames: NDArray[Any]
    scores: Path
    process: subprocess.Popen[bytes]
    errors: IO[bytes]
    done: int = 0
    moved_at: float = field(default_factory=time.monotonic)


@contextlib.contextmanager
def _started(
    image: FirmwareImage, board: Board, folder: Path, frames: NDArray[Any], arguments: Sequence[str]
) -> Iterator[_Part]:
    """Start an emulator on its frames, and end it."""
    folder.mkdir()
    kind = 0 if frames.dtype == np.uint8 else 1
    with (folder / FRAMES).open("wb") as file:
        file.write(b"EKF1" + struct.pack("<2I", kind, len(frames)))
        file.write(np.ascontiguousarray(frames).data)
    machine = qemu.find(board.emulator)
    with tempfile.TemporaryFile() as errors:
        process = machine.start(
            board,
            image.path,
            ["-serial", "none", *arguments],
            errors,
            folder=folder,
            steady=True,
        )
        try:
            yield _Part(frames, folder / SCORES, process, errors)
        finally:
            if process.poll() is None:
                process.kill()
                process.wait()


def _wait(
    parts: list[_Part],
    image: FirmwareImage,
    board: Board,
    record: np.dtype[Any],
    timeout_s: float,
    written: Callable[[int], None],
) -> None:
    """Wait until all have ended in order; `written` is told the bytes of scores so far."""
    waiting = list(parts)
    while waiting:
        with contextlib.suppress(subprocess.TimeoutExpired):
            waiting[0].process.wait(_LOOK_S)
        now = time.monotonic()
        for part in list(waiting):
            code = part.process.poll()
            if code is not None:
                ending.check(image, board, code, ending.last_lines(part.errors))
                if code != 0:
                    raise ToolError(f"QEMU was ended by signal {-code} on '{board.id}'", "run it again")
                waiting.remove(part)
            size = part.scores.stat().st_size if part.scores.exists() else 0
            if size > _whole(part, record):
                raise _wrong()  # before it fills the disk
            if size > part.done:
                part.done, part.moved_at = size, now
            elif code is None and now - part.moved_at > timeout_s:
                raise DeviceError(
                    f"the firmware on '{board.id}' has given no answer for {timeout_s:g} s",
                    "raise --timeout if one frame takes longer than that",
                )
        written(sum(part.done for part in parts))


def _whole(part: _Part, record: np.dtype[Any]) -> int:
    """Return the bytes of a file with a score for every frame."""
    return _HEAD.size + len(part.frames) * record.itemsize + _END.size


def _wrong() -> DeviceError:
    return DeviceError("the file of scores is not one that this firmware writes", "run `edgekit build` again")


def _read(part: _Part, image: FirmwareImage, record: np.dtype[Any]) -> tuple[NDArray[Any], int]:
    """Return the records of one emulator's answers, and the stack it used."""
    content = part.scores.read_bytes()
    count = len(part.frames)
    if len(content) != _whole(part, record):
        raise _wrong()
    mark, contract, model = _HEAD.unpack_from(content)
    end, stack = _END.unpack_from(content, len(content) - _END.size)
    if (mark, end) != (b"EKS1", b"EKE1"):
        raise _wrong()
    if (contract.hex(), model.hex()) != (image.contract_digest, image.model_digest):
        raise _wrong()
    return np.frombuffer(content, record, count, _HEAD.size), int(stack)


def _joined(found: list[tuple[NDArray[Any], int]], unit: str) -> Answers:
    records = np.concatenate([part for part, _ in found])
    return Answers(
        np.ascontiguousarray(records["scores"]),
        "files",
        unit,
        tuple(records["preprocess"].tolist()),
        tuple(records["invoke"].tolist()),
        stack_bytes=max(stack for _, stack in found),
    )
