"""The digits as the documents' examples expect them: in the current folder."""

import shutil
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from edgekit import resources
from edgekit.data import digits


@pytest.fixture
def write_digits() -> Callable[[Path], None]:
    """Return a function that writes calibration.npz and test.npz into a folder."""

    def write(folder: Path) -> None:
        data = digits.load()
        folder.mkdir(exist_ok=True)
        for name, indices in (("calibration", data.calibration), ("test", data.held_out)):
            images, labels = data.pixels[indices], data.labels[indices]
            np.savez_compressed(folder / f"{name}.npz", images=images, labels=labels)

    return write


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Return an empty folder with the digits' model.onnx in it, and make it the current one."""
    shutil.copy(resources.examples() / "digits" / "digits.onnx", tmp_path / "model.onnx")
    monkeypatch.chdir(tmp_path)
    return tmp_path
