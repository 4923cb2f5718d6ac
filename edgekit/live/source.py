"""Frames for a device: a data set, or a camera of this computer."""

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import islice
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from edgekit import data
from edgekit.contract import Contract, Preprocess
from edgekit.data import Dataset, camera
from edgekit.errors import UsageError


@dataclass(frozen=True, slots=True)
class Stream:
    """Frames for a device, made as they are asked for. `total` and `labels` are None when unknown."""

    frames: Iterator[NDArray[np.uint8]]
    labels: Iterator[int] | None
    total: int | None


def load_frames(path: Path | str, contract: Contract, count: int | None = None) -> NDArray[np.uint8]:
    """Return the frames [N, H, W, C] of a data set as the model sees them. Raises DataError, UsageError."""
    preprocess, size = _image_input(contract)
    dataset = data.load(Path(path), split=data.Split.TEST)
    return data.frames(dataset, preprocess, size, limit=count).pixels


def open_source(source: str, contract: Contract, count: int | None = None) -> Stream:
    """Open a data set, or `camera:N`.

    Raises:
        DataError: there is no such data set or camera, or it does not match the model.
        UsageError: the model's input is not an image.
    """
    preprocess, size = _image_input(contract)
    kind, _, number = source.partition(":")
    if kind == "camera":
        if not (number.isascii() and number.isdigit() and len(number) < 4):
            raise UsageError(f"'{source}' names no camera", "say camera:0 for the first one")
        return Stream(islice(camera.frames(int(number), preprocess, size), count), None, count)
    # Implied labels are only numbers: no folder's classes are matched to them.
    labels = None if contract.implied else contract.labels
    return stream_of(data.load(Path(source), labels=labels, split=data.Split.TEST), contract, count)


def stream_of(dataset: Dataset, contract: Contract, count: int | None = None) -> Stream:
    """Stream a data set, or its first `count` images. Raises DataError, UsageError."""
    preprocess, size = _image_input(contract)
    dataset.check_labels(contract.classes)
    total = len(dataset) if count is None else min(count, len(dataset))
    pixels = (frame.pixels for frame in islice(data.stream(dataset, preprocess, size), total))
    labels = None if dataset.labels is None else iter(dataset.labels[:total].tolist())
    return Stream((p for p in pixels if p is not None), labels, total)


def _image_input(contract: Contract) -> tuple[Preprocess, tuple[int, int]]:
    if contract.preprocess is None:
        raise UsageError(
            f"the model's input {list(contract.input_shape)} is not an image",
            "send int8 tensors with `edgekit classify --input x.npy`",
        )
    return contract.preprocess, (contract.input_shape[1], contract.input_shape[2])
