"""What to make of a model, apart from how: how pixels become its input, its labels, and how to calibrate."""

from dataclasses import dataclass

from edgekit.contract import Preprocess


@dataclass(frozen=True, slots=True)
class Recipe:
    """The choices of one quantisation."""

    preprocess: Preprocess
    labels: tuple[str, ...] | None = None
    """One name per output in the order of training; None for 0..N-1."""
    max_images: int = 256
    """Calibrate with at most this many images, evenly spread over those given."""
    allow_random: bool = False
    """Accept calibration images that look like random numbers."""
