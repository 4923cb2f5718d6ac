"""Order statistics of times."""

from collections.abc import Iterable
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Percentiles:
    """Minimum, median, 95th percentile and maximum, in the unit of what was given."""

    min: float
    p50: float
    p95: float
    max: float


def percentiles(values: Iterable[float]) -> Percentiles | None:
    """Return the percentiles by the nearest-rank method (each is a value that occurred); None of nothing."""
    ordered = sorted(values)
    if not ordered:
        return None
    rank = (len(ordered) - 1) * 95
    return Percentiles(ordered[0], ordered[(len(ordered) - 1) // 2], ordered[-(-rank // 100)], ordered[-1])
