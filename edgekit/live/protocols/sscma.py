"""A live run of a board with Seeed's SSCMA firmware, which classifies what its own camera sees."""

import os
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from itertools import islice
from pathlib import Path
from typing import Any, ClassVar

from edgekit import files
from edgekit.device.sscma import SscmaDevice
from edgekit.device.sscma_answers import ALGORITHMS, DeviceIdentity, Invocation, ModelIdentity, Prediction
from edgekit.errors import UsageError
from edgekit.live.asked import Asked
from edgekit.live.events import Events, spread
from edgekit.percentiles import Percentiles, percentiles

PERF = ("preprocess", "invoke", "postprocess")


@dataclass(frozen=True, slots=True)
class Hello:
    """The board runs its model."""

    type: ClassVar[str] = "hello"
    board: str
    identity: DeviceIdentity
    model: ModelIdentity | None
    begun: Invocation
    labels: tuple[str, ...]
    """Empty where classes are numbers."""
    labels_from: str
    """`command line`, `board`, `edgekit.toml` or `numbers`."""
    threshold: int | None
    """What the threshold was set to; None leaves what the board had."""

    @property
    def kind(self) -> int | None:
        """A key of ALGORITHMS."""
        if self.begun.algorithm is not None or self.model is None:
            return self.begun.algorithm
        return self.model.type

    @property
    def algorithm(self) -> str:
        """Its name."""
        return ALGORITHMS.get(self.kind or 0, "unknown algorithm")

    def to_dict(self) -> dict[str, Any]:
        """Return it as plain data for JSON."""
        model = self.model
        return {
            "type": self.type,
            "protocol": "sscma",
            "board": self.board,
            "id": self.identity.id,
            "name": self.identity.name,
            "firmware": self.identity.software,
            "hardware": self.identity.hardware,
            "invoke_arguments": self.begun.arguments,
            "model": None
            if model is None
            else {
                "id": model.id,
                "algorithm": self.algorithm,
                "address": model.address,
                "size": model.size,
                "name": model.info.name,
                "version": model.info.version,
            },
            "labels": self.labels,
            "labels_from": self.labels_from,
            "threshold": self.begun.threshold,
        }


@dataclass(frozen=True, slots=True)
class Seen:
    """What the board made of one frame."""

    type: ClassVar[str] = "prediction"
    n: int
    """Predictions so far, this one included."""
    prediction: Prediction
    names: tuple[str, ...]
    """Of the results' classes."""
    saved: Path | None
    """Where the picture was written, if it was."""

    def to_dict(self) -> dict[str, Any]:
        """Return it as plain data for JSON."""
        found, picture = self.prediction, self.prediction.picture
        results = [
            {"index": result.target, "label": name, "score": result.score}
            | ({"place": result.place} if result.place else {})
            for result, name in zip(found.results, self.names, strict=True)
        ]
        best = results[0] if results else {}
        perf = found.perf
        return {
            "type": self.type,
            "seq": self.n - 1,
            "count": found.count,
            "kind": found.kind,
            **{key: best.get(key) for key in ("index", "label", "score")},
            "results": results,
            "preprocess_ms": None if perf is None else perf.preprocess_ms,
            "invoke_ms": None if perf is None else perf.inference_ms,
            "postprocess_ms": None if perf is None else perf.postprocess_ms,
            "width": found.width,
            "height": found.height,
            "rotation": found.rotation,
            "picture": None
            if self.saved is None or picture is None
            else {
                "path": str(self.saved),
                "bytes": len(picture.jpeg),
                "width": picture.width,
                "height": picture.height,
            },
        }


@dataclass(frozen=True, slots=True)
class Summary:
    """What a run came to; times in milliseconds."""

    type: ClassVar[str] = "summary"
    interrupted: bool
    n: int
    perf: tuple[Percentiles | None, ...]
    """Of each of PERF."""
    frames_per_second: float
    pictures: int
    damaged_pictures: int
    lost_lines: int
    restarts: int

    def to_dict(self) -> dict[str, Any]:
        """Return it as plain data for JSON."""
        return {
            "type": self.type,
            "ok": not self.interrupted,
            "error": None,
            "n": self.n,
            "unit": "milliseconds",
            **dict(zip(PERF, map(spread, self.perf), strict=True)),
            "frames_per_second": round(self.frames_per_second, 2),
            "pictures": self.pictures,
            "damaged_pictures": self.damaged_pictures,
            "lost_lines": self.lost_lines,
            "restarts": self.restarts,
        }


@dataclass(slots=True)
class _Tally:
    n: int = 0
    seconds: float = 0.0
    """Between the first and the last prediction."""
    perf: tuple[list[float], ...] = field(default_factory=lambda: tuple([] for _ in PERF))
    pictures: int = 0
    damaged_pictures: int = 0
    interrupted: bool = False


@dataclass(frozen=True, slots=True)
class _Pictures:
    """Where pictures go: one file that is replaced, or a folder that gets one file per picture."""

    path: Path
    is_folder: bool

    def save(self, found: Prediction, tally: _Tally) -> Path | None:
        """Write a picture whole, if there is one. Its name is ours. Raises OutputError."""
        if found.picture is None:
            return None
        path = self.path / f"frame-{tally.pictures + 1:06}.jpg" if self.is_folder else self.path
        files.write_whole(path, found.picture.jpeg)
        tally.pictures += 1
        return path


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
        labels, origin = _labels(device, asked)
        model, board = device.model, asked.board.id
        yield Hello(board, device.identity, model, begun, labels, origin, asked.threshold)
        tally = _Tally()
        try:
            for found in _seen(device, tally, asked):
                names = (labels[r.target] if r.target < len(labels) else str(r.target) for r in found.results)
                saved = None if pictures is None else pictures.save(found, tally)
                yield Seen(tally.n, found, tuple(names), saved)
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


def _seen(device: SscmaDevice, tally: _Tally, asked: Asked) -> Iterator[Prediction]:
    """Yield the board's predictions, and count them."""
    first = 0.0
    for found in islice(device.predictions(), asked.count):
        now = time.monotonic()
        first = first or now
        tally.n, tally.seconds = tally.n + 1, now - first
        tally.damaged_pictures += found.picture_is_damaged
        if (perf := found.perf) is not None:
            values = (perf.preprocess_ms, perf.inference_ms, perf.postprocess_ms)
            for kept, value in zip(tally.perf, values, strict=True):
                kept.append(value)
        yield found


def _summary(device: SscmaDevice, tally: _Tally) -> Summary:
    return Summary(
        interrupted=tally.interrupted,
        n=tally.n,
        perf=tuple(map(percentiles, tally.perf)),
        frames_per_second=(tally.n - 1) / tally.seconds if tally.n > 1 and tally.seconds > 0 else 0.0,
        pictures=tally.pictures,
        damaged_pictures=tally.damaged_pictures,
        lost_lines=device.losses.damaged + device.losses.too_long + device.damaged_events,
        restarts=device.restarts,
    )
