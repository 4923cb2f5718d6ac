"""Runs the MLPerf Tiny benchmark's two measurements on a board that speaks its device protocol.

Accuracy: each image once, `infer 1 0`. Performance: a few images, many runs each, and the median.
"""

import statistics
import time
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import islice

import numpy as np
from numpy.typing import NDArray

from edgekit import connection
from edgekit.board import Board
from edgekit.contract import IDENTITY_TABLE, Color, Contract, Preprocess, Resize
from edgekit.device.mlperf_tiny import Inference, MlperfDevice
from edgekit.errors import DeviceError, UsageError
from edgekit.firmware.image import FirmwareImage
from edgekit.firmware.protocols.mlperf_tiny import MlperfTiny

PERFORMANCE_FILES = 5
WARMUP_RUNS = 10

# Height, width and classes of the benchmark's models that take RGB images.
_IMAGES = {"ic01": (32, 32, 10), "vww01": (96, 96, 2)}


@dataclass(frozen=True, slots=True)
class Answer:
    """A device's answer to one frame."""

    inference: Inference
    link_s: float
    """From the first command to the last line, the timed runs included."""


@dataclass(frozen=True, slots=True)
class Performance:
    """The performance measurement: clock units per run, of each file and their median."""

    iterations: int
    per_file: tuple[float, ...]
    median: float


@contextmanager
def open_device(
    board: Board,
    *,
    port: str | None = None,
    image: FirmwareImage | None = None,
    timeout_s: float = 10.0,
) -> Iterator[MlperfDevice]:
    """Open the board at `port`, or a virtual board that runs `image` or what was flashed to it last.

    Raises:
        UsageError: the virtual board's firmware speaks another protocol.
        PortError, DeviceError: nothing answers as the protocol says.
    """
    with (
        connection.open_line(board, port=port, image=image, protocol=MlperfTiny.name) as line,
        MlperfDevice.open(line, serial=board.serial, timeout_s=timeout_s) as device,
    ):
        yield device


def contract_of(model: str) -> Contract:
    """Return what the benchmark says of a model's input and output; the labels are numbers.

    Raises:
        UsageError: the model takes no images.
    """
    if model not in _IMAGES:
        raise UsageError(
            f"the device runs '{model[:20]}', whose input edgekit does not know",
            f"pass the model with --model; known without it: {', '.join(_IMAGES)}",
        )
    height, width, classes = _IMAGES[model]
    return Contract(
        input_shape=(1, height, width, 3),
        input_scale=1.0,
        input_zero_point=-128,
        output_shape=(1, classes),
        output_scale=1 / 256,
        output_zero_point=-128,
        labels=tuple(str(index) for index in range(classes)),
        oracle="",
        preprocess=Preprocess(Color.RGB, Resize.SQUASH, mean=(0.0,) * 3, std=(1 / 255,) * 3),
        table=IDENTITY_TABLE * 3,
        implied=True,
    )


def answers(
    device: MlperfDevice,
    frames: Iterable[NDArray[np.uint8]],
    classes: int,
    *,
    iterations: int = 1,
    warmup: int = 0,
) -> Iterator[Answer]:
    """Send each frame and run it. Raises DeviceError, also if the device has another number of classes."""
    for frame in frames:
        started = time.monotonic()
        device.load(frame.tobytes())
        inference = device.infer(iterations, warmup)
        if len(inference.scores) != classes:
            raise DeviceError(
                f"expected {classes} scores, but the device's '{device.model}' sent {len(inference.scores)}",
                "is this the model that the device runs?",
            )
        yield Answer(inference, time.monotonic() - started)


def performance(
    device: MlperfDevice, frames: Iterable[NDArray[np.uint8]], classes: int, iterations: int
) -> Performance:
    """Measure PERFORMANCE_FILES frames, after WARMUP_RUNS runs each. Raises UsageError without frames."""
    first = islice(frames, PERFORMANCE_FILES)
    found = answers(device, first, classes, iterations=iterations, warmup=WARMUP_RUNS)
    per_file = tuple(answer.inference.elapsed / iterations for answer in found)
    if not per_file:
        raise UsageError("there are no frames to measure with")
    return Performance(iterations, per_file, statistics.median(per_file))
