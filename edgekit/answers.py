"""What came of running frames, wherever they ran: on a board, in a batch in QEMU, by a reference."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Protocol, TypeAlias

import numpy as np
from numpy.typing import NDArray

from edgekit.errors import OracleError

Frames: TypeAlias = NDArray[Any]
"""uint8 pixels or int8 tensors, [N, ...frame shape]."""
Each: TypeAlias = Callable[[int, NDArray[np.int8]], None]
"""Told a frame's number and its scores [classes] as soon as they are here; what it raises ends the run."""
Progress: TypeAlias = Callable[[float], None]
"""Told the fraction done, 0 to 1."""


def ignore(*_: object) -> None:
    """Be told, and do nothing."""


@dataclass(frozen=True, slots=True, eq=False)
class Answers:
    """The scores of frames, and what is known of how they came about."""

    scores: NDArray[np.int8]
    """[N, classes]"""
    via: str
    """`serial`, `files`, or `reference`."""
    unit: str = ""
    """Of ticks; empty where nothing is measured, and the ticks are none."""
    preprocess_ticks: tuple[int, ...] = ()
    invoke_ticks: tuple[int, ...] = ()
    link_ms: tuple[float, ...] = ()
    """What the line took for each frame; none without a line."""
    retransmissions: int = 0
    resets: int = 0
    reconnections: int = 0
    stack_bytes: int | None = None
    """The most that was in use, if a batch has measured it."""
    failed: tuple[OracleError, ...] = ()
    """Of each frame that a reference has no answer for, why; its scores are zeros."""


class Runner(Protocol):
    """Where frames run."""

    def scores(self, frames: Frames, *, each: Each = ignore, progress: Progress = ignore) -> Answers:
        """Run frames, which the caller has checked against the model's contract."""
