"""Holds the int8 model against the float model: accuracy of both, agreement, signal-to-noise ratio."""

from collections.abc import Callable
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from edgekit import quality
from edgekit.answers import Runner
from edgekit.contract import Contract
from edgekit.convert import float_model
from edgekit.convert.onnx_model import OnnxModel
from edgekit.data import Frames
from edgekit.errors import DataError, ModelError

MOST_FAILURES = 8
"""So many frames may be left out; where there are more, what remains says little of the model."""
_TOP = 5
_BATCH = 64


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
    runner: Runner,
    frames: Frames,
    *,
    progress: Callable[[int], None] = lambda _: None,
) -> Evaluation:
    """Run both models over the same frames.

    Args:
        model: the float model.
        agreed: the contract of the int8 model made of it; it must take images.
        runner: the int8 model; frames that it has no answer for are left out.
        frames: uint8 [N, H, W, C], with labels or without.
        progress: called with the number of frames done.

    Raises:
        DataError: a label is no index into the outputs.
        ModelError: the contract takes no images.
        OracleError: `runner` has no answer for more frames than it may.
    """
    if agreed.preprocess is None:
        raise ModelError("a model that takes no images cannot be evaluated on images")
    if frames.labels is not None and frames.labels.size and int(frames.labels.max()) >= agreed.classes:
        raise DataError(
            f"the data has the label {int(frames.labels.max())}, but the model has {agreed.classes} outputs",
            "use the data set that the model was trained for",
        )
    count = len(frames)
    int8 = runner.scores(frames.pixels, progress=lambda done: progress(round(done * count)))
    floats = np.empty((count, model.classes), np.float32)
    for start in range(0, count, _BATCH):
        part = slice(start, start + _BATCH)
        floats[part] = float_model.scores(
            model, float_model.normalise(frames.pixels[part], agreed.preprocess)
        )
    kept = np.ones(count, np.bool_)
    kept[[error.frame for error in int8.failed]] = False
    labels = None if frames.labels is None else frames.labels[kept]
    found = compare(floats[kept], int8.scores[kept], labels, agreed)
    return replace(found, left_out=tuple(error.message for error in int8.failed))


def compare(
    floats: NDArray[np.float32], int8: NDArray[np.int8], labels: NDArray[np.int64] | None, agreed: Contract
) -> Evaluation:
    """Compare float scores [N, classes] with int8 scores [N, classes]; labels [N] or None."""
    return Evaluation(
        n=len(floats),
        top1_float=quality.top_k(floats, labels),
        top5_float=quality.top_k(floats, labels, _TOP),
        top1_int8=quality.top_k(int8, labels),
        top5_int8=quality.top_k(int8, labels, _TOP),
        agreement=quality.agreement(floats, int8),
        snr_db=quality.snr_db(
            floats, quality.dequantise(int8, agreed.output_scale, agreed.output_zero_point)
        ),
    )
