"""What happens in a live run: a hello, predictions, and a summary; `to_dict` gives each as data for JSON."""

import base64
from collections.abc import Generator, Mapping
from dataclasses import asdict, dataclass
from typing import Any, ClassVar, Protocol, TypeAlias

import numpy as np
from numpy.typing import NDArray

from edgekit.contract import Contract
from edgekit.device.events import Statistics
from edgekit.percentiles import Percentiles

Frame = NDArray[np.generic]


class Event(Protocol):
    """Any of them, of any serial protocol."""

    type: ClassVar[str]
    """`hello`, `prediction` or `summary`: one hello first, one summary last."""

    def to_dict(self) -> dict[str, Any]:
        """Return it as plain data for JSON."""


Events: TypeAlias = Generator[Event, None, None]
"""A run. A KeyboardInterrupt, raised in it or thrown into it, ends it early, and its summary still comes."""


@dataclass(frozen=True, slots=True)
class Hello:
    """A device has answered."""

    type: ClassVar[str] = "hello"
    said: Mapping[str, Any]
    """What it said of itself."""
    contract: Contract
    """What names its classes."""
    unit: str
    """Of its ticks."""
    total: int | None
    """How many frames there are, if that is known."""

    def to_dict(self) -> dict[str, Any]:
        """Return it as plain data for JSON."""
        return {"type": self.type, **self.said}


@dataclass(frozen=True, slots=True, eq=False)
class Prediction:
    """A device's answer to one frame, and what the run has come to with it."""

    type: ClassVar[str] = "prediction"
    seq: int
    index: int
    """The class with the highest score."""
    label: str
    scores: tuple[float, ...]
    """As the device sent them: int8 values, or real ones by MLPerf Tiny's protocol."""
    invoke_ticks: float
    link_s: float
    """What the line took, in seconds."""
    preprocess_ticks: float = 0.0
    retransmissions: int | None = None
    """None, as the time before the run is 0, where the protocol does not know."""
    capture_ticks: int | None = None
    """How long the board waited for the picture, if its own camera took it."""
    frame: Frame | None = None
    """What was classified, [H, W, C], if it is here."""
    truth: str | None = None
    """The frame's label, if it has one."""
    right: bool | None = None
    """Whether the answer is the truth, if that is known."""
    n: int = 0
    """Answers so far, this one included."""
    accuracy: float | None = None
    """Top-1 so far as a fraction; None without labelled frames."""
    frames_per_second: float = 0.0

    def to_dict(self) -> dict[str, Any]:
        """Return it as plain data for JSON."""
        known: dict[str, Any] = {}
        if self.retransmissions is not None:
            known = {"preprocess": self.preprocess_ticks, "retransmissions": self.retransmissions}
        if self.capture_ticks is not None:
            frame = None if self.frame is None else base64.b64encode(self.frame.tobytes()).decode("ascii")
            known |= {"capture": self.capture_ticks, "frame": frame}
        return {
            "type": self.type,
            "seq": self.seq,
            "index": self.index,
            "label": self.label,
            "truth": self.truth,
            "scores": self.scores,
            "invoke": self.invoke_ticks,
            "link_ms": round(self.link_s * 1e3, 3),
            **known,
        }


@dataclass(frozen=True, slots=True)
class Summary:
    """What a run came to. Times are in the unit of the device's ticks, those of the link in seconds."""

    type: ClassVar[str] = "summary"
    interrupted: bool
    unit: str
    labels: tuple[str, ...]
    n: int
    labelled: int
    correct: int
    accuracy: float | None
    invoke: Percentiles | None
    preprocess: Percentiles | None
    link_s: Percentiles | None
    seconds: float
    """From the start to the last answer, without pauses."""
    paused: float
    """Seconds that were waited on purpose."""
    frames_per_second: float
    confusion: tuple[tuple[int, int, int], ...]
    """(truth, predicted class, how often), in order."""
    statistics: Statistics | None
    """Of the line; None where the protocol does not count."""

    def to_dict(self) -> dict[str, Any]:
        """Return it as plain data for JSON."""
        known: dict[str, Any] = {"mode": "accuracy"}
        if (line := self.statistics) is not None:
            known = {
                "preprocess": spread(self.preprocess),
                "retransmissions": line.retransmissions,
                "resets": line.resets,
                "reconnections": line.reconnections,
            }
        return {
            "type": self.type,
            "ok": not self.interrupted,
            "error": None,
            "n": self.n,
            "unit": self.unit,
            "accuracy": self.accuracy,
            "labelled": self.labelled,
            "correct": self.correct,
            "invoke": spread(self.invoke),
            "link": link_spread(self.link_s),
            "frames_per_second": round(self.frames_per_second, 2),
            "confusion": self.confusion,
            **known,
        }


def spread(found: Percentiles | None) -> dict[str, float | None]:
    """Return min, p50, p95 and max for JSON; all null without values."""
    return {"min": None, "p50": None, "p95": None, "max": None} if found is None else asdict(found)


def link_spread(found: Percentiles | None) -> dict[str, str | float | None]:
    """Return the same of seconds, in milliseconds."""
    values = {key: None if s is None else round(s * 1e3, 3) for key, s in spread(found).items()}
    return {"unit": "milliseconds", **values}
