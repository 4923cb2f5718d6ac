"""Reads a data set of any supported kind; the kind is found by content, never by suffix."""

from collections.abc import Sequence
from enum import StrEnum
from pathlib import Path

from edgekit.data import arrays, cifar, folder, idx
from edgekit.data.dataset import Dataset
from edgekit.errors import DataError
from edgekit.files import open_regular
from edgekit.graph import recognise

_KINDS = (
    "a folder of images, with or without one sub-folder per class; .npz with `images` uint8 [N,H,W,C] and "
    "perhaps `labels`; .npy of uint8 frames; MNIST idx files; CIFAR-10 binary batches"
)


class Split(StrEnum):
    """Which part to read of a folder that holds both."""

    TRAIN = "train"
    TEST = "test"


def load(path: Path, *, labels: Sequence[str] | None = None, split: Split = Split.TRAIN) -> Dataset:
    """Read the data set at `path`; images in folders are decoded later, one at a time.

    Args:
        path: a folder or a file.
        labels: the model's classes. A folder with one sub-folder per class is matched to them by name;
            None takes the sorted names of the sub-folders.
        split: which part of a folder that holds MNIST's or CIFAR-10's training and test files.

    Raises:
        DataError: nothing is there, or it is none of the kinds, or empty, or damaged.
    """
    path = Path(path)
    names = None if labels is None else tuple(labels)
    try:
        if path.is_dir():
            return _load_folder(path, names, split)
        with open_regular(path) as file:
            head = file.read(64)
        return _load_file(path, head)
    except FileNotFoundError as error:
        raise DataError(f"'{path}' does not exist", f"data can be {_KINDS}") from error
    except OSError as error:
        raise DataError(
            f"'{path}' cannot be read: {error.strerror or error}", "check the path and its permissions"
        ) from error


def _load_folder(path: Path, labels: tuple[str, ...] | None, split: Split) -> Dataset:
    if batches := cifar.find(path, split.value):
        return cifar.load(batches, str(path))
    if images := idx.find(path, split.value):
        return idx.load(images)
    return folder.load(path, labels)


def _load_file(path: Path, head: bytes) -> Dataset:
    if not head:
        raise DataError(f"'{path}' is empty", f"data can be {_KINDS}")
    if head.startswith(b"PK\x03\x04"):
        return arrays.load_npz(path)
    if head.startswith(b"\x93NUMPY"):
        return arrays.load_npy(path)
    if head.startswith(b"\x1f\x8b") or idx.is_header(head):
        return idx.load(path)
    if folder.is_image(head):
        return folder.load_image(path)
    if cifar.is_batch(path):
        return cifar.load((path,), str(path))
    if found := recognise.stand_in(head):
        raise DataError(f"'{path}' is {found[0]}", found[1])
    raise DataError(f"'{path}' is no data set that edgekit knows", f"data can be {_KINDS}")
