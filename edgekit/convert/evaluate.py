"""Holds the int8 model against the float model: accuracy of both, agreement, signal-to-noise ratio."""

import math
from collections.abc import Callable
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from edgekit import data
from edgekit.contract import Contract
from edgekit.convert import float_model
from edgekit.convert.onnx_model import OnnxModel
from edgekit.data import Frames
from edgekit.errors import DataError, ModelError, OracleError

_TOP = 5
_BATCH = 64
_MOST_FAILURES = 8
"""So many frames may be left out; where there are more, what remains says little of the model."""


@dataclass(frozen=True, slots=True)
class Evaluation:
    """Float and int8 side by side. Shares are 0..1; accuracies are None without labels."""

    n: int
    top1_float: float | None
    top5_float: float | None
    top1_int8: float | None
    top5_int8: float | None
    agreement: float
    """Share of images for which both give the same class."""
    snr_db: float
    """Power of the float scores over that of the int8 scores' error, in dB; infinite without error."""
    left_out: tuple[str, ...] = ()
    """Of each image that the reference has no answer for, why; `n` is without them."""

    @property
    def drop_points(self) -> float | None:
        """Top-1 accuracy lost by quantisation, in percentage points; negative when int8 is better."""
        if self.top1_float is None or self.top1_int8 is None:
            return None
        # From whole images: 100 * (0.97 - 0.96) would be a little more than the 1 point that is allowed.
        return 100 * (round(self.top1_float * self.n) - round(self.top1_int8 * self.n)) / self.n


def evaluate(
    model: OnnxModel,
    agreed: Contract,
    run: Callable[[NDArray[np.int8]], NDArray[np.int8]],
    frames: Frames,
    *,
    progress: Callable[[int], None] | None = None,
) -> Evaluation:
    """Run both models over the same frames.

    Args:
        model: the float model.
        agreed: the contract of the int8 model made of it; it must take images.
        run: the int8 model as a function of int8 [N, H, W, C] to int8 [N, classes]: `Oracle.run`, or our
            own generated C.
        frames: uint8 [N, H, W, C], with labels or without.
        progress: called with the number of frames done.

    Raises:
        DataError: a label is no index into the outputs.
        ModelError: the contract takes no images.
        OracleError: `run` raises it for more than a few of the frames, or for all.
    """
    if agreed.preprocess is None:
        raise ModelError("a model that takes no images cannot be evaluated on images")
    if frames.labels is not None and frames.labels.size and int(frames.labels.max()) >= agreed.classes:
        raise DataError(
            f"the data has the label {int(frames.labels.max())}, but the model has {agreed.classes} outputs",
            "use the data set that the model was trained for",
        )
    floats = np.empty((len(frames), model.classes), np.float32)
    int8 = np.zeros((len(frames), model.classes), np.int8)
    failed: list[OracleError] = []
    kept = np.ones(len(frames), np.bool_)
    for start in range(0, len(frames), _BATCH):
        part = slice(start, start + _BATCH)
        pixels = frames.pixels[part]
        floats[part] = float_model.scores(model, float_model.normalise(pixels, agreed.preprocess))
        int8[part], kept[part] = rows_of(run, data.quantise(agreed, pixels), model.classes, start, failed)
        if progress is not None:
            progress(min(start + _BATCH, len(frames)))
    if failed and not kept.any():
        raise failed[0]
    labels = None if frames.labels is None else frames.labels[kept]
    found = compare(floats[kept], int8[kept], labels, agreed)
    return replace(found, left_out=tuple(error.message for error in failed))


def rows_of(
    run: Callable[[NDArray[np.int8]], NDArray[np.int8]],
    frames: NDArray[np.int8],
    classes: int,
    first: int,
    failed: list[OracleError],
) -> tuple[NDArray[np.int8], NDArray[np.bool_]]:
    """Return the scores [N, classes] of int8 frames, and for which there are some [N].

    Args:
        run: as in `evaluate`.
        frames: int8 [N, H, W, C].
        classes: how many scores a frame gets.
        first: the number of the first frame, for messages.
        failed: the errors of frames without scores are added to it.

    Raises:
        OracleError: the first of `failed`, when there are too many.
    """
    scores = np.zeros((len(frames), classes), np.int8)
    ran = np.ones(len(frames), np.bool_)
    for number in range(len(frames)):
        try:
            scores[number] = run(frames[number : number + 1])[0]
        except OracleError as error:
            ran[number] = False
            failed.append(error.moved(first + number))
            if len(failed) > _MOST_FAILURES:
                raise failed[0] from error
    return scores, ran


def compare(
    floats: NDArray[np.float32], int8: NDArray[np.int8], labels: NDArray[np.int64] | None, agreed: Contract
) -> Evaluation:
    """Compare float scores [N, classes] with int8 scores [N, classes]; labels [N] or None."""
    agreement = float((floats.argmax(1) == int8.argmax(1)).mean())
    return Evaluation(
        n=len(floats),
        top1_float=_top(floats, labels, 1),
        top5_float=_top(floats, labels, _TOP),
        top1_int8=_top(int8, labels, 1),
        top5_int8=_top(int8, labels, _TOP),
        agreement=agreement,
        snr_db=snr_db(floats, int8, agreed),
    )


def snr_db(floats: NDArray[np.float32], int8: NDArray[np.int8], agreed: Contract) -> float:
    """Return 10 log10 of the power of the float scores over that of the error of the int8 scores."""
    real = (int8.astype(np.float64) - agreed.output_zero_point) * agreed.output_scale
    noise = float(((floats - real) ** 2).sum())
    signal = float((floats.astype(np.float64) ** 2).sum())
    if noise == 0:
        return math.inf
    return 10 * math.log10(signal / noise) if signal > 0 else -math.inf


def _top(
    scores: NDArray[np.float32] | NDArray[np.int8], labels: NDArray[np.int64] | None, count: int
) -> float | None:
    """Return how often the label is among the `count` best scores; of equal scores the first class wins."""
    if labels is None or len(labels) == 0:
        return None
    best = np.argsort(-scores.astype(np.float64), axis=1, kind="stable")[:, :count]
    return float((best == labels[:, None]).any(axis=1).mean())
