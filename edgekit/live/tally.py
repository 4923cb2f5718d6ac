"""Counts the answers of a live run."""

import time
from dataclasses import dataclass, field, replace

from edgekit.device.events import Statistics
from edgekit.live.events import Prediction, Summary
from edgekit.percentiles import percentiles
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
    link_s: list[float] = field(default_factory=list)
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
        self.invoke.append(prediction.invoke_ticks)
        self.preprocess.append(prediction.preprocess_ticks)
        self.link_s.append(prediction.link_s)
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

    def summary(self, statistics: Statistics | None) -> Summary:
        """Return what it comes to, and what has happened on the line if that is known."""
        return Summary(
            interrupted=self.interrupted,
            unit=self.unit,
            labels=self.labels,
            n=self.n,
            labelled=self.confusion.labelled,
            correct=self.confusion.correct,
            accuracy=self.confusion.accuracy,
            invoke=percentiles(self.invoke),
            preprocess=percentiles(self.preprocess),
            link_s=percentiles(self.link_s),
            seconds=self.seconds,
            paused=self.paused,
            frames_per_second=self.frames_per_second,
            confusion=tuple((t, p, n) for (t, p), n in sorted(self.confusion.counts.items())),
            statistics=statistics,
        )
