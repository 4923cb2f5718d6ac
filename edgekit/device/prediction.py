"""What a device makes of a frame, as the client gives it to its caller."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray


@dataclass(frozen=True, slots=True, eq=False)
class Prediction:
    """A device's answer to one frame."""

    seq: int
    scores: NDArray[np.int8]
    """All int8 scores, [classes]."""
    index: int
    """The class with the highest score; the first of equal ones."""
    label: str
    preprocess_ticks: int
    invoke_ticks: int
    """In the unit that `Device.hello.unit` names."""
    link_s: float
    """What the link took: the time to the answer from the frame's first byte, or from the answer before it
    if that came later (the frame then waited for the device), less the device's own time if that is known
    in microseconds. Over a run, link and device times add up to the time that passed."""
    retransmissions: int


@dataclass(frozen=True, slots=True, eq=False)
class Sighting:
    """A device's prediction on a frame of its own camera."""

    prediction: Prediction
    capture_ticks: int
    """How long the device waited for the picture, in the unit that `Device.hello.unit` names."""
    frame: NDArray[np.uint8] | None
    """The frame as the model saw it, [H, W, C], if it was asked for and arrived."""
