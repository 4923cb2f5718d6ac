"""scikit-learn's handwritten digits (8x8, gray 0..16), shown at 32x32: real data inside a dependency.

Source: E. Alpaydin and C. Kaynak, Optical Recognition of Handwritten Digits, UCI (1998), the 1,797 test
images, as scikit-learn carries them.
"""

import gzip
import importlib.util
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from edgekit.contract import Color, Resize
from edgekit.data.dataset import Dataset
from edgekit.data.prepare import prepare
from edgekit.errors import MissingExtraError

SIZE = (32, 32)
LABELS = tuple(str(digit) for digit in range(10))


@dataclass(frozen=True, slots=True)
class Digits:
    """The frames uint8 [N, 32, 32, 1], their labels, and three disjoint sets of indices."""

    pixels: NDArray[np.uint8] = field(repr=False)
    labels: NDArray[np.int64] = field(repr=False)
    train: NDArray[np.int64] = field(repr=False)
    calibration: NDArray[np.int64] = field(repr=False)
    held_out: NDArray[np.int64] = field(repr=False)

    def subset(self, indices: NDArray[np.int64], name: str) -> Dataset:
        """Return some of the digits as a data set."""
        return Dataset(self.pixels[indices], self.labels[indices], LABELS, name)


def load() -> Digits:
    """Return all 1,797 digits: 1,078 for training, 270 for calibration, 449 held out; always the same.

    Raises:
        MissingExtraError: scikit-learn is not installed.
    """
    gray, labels = _originals()
    gray = np.rint(gray * (255.0 / 16.0)).astype(np.uint8)
    pixels = np.stack([prepare(image, SIZE, Color.GRAY, Resize.SQUASH) for image in gray])
    index = np.arange(len(pixels), dtype=np.int64)
    held_out = index[index % 4 == 1]
    rest = index[index % 4 != 1]
    place = np.arange(len(rest))
    return Digits(
        pixels=pixels,
        labels=labels,
        train=rest[place % 5 != 2],
        calibration=rest[place % 5 == 2],
        held_out=held_out,
    )


def _originals() -> tuple[NDArray[np.float64], NDArray[np.int64]]:
    """Return scikit-learn's images [N, 8, 8] in 0..16 and their labels.

    Its file is read without importing the package, which takes 3 seconds; where the file has moved, the
    package's own function is asked.
    """
    spec = importlib.util.find_spec("sklearn")
    if spec is None:
        raise MissingExtraError("scikit-learn", "demo", "the digits example")
    for folder in spec.submodule_search_locations or ():
        path = Path(folder) / "datasets" / "data" / "digits.csv.gz"
        if path.is_file():
            with gzip.open(path, "rt", encoding="ascii") as file:
                table = np.loadtxt(file, delimiter=",")
            return table[:, :-1].reshape(-1, 8, 8), table[:, -1].astype(np.int64)
    from sklearn.datasets import load_digits

    raw = load_digits()
    return raw.images, raw.target.astype(np.int64)
