"""What a person asks of a live run, for boards of any protocol; each takes what it knows."""

from collections.abc import Callable
from dataclasses import dataclass

from edgekit.board import Board
from edgekit.device.events import Note
from edgekit.models import Model


@dataclass(frozen=True, slots=True)
class Asked:
    """A board, what it shall classify, and how."""

    board: Board
    port: str | None = None
    """None for a virtual board, which is started, or for the one port that suits."""
    model: Model | None = None
    source: str | None = None
    """A data set, `camera:N` of this computer, or `board` for the board's own."""
    count: int | None = None
    """Stop after so many frames."""
    fps: float | None = None
    frame_every: int | None = None
    """With the source `board`: whose frames are wanted, too; None means none."""
    iterations: int | None = None
    """By MLPerf Tiny's protocol: time so many runs of a few frames, instead of classifying all."""
    picture: str | None = None
    """By SSCMA's: where pictures go, a file that is replaced, or, with a slash behind it, a folder."""
    threshold: int | None = None
    """By SSCMA's: show results with scores above it, in percent."""
    labels: tuple[str, ...] | None = None
    """By SSCMA's: names of the classes, before those that the board has."""
    project_labels: tuple[str, ...] | None = None
    """By SSCMA's: names of the classes, after those that the board has."""
    timeout_s: float = 10.0
    on_note: Callable[[Note], None] = lambda _: None
    """Told of restarts, reconnections and the device's log lines."""
