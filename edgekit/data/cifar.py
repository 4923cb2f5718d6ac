"""CIFAR-10's binary batches: per image one label byte and 3 planes (red, green, blue) of 32x32 bytes.

Format: the "binary version" on A. Krizhevsky's CIFAR-10 page.
"""

from pathlib import Path

import numpy as np

from edgekit.data.dataset import Dataset
from edgekit.errors import DataError
from edgekit.files import open_regular, read_regular

_RECORD = 1 + 3 * 32 * 32
CLASSES = (
    "airplane",
    "automobile",
    "bird",
    "cat",
    "deer",
    "dog",
    "frog",
    "horse",
    "ship",
    "truck",
)


def find(folder: Path, split: str) -> tuple[Path, ...]:
    """Return the batch files of a folder: those of the split, or all there are; empty if none."""
    test = tuple(sorted(folder.glob("test_batch*.bin")))
    train = tuple(sorted(folder.glob("data_batch_*.bin")))
    return (test or train) if split == "test" else (train or test)


def is_batch(path: Path) -> bool:
    """Return whether a file can be a batch: whole records, and the first label below 10."""
    size = path.stat().st_size
    if size == 0 or size % _RECORD != 0:
        return False
    with open_regular(path) as file:
        return file.read(1)[0] < len(CLASSES)


def load(paths: tuple[Path, ...], source: str) -> Dataset:
    """Read batch files in order. Raises DataError when one is cut or has labels of 10 and above."""
    batches = []
    for path in paths:
        raw = np.frombuffer(read_regular(path), np.uint8)
        if raw.size == 0 or raw.size % _RECORD != 0:
            raise DataError(
                f"'{path}' has {raw.size} bytes; CIFAR-10 batches hold records of {_RECORD}", "fetch it again"
            )
        records = raw.reshape(-1, _RECORD)
        if int(records[:, 0].max()) >= len(CLASSES):
            raise DataError(f"'{path}' has the label {int(records[:, 0].max())}; CIFAR-10 has 0..9")
        batches.append(records)
    records = np.concatenate(batches)
    images = records[:, 1:].reshape(-1, 3, 32, 32).transpose(0, 2, 3, 1)
    return Dataset(np.ascontiguousarray(images), records[:, 0].astype(np.int64), CLASSES, source)
