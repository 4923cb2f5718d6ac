"""What happens in a live run: a hello, predictions, and a summary."""

import base64
from collections.abc import Generator, Iterable, Mapping
from dataclasses import asdict, dataclass, fields
from typing import Any, ClassVar, TypeAlias

import numpy as np
from numpy.typing import NDArray

from edgekit.contract import Contract
from edgekit.percentiles import percentiles

Frame: TypeAlias = NDArray[np.generic]


@dataclass(frozen=True, slots=True, eq=False)
class Event:
    """Any of them, of any serial protocol; its fields are those of its JSON, but for `unsaid`."""

    type: ClassVar[str]
    """`hello`, `prediction` or `summary`: one hello first, one summary last."""
    unsaid: ClassVar[frozenset[str]] = frozenset()

    def to_dict(self) -> dict[str, Any]:
        """Return it as plain data for JSON."""
        said = (field.name for field in fields(self) if field.name not in self.unsaid)
        return {"type": self.type, **{name: getattr(self, name) for name in said}}


Events: TypeAlias = Generator[Event, None, None]
"""A run. A KeyboardInterrupt, raised in it or thrown into it, ends it early, and its summary still comes."""


@dataclass(frozen=True, slots=True, eq=False)
class Hello(Event):
    """A device has answered."""

    type = "hello"
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
class Prediction(Event):
    """A device's answer to one frame, and what the run has come to with it."""

    type = "prediction"
    unsaid = frozenset({"right", "n", "accuracy", "frames_per_second"})
    seq: int
    index: int
    """The class with the highest score."""
    label: str
    scores: tuple[float, ...]
    """As the device sent them: int8 values, or real ones by MLPerf Tiny's protocol."""
    invoke: float
    """Ticks of the run."""
    link_ms: float
    """What the line took."""
    preprocess: float = 0.0
    """Ticks before it."""
    retransmissions: int | None = None
    """None, as the ticks before are 0, where the protocol does not know."""
    capture: int | None = None
    """Ticks that the board waited for the picture, if its own camera took it."""
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
        """Return it as plain data for JSON, with the frame if the board's own camera took it."""
        found = Event.to_dict(self)
        unknown = ("preprocess", "retransmissions") if self.retransmissions is None else ()
        foreign = ("capture", "frame") if self.capture is None else ()
        for key in (*unknown, *foreign):
            del found[key]
        if "frame" in found and self.frame is not None:
            found["frame"] = base64.b64encode(self.frame.tobytes()).decode("ascii")
        return found


def spread(values: Iterable[float]) -> dict[str, Any]:
    """Return min, p50, p95 and max for JSON; all None without values."""
    found = percentiles(values)
    return dict.fromkeys(("min", "p50", "p95", "max")) if found is None else asdict(found)
