"""What to make of a model, apart from how: how pixels become its input, its labels, and how to calibrate."""

from collections.abc import Sequence
from dataclasses import dataclass

from edgekit.contract import Color, Preprocess, Resize, unit_values


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


def preprocessing(
    color: Color,
    *,
    resize: Resize = Resize.SQUASH,
    mean: Sequence[float] = (0.0,),
    std: Sequence[float] = (1.0,),
) -> Preprocess:
    """Return a preprocessing; one value of mean or std stands for all channels.

    Raises:
        UsageError: mean or std above 1: they are in units of 0..1.
    """
    return Preprocess(
        color=color,
        resize=resize,
        mean=_per_channel(unit_values("mean", tuple(mean)), color),
        std=_per_channel(unit_values("std", tuple(std)), color),
    )


def _per_channel(values: tuple[float, ...], color: Color) -> tuple[float, ...]:
    return values * color.channels if len(values) == 1 else values
