"""The public models and data sets that EDGEKIT_DATA adds: a folder with `anchors/` and `data/`.

CIFAR-10 stands there as lossless WebP strips of 500 images under one another, with the labels as .npy.
"""

import os
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image

_STRIP = 500


def root() -> Path | None:
    """Return the folder that EDGEKIT_DATA names, or None."""
    given = os.environ.get("EDGEKIT_DATA")
    return Path(given) if given else None


def anchor(folder: Path, name: str) -> Path:
    """Return the path of a public model: `ic01_resnet8_int8` or `vww01_mobilenetv1_025_96_int8`."""
    path = folder / "anchors" / "mlperf_tiny" / f"{name}.tflite"
    assert path.is_file(), f"EDGEKIT_DATA is set, but '{path.name}' is missing in it"
    return path


def cifar10(folder: Path, split: str, count: int) -> tuple[NDArray[np.uint8], NDArray[np.uint8]]:
    """Return the first `count` images, uint8 [N, 32, 32, 3] RGB, and labels, of "train" or "test"."""
    base = folder / "data" / "cifar10"
    labels = np.load(base / f"{split}_labels.npy", allow_pickle=False)[:count]
    strips = []
    for number in range(-(-len(labels) // _STRIP)):
        with Image.open(base / f"{split}_{number:03d}.webp") as strip:
            strips.append(np.asarray(strip.convert("RGB")).reshape(-1, 32, 32, 3))
    return np.concatenate(strips)[: len(labels)], labels
