"""A live run of a board with Seeed's SSCMA firmware, which classifies what its own camera sees."""

import os
import time
from collections.abc import Mapping
from dataclasses import astuple, dataclass, field
from itertools import islice
from pathlib import Path
from typing import Any

from edgekit import files
from edgekit.device import sscma_answers as answers
from edgekit.device.sscma import SscmaDevice
from edgekit.device.sscma_answers import ALGORITHMS, Invocation
from edgekit.errors import UsageError
from edgekit.live.asked import Asked
from edgekit.live.events import Event, Events, spread

PERF = ("preprocess", "invoke", "postprocess")


@dataclass(frozen=True, slots=True, eq=False)
class Hello(Event):
    """The board runs its model."""

    type = "hello"
    unsaid = frozenset({"kind", "algorithm", "wanted_threshold"})
    board: str
    id: str
    name: str
    firmware: str
    hardware: str
    invoke_arguments: int
    model: Mapping[str, Any] | None
    labels: tuple[str, ...]
    """Empty where classes are numbers."""
    labels_from: str
    """`command line`, `board`, `edgekit.toml` or `numbers`."""
    threshold: int | None
    """What the board had."""
    kind: int | None
    """A key of ALGORITHMS, and then its name."""
    algorithm: str
    wanted_threshold: int | None
    """What it was set to; None leaves what the board had."""
    protocol: str = "sscma"


@dataclass(frozen=True, slots=True, eq=False)
class Prediction(Event):
    """What the board made of one frame; what it did not say is None."""

    type = "prediction"
    seq: int
    count: int | None
    """The board's own number of the frame."""
    kind: str
    index: int | None
    """Of the best result, as label and score."""
    label: str | None
    score: float | None
    results: tuple[Mapping[str, Any], ...]
    preprocess_ms: float | None
    invoke_ms: float | None
    postprocess_ms: float | None
    width: int | None
    height: int | None
    rotation: int | None
    picture: Mapping[str, Any] | None
    """Where the picture was written, and its size."""


@dataclass(frozen=True, slots=True, eq=False)
class Summary(Event):
    """What a run came to; times in milliseconds, as min, p50, p95 and max."""

    type = "summary"
    unsaid = frozenset({"interrupted"})
    interrupted: bool
    ok: bool
    n: int
    preprocess: Mapping[str, Any]
    invoke: Mapping[str, Any]
    postprocess: Mapping[str, Any]
    frames_per_second: float
    pictures: int
    damaged_pictures: int
    lost_lines: int
    restarts: int
    unit: str = "milliseconds"
    error: None = None


@dataclass(slots=True)
class _Tally:
    n: int = 0
    first: float = 0.0
    seconds: float = 0.0
    """Between the first and the last prediction."""
    perf: tuple[list[float], ...] = field(default_factory=lambda: tuple([] for _ in PERF))
    pictures: int = 0
    damaged_pictures: int = 0
    interrupted: bool = False

    def add(self, found: answers.Prediction) -> None:
        """Count one prediction."""
        now = time.monotonic()
        self.first = self.first or now
        self.n, self.seconds = self.n + 1, now - self.first
        self.damaged_pictures += found.picture_is_damaged
        if found.perf is not None:
            for kept, value in zip(self.perf, astuple(found.perf), strict=True):
                kept.append(value)


@dataclass(frozen=True, slots=True)
class _Pictures:
    """Where pictures go: one file that is replaced, or a folder that gets one file per picture."""

    path: Path
    is_folder: bool

    def save(self, found: answers.Prediction, tally: _Tally) -> Mapping[str, Any] | None:
        """Write a picture whole, if there is one. Its name is ours. Raises OutputError."""
        picture = found.picture
        if picture is None:
            return None
        path = self.path / f"frame-{tally.pictures + 1:06}.jpg" if self.is_folder else self.path
        files.write_whole(path, picture.jpeg, durable=False)
        tally.pictures += 1
        size = {"width": picture.width, "height": picture.height}
        return {"path": str(path), "bytes": len(picture.jpeg), **size}


