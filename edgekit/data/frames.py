"""Turns a data set into the frames that travel to a device, and frames into the model's int8 input."""

from collections.abc import Iterator
from dataclasses import dataclass, field
from enum import StrEnum

import numpy as np
from numpy.typing import NDArray

from edgekit.contract import Contract, Preprocess
from edgekit.data.dataset import Dataset
from edgekit.data.prepare import prepare
from edgekit.errors import DataError, UsageError


class OnBroken(StrEnum):
    """What to do with an image that cannot be decoded."""

    REFUSE = "refuse"
    SKIP = "skip"


@dataclass(frozen=True, slots=True)
class Frame:
    """One image as the model sees it, and where it came from."""

    index: int
    """Its number in the data set."""
    pixels: NDArray[np.uint8] | None = field(repr=False)
    """uint8 [H, W, C]; None for a broken image that is skipped."""
    label: int | None
    name: str
    broken: str = ""
    """Why the image could not be read; empty for a good one."""


@dataclass(frozen=True, slots=True)
class Frames:
    """Images as the model sees them."""

    pixels: NDArray[np.uint8] = field(repr=False)
    """uint8 [N, H, W, C]."""
    labels: NDArray[np.int64] | None = field(repr=False)
    skipped: tuple[str, ...] = ()
    """What was said of each broken image that was left out."""

    def __len__(self) -> int:
        return len(self.pixels)


def stream(
    dataset: Dataset,
    preprocess: Preprocess,
    size: tuple[int, int],
    *,
    on_broken: OnBroken = OnBroken.REFUSE,
    indices: NDArray[np.int64] | None = None,
) -> Iterator[Frame]:
    """Yield the frames of a data set in order, decoding each when it is asked for.

    Args:
        dataset: where the images are.
        preprocess: color and resize decide; mean and std do not touch pixels.
        size: (height, width).
        on_broken: SKIP yields a Frame without pixels for an image that cannot be read.
        indices: which images; None for all.

    Raises:
        DataError: an image is broken and `on_broken` is REFUSE; the message names it.
    """
    order = range(len(dataset)) if indices is None else (int(i) for i in indices)
    for index in order:
        label = None if dataset.labels is None else int(dataset.labels[index])
        name = dataset.name(index)
        try:
            pixels = prepare(dataset.images[index], size, preprocess.color, preprocess.resize)
        except DataError as error:
            if on_broken is OnBroken.REFUSE:
                raise DataError(
                    error.message if name in error.message else f"{name}: {error.message}", error.hint
                ) from error
            yield Frame(index, None, label, name, error.message)
            continue
        yield Frame(index, pixels, label, name)


def frames(
    dataset: Dataset,
    preprocess: Preprocess,
    size: tuple[int, int],
    *,
    limit: int | None = None,
    on_broken: OnBroken = OnBroken.REFUSE,
) -> Frames:
    """Return the frames of a data set in one array.

    Args:
        dataset: where the images are.
        preprocess: color and resize decide; mean and std do not touch pixels.
        size: (height, width).
        limit: take at most this many, evenly spread over the data set and always the same ones.
        on_broken: SKIP leaves out images that cannot be read and says so in `skipped`.

    Raises:
        DataError: an image is broken and `on_broken` is REFUSE, or all are.
    """
    found: list[NDArray[np.uint8]] = []
    labels: list[int] = []
    skipped: list[str] = []
    for frame in stream(dataset, preprocess, size, on_broken=on_broken, indices=spread(len(dataset), limit)):
        if frame.pixels is None:
            skipped.append(frame.broken)
            continue
        found.append(frame.pixels)
        if frame.label is not None:
            labels.append(frame.label)
    if not found:
        raise DataError(f"none of the {len(skipped)} images of '{dataset.source}' can be read", skipped[0])
    known = np.asarray(labels, np.int64) if dataset.labels is not None else None
    return Frames(np.stack(found), known, tuple(skipped))


def spread(count: int, limit: int | None) -> NDArray[np.int64]:
    """Return at most `limit` of the numbers 0..count-1, evenly spaced and always the same."""
    if limit is None or limit >= count:
        return np.arange(count, dtype=np.int64)
    if limit < 1:
        raise UsageError(f"at least 1 image is needed, not {limit}")
    return np.arange(limit, dtype=np.int64) * count // limit


def quantise(contract: Contract, pixels: NDArray[np.uint8]) -> NDArray[np.int8]:
    """Return the model's int8 input of raw frames [N, H, W, C], by the contract's table, as the device does.

    Raises:
        UsageError: the model takes no pixels, or frames of another shape.
    """
    if contract.table is None:
        raise UsageError("this model takes int8 tensors only, not images", "give int8 data")
    if pixels.dtype != np.uint8 or pixels.shape[1:] != contract.frame_shape:
        raise UsageError(
            f"frames are {pixels.dtype} {list(pixels.shape[1:])}, "
            f"the model takes uint8 {list(contract.frame_shape)}"
        )
    table = np.frombuffer(contract.table, np.int8).reshape(-1, 256)
    return np.stack([table[c][pixels[..., c]] for c in range(pixels.shape[-1])], axis=-1)
