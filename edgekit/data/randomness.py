"""Tells random numbers from images: calibration with them gives ranges that no real image has."""

import contextlib

import numpy as np
from numpy.typing import NDArray

from edgekit.data.dataset import Dataset, Image
from edgekit.errors import DataError

# Photographs, digits and drawings correlate at 0.3 and above between neighbours; independent pixels at 0,
# give or take 1 / sqrt(pixels). Flat images with sensor noise do not correlate either, but hardly vary.
_CORRELATION = 0.1
_DEVIATION = 25.0
_SAMPLE = 32


def looks_random(images: NDArray[np.uint8] | list[NDArray[np.uint8]]) -> bool:
    """Return whether the pixels of images [H, W] or [H, W, C] are independent of their neighbours.

    It pools the correlation of horizontal and vertical neighbours over the images, each channel around
    its mean in that image. Images that hardly vary are never called random.
    """
    products = squares = 0.0
    pairs = pixels = 0
    for image in images:
        values = np.asarray(image, np.float64)
        values = values[..., None] if values.ndim == 2 else values
        values = values - values.mean(axis=(0, 1))
        products += float((values[1:] * values[:-1]).sum() + (values[:, 1:] * values[:, :-1]).sum())
        pairs += values[1:].size + values[:, 1:].size
        squares += float((values * values).sum())
        pixels += values.size
    if pairs == 0:
        return False
    variance = squares / pixels
    # Few pixels correlate by chance, so a handful of tiny images is never refused.
    return variance > _DEVIATION**2 and pairs > 1000 and abs(products / pairs) < _CORRELATION * variance


def refuse_random(dataset: Dataset, *, allow_random: bool = False) -> None:
    """Raise DataError when the data set's own images, before any resizing, are random numbers."""
    if allow_random:
        return
    count = min(len(dataset), _SAMPLE)
    chosen: list[NDArray[np.uint8]] = []
    for index in np.arange(count) * len(dataset) // count:
        # A broken image is the business of whoever makes frames of the data set.
        with contextlib.suppress(DataError):
            chosen.append(_array(dataset.images[int(index)]))
    if looks_random(chosen):
        raise random_error(dataset.source)


def random_error(source: str) -> DataError:
    """Return the error that refuses random calibration data."""
    return DataError(
        f"the images of '{source}' are random numbers: their neighbouring pixels have nothing in common",
        "calibrate with real images of what the model will see; --allow-random-calibration overrides",
    )


def _array(image: Image) -> NDArray[np.uint8]:
    return image if isinstance(image, np.ndarray) else np.asarray(image.convert("RGB"), np.uint8)