def run(asked: Asked) -> Events:
    """Let the board classify what its camera sees, and yield what happens.

    Raises:
        UsageError: no such firmware can be reached on this board.
        OutputError: a picture cannot be written.
        DeviceError: nothing answers as the protocol says.
    """
    _check_board(asked)
    pictures = None if asked.picture is None else _pictures(asked.picture)
    with SscmaDevice.open(
        asked.port or "auto", serial=asked.board.serial, timeout_s=asked.timeout_s, on_note=asked.on_note
    ) as device:
        begun = device.invoke(pictures=pictures is not None, threshold=asked.threshold)
        labels = _labels(device, asked)[0]
        yield _hello(device, begun, asked)
        tally = _Tally()
        try:
            for found in islice(device.predictions(), asked.count):
                tally.add(found)
                yield _prediction(found, labels, tally, pictures)
        except KeyboardInterrupt:
            tally.interrupted = True
        yield _summary(device, tally)


def _check_board(asked: Asked) -> None:
    board = asked.board
    if asked.port is None and board.emulator is not None:
        raise UsageError(
            f"'{board.id}' is a virtual board, and no Seeed firmware runs on it",
            "name a board that has it, such as --board xiao_esp32s3, or the port of one with --port",
        )
    if asked.port is None and board.flash.method == "uf2":
        raise UsageError(
            f"Seeed's firmware on '{board.id}' answers over I2C and WebUSB only, not over a serial line",
            "flash it with edgekit's own firmware, or name a XIAO ESP32S3 or Grove Vision AI V2 with --board",
        )


def _pictures(text: str) -> _Pictures:
    """Return where pictures go, having checked that they can go there. Raises OutputError."""
    path = Path(text)
    is_folder = path.is_dir() or text.endswith(("/", os.sep))
    files.check_writable(path / "frame.jpg" if is_folder else path)
    return _Pictures(path, is_folder)


def _labels(device: SscmaDevice, asked: Asked) -> tuple[tuple[str, ...], str]:
    """Return the names of the classes, and where they are from.

    What stands on the command line comes first: the board's own names stay behind when a model is written
    to its flash by another way than SenseCraft. edgekit.toml comes last: it describes this folder's model.
    """
    stored = None if device.model is None else device.model.info.labels
    places = ((asked.labels, "command line"), (stored, "board"), (asked.project_labels, "edgekit.toml"))
    for labels, origin in places:
        if labels is not None:
            return labels, origin
    return (), "numbers"


def _hello(device: SscmaDevice, begun: Invocation, asked: Asked) -> Hello:
    who, model = device.identity, device.model
    kind = begun.algorithm if begun.algorithm is not None or model is None else model.type
    algorithm = ALGORITHMS.get(kind or 0, "unknown algorithm")
    shown = None
    if model is not None:
        shown = {
            "id": model.id,
            "algorithm": algorithm,
            "address": model.address,
            "size": model.size,
            "name": model.info.name,
            "version": model.info.version,
        }
    return Hello(
        asked.board.id,
        who.id,
        who.name,
        who.software,
        who.hardware,
        begun.arguments,
        shown,
        *_labels(device, asked),
        begun.threshold,
        kind,
        algorithm,
        asked.threshold,
    )


def _prediction(
    found: answers.Prediction, labels: tuple[str, ...], tally: _Tally, pictures: _Pictures | None
) -> Prediction:
    results: tuple[Mapping[str, Any], ...] = tuple(
        {
            "index": result.target,
            "label": labels[result.target] if result.target < len(labels) else str(result.target),
            "score": result.score,
        }
        | ({"place": result.place} if result.place else {})
        for result in found.results
    )
    best: Mapping[str, Any] = results[0] if results else {}
    perf = found.perf
    return Prediction(
        seq=tally.n - 1,
        count=found.count,
        kind=found.kind,
        index=best.get("index"),
        label=best.get("label"),
        score=best.get("score"),
        results=results,
        preprocess_ms=None if perf is None else perf.preprocess_ms,
        invoke_ms=None if perf is None else perf.inference_ms,
        postprocess_ms=None if perf is None else perf.postprocess_ms,
        width=found.width,
        height=found.height,
        rotation=found.rotation,
        picture=None if pictures is None else pictures.save(found, tally),
    )


def _summary(device: SscmaDevice, tally: _Tally) -> Summary:
    rate = (tally.n - 1) / tally.seconds if tally.n > 1 and tally.seconds > 0 else 0.0
    preprocess, invoke, postprocess = map(spread, tally.perf)
    return Summary(
        interrupted=tally.interrupted,
        ok=not tally.interrupted,
        n=tally.n,
        preprocess=preprocess,
        invoke=invoke,
        postprocess=postprocess,
        frames_per_second=round(rate, 2),
        pictures=tally.pictures,
        damaged_pictures=tally.damaged_pictures,
        lost_lines=device.losses.damaged + device.losses.too_long + device.damaged_events,
        restarts=device.restarts,
    )
