"""The reference kernels as a place where frames run: LiteRT's, or tflite-micro's for the runtime `tflm`."""

import time
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from edgekit import data
from edgekit.answers import Answers, Each, Frames, Progress, ignore
from edgekit.contract import Contract
from edgekit.errors import OracleError
from edgekit.oracle import Oracle
from edgekit.tflite_micro import TfliteMicro

_AT_ONCE, _QUICK_S = 16, 0.1
"""Frames in one question, and when it is quick: a message for each would take longer than a small network."""


def to_tensors(frames: Frames, contract: Contract) -> NDArray[np.int8]:
    """Return the int8 input tensors of frames [N, ...]: pixels by the contract's table, int8 as it is."""
    return data.quantise(contract, frames) if frames.dtype == np.uint8 else frames.view(np.int8)


@dataclass(frozen=True, slots=True)
class Reference:
    """A `Runner` of reference kernels; `most_failures` frames may be without an answer, but not all."""

    oracle: Oracle | TfliteMicro
    contract: Contract
    most_failures: int = 0

    def scores(self, frames: Frames, *, each: Each = ignore, progress: Progress = ignore) -> Answers:
        """Run frames. Raises OracleError, the first, if more than `most_failures` have no answer, or all."""
        scores = np.zeros((len(frames), self.contract.classes), np.int8)
        failed: list[OracleError] = []
        for number, row in enumerate(rows(self.oracle, frames, self.contract)):
            if isinstance(row, OracleError):
                failed.append(row)
                if len(failed) > self.most_failures or len(failed) == len(frames):
                    raise failed[0]
            else:
                scores[number] = row
                each(number, row)
            progress((number + 1) / len(frames))
        return Answers(scores, "reference", failed=tuple(failed))


def rows(
    oracle: Oracle | TfliteMicro, frames: Frames, contract: Contract
) -> Iterator[NDArray[np.int8] | OracleError]:
    """Yield each frame's scores [classes], or why it has none."""
    start, count = 0, 1
    while start < len(frames):
        part, began = to_tensors(frames[start : start + count], contract), time.monotonic()
        try:
            found, error = oracle.run(part), None
        except OracleError as caught:
            found, error = oracle.run(part[: caught.frame]), caught
        # Slow ones come one by one: between them the device is listened to.
        count = min(2 * count, _AT_ONCE) if time.monotonic() - began < _QUICK_S else 1
        yield from found
        if error is not None:
            yield error.moved(start)
        start += len(found) + (error is not None)
