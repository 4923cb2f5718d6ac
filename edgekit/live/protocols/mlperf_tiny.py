"""A live run of a board that speaks MLPerf Tiny's protocol: the benchmark's two measurements.

Accuracy: each image once, `infer 1 0`. Performance: a few images, many runs each, and the median.
"""

import statistics
import time
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import islice
from typing import ClassVar

import numpy as np
from numpy.typing import NDArray

from edgekit import connection
from edgekit.board import Board
from edgekit.contract import IDENTITY_TABLE, Color, Contract, Preprocess, Resize
from edgekit.device.mlperf_tiny import Inference, MlperfDevice
from edgekit.errors import DeviceError, UsageError
from edgekit.firmware.image import FirmwareImage
from edgekit.firmware.protocols.mlperf_tiny import MlperfTiny
from edgekit.live.asked import Asked
from edgekit.live.events import Event, Events, Hello, Prediction
from edgekit.live.source import Stream, open_source
from edgekit.live.tally import Summary, Tally

_MICROSECONDS = "microseconds"
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


@dataclass(frozen=True, slots=True, eq=False)
class Performance(Event):
    """The performance measurement, which is a run's summary."""

    type = "summary"
    interrupted: ClassVar[bool] = False
    unit: str
    iterations: int
    invoke_per_file: tuple[float, ...]
    """Clock units per run, of each file."""
    invoke_median: float
    inferences_per_second_median: float | None
    """None where the clock counts no microseconds."""
    ok: bool = True
    error: None = None
    mode: str = "performance"
    n: int = PERFORMANCE_FILES
    warmup: int = WARMUP_RUNS


def run(asked: Asked) -> Events:
    """Open the board, classify or measure what `asked.source` has, and yield what happens.

    Without a model, the contract is what the benchmark says of the model that the board names.
    """
    if asked.source is None:
        raise UsageError("a live run needs a source of frames")
    board = asked.board
    with open_device(board, port=asked.port, timeout_s=asked.timeout_s) as device:
        contract = contract_of(device.model) if asked.model is None else asked.model.contract
        said = {"vendor": device.vendor, "model": device.model, "firmware": device.firmware}
        stream = open_source(asked.source, contract, asked.count)
        real = asked.port is not None or board.emulator is None
        unit = _MICROSECONDS if real else board.ticks.unit.value
        yield Hello({"protocol": MlperfTiny.name, **said}, contract, unit, stream.total)
        if asked.iterations is None:
            yield from _accuracy(device, contract, stream, unit)
        else:
            yield performance(device, stream.frames, contract.classes, asked.iterations, unit)


def _accuracy(device: MlperfDevice, contract: Contract, stream: Stream, unit: str) -> Events:
    tally = Tally(contract.labels, unit)
    try:
        for number, answer in enumerate(answers(device, stream.frames, contract.classes)):
            found, ticks = answer.inference, float(answer.inference.elapsed)
            # What the device needed is no part of the link's time, if it is known in microseconds.
            link_s = max(0.0, answer.link_s - ticks / 1e6) if unit == _MICROSECONDS else answer.link_s
            link_ms = round(link_s * 1e3, 3)
            label = contract.labels[found.index]
            truth = None if stream.labels is None else next(stream.labels, None)
            yield tally.add(Prediction(number, found.index, label, found.scores, ticks, link_ms), truth)
    except KeyboardInterrupt:
        tally.interrupted = True
    yield Summary(tally, None)


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
    device: MlperfDevice,
    frames: Iterable[NDArray[np.uint8]],
    classes: int,
    iterations: int,
    unit: str = _MICROSECONDS,
) -> Performance:
    """Measure PERFORMANCE_FILES frames, after WARMUP_RUNS runs each. Raises UsageError without frames."""
    first = islice(frames, PERFORMANCE_FILES)
    found = answers(device, first, classes, iterations=iterations, warmup=WARMUP_RUNS)
    per_file = tuple(answer.inference.elapsed / iterations for answer in found)
    if not per_file:
        raise UsageError("there are no frames to measure with")
    median = statistics.median(per_file)
    rate = round(1e6 / median, 3) if unit == _MICROSECONDS and median > 0 else None
    return Performance(unit, iterations, per_file, median, rate, n=len(per_file))
