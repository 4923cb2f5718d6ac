"""Counts the answers of a live run."""

import time
from dataclasses import dataclass, field, replace
from typing import Any

from edgekit.device.events import Statistics
from edgekit.live.events import Event, Prediction, spread
from edgekit.quality import Confusion


@dataclass(slots=True)
class Tally:
    """What a run of predictions adds up to."""

    labels: tuple[str, ...]
    unit: str
    n: int = 0
    confusion: Confusion = field(default_factory=Confusion)
    invoke: list[float] = field(default_factory=list)
    preprocess: list[float] = field(default_factory=list)
    link_ms: list[float] = field(default_factory=list)
    started: float = field(default_factory=time.monotonic)
    seconds: float = 0.0
    paused: float = 0.0
    """Seconds that were waited on purpose; `seconds` does not hold them."""
    interrupted: bool = False

    @property
    def frames_per_second(self) -> float:
        """Frames answered per second of wall time, without pauses."""
        return self.n / self.seconds if self.seconds > 0 else 0.0

    def add(self, prediction: Prediction, truth: int | None) -> Prediction:
        """Count one answer and return it with what is known now; `truth` is None without a label."""
        self.n += 1
        self.invoke.append(prediction.invoke)
        self.preprocess.append(prediction.preprocess)
        self.link_ms.append(prediction.link_ms)
        self.seconds = time.monotonic() - self.started - self.paused
        if truth is not None:
            self.confusion.add(truth, prediction.index)
        return replace(
            prediction,
            truth=None if truth is None else self.labels[truth],
            right=None if truth is None else truth == prediction.index,
            n=self.n,
            accuracy=self.confusion.accuracy,
            frames_per_second=self.frames_per_second,
        )


@dataclass(frozen=True, slots=True, eq=False)
class Summary(Event):
    """What a run came to."""

    type = "summary"
    tally: Tally
    statistics: Statistics | None
    """Of the line; None where the protocol does not count."""

    @property
    def interrupted(self) -> bool:
        """Whether Ctrl-C ended the run early."""
        return self.tally.interrupted

    def to_dict(self) -> dict[str, Any]:
        """Return it as plain data for JSON."""
        tally, line = self.tally, self.statistics
        known: dict[str, Any] = {"mode": "accuracy"}
        if line is not None:
            known = {key: getattr(line, key) for key in ("retransmissions", "resets", "reconnections")}
            known["preprocess"] = spread(tally.preprocess)
        return {
            "type": self.type,
            "ok": not self.interrupted,
            "error": None,
            "n": tally.n,
            "unit": tally.unit,
            "accuracy": tally.confusion.accuracy,
            "labelled": tally.confusion.labelled,
            "correct": tally.confusion.correct,
            "invoke": spread(tally.invoke),
            "link": {"unit": "milliseconds", **spread(tally.link_ms)},
            "frames_per_second": round(tally.frames_per_second, 2),
            "confusion": tally.confusion.rows(),
            **known,
        }
