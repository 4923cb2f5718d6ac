"""How good scores are: top-k accuracy, agreement, confusion, signal-to-noise ratio."""

import math
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray


def top_k(scores: NDArray[Any], labels: Sequence[int] | NDArray[np.int64] | None, k: int = 1) -> float | None:
    """Return how often the label [N] is among the `k` best scores [N, classes], 0..1; None without labels.

    Of equal scores the first class wins, as on a device.
    """
    if labels is None or len(labels) == 0:
        return None
    best = np.argsort(-scores.astype(np.float64), axis=1, kind="stable")[:, :k]
    return float((best == np.asarray(labels)[:, None]).any(axis=1).mean())


def agreement(left: NDArray[Any], right: NDArray[Any]) -> float:
    """Return for which share of the rows [N, classes] both give the same class."""
    return float((left.argmax(1) == right.argmax(1)).mean())


def dequantise(scores: NDArray[np.int8], scale: float, zero_point: int) -> NDArray[np.float64]:
    """Return the real values of int8 scores."""
    return (scores.astype(np.float64) - zero_point) * scale


def snr_db(signal: NDArray[Any], found: NDArray[Any]) -> float:
    """Return 10 log10 of the signal's power over that of the error of `found`; infinite without error."""
    noise = float(((signal - found) ** 2).sum())
    power = float((signal.astype(np.float64) ** 2).sum())
    if noise == 0:
        return math.inf
    return 10 * math.log10(power / noise) if power > 0 else -math.inf


@dataclass(slots=True)
class Confusion:
    """Counts of (truth, predicted class), taken one answer at a time."""

    counts: Counter[tuple[int, int]] = field(default_factory=Counter)
    labelled: int = 0
    correct: int = 0

    def add(self, truth: int, predicted: int) -> None:
        """Count one answer to a labelled frame."""
        self.counts[truth, predicted] += 1
        self.labelled += 1
        self.correct += truth == predicted

    @property
    def accuracy(self) -> float | None:
        """Top-1 as a fraction of the labelled frames, or None without any."""
        return self.correct / self.labelled if self.labelled else None

    def rows(self) -> list[tuple[int, int, int]]:
        """Return (truth, predicted class, how often), in order."""
        return [(truth, predicted, n) for (truth, predicted), n in sorted(self.counts.items())]
