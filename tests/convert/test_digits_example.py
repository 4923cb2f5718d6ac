"""The digits example: its files belong together, and its scripts run."""

import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from edgekit import data
from edgekit.contract import Color, preprocessing
from edgekit.convert import float_model, load
from edgekit.data import digits

FOLDER = Path(__file__).parents[2] / "examples" / "digits"


def run(script: str, *arguments: str) -> str:
    command = [sys.executable, str(FOLDER / script), *arguments]
    return subprocess.run(command, capture_output=True, text=True, check=True).stdout


def test_the_committed_models_are_small_and_agree(monkeypatch: pytest.MonkeyPatch) -> None:
    assert (FOLDER / "digits.onnx").stat().st_size < 200_000
    monkeypatch.chdir(FOLDER)
    onnx = load.load_model(Path("digits.onnx"))
    torch = load.load_model(Path("digits.pt"), builder="model:build", size=(32, 32))
    found = digits.load()
    pixels = found.pixels[found.held_out]
    inputs = float_model.normalise(pixels, preprocessing(Color.GRAY, mean=[0.5], std=[0.5]))
    scores = float_model.scores(onnx, inputs)
    assert np.allclose(float_model.scores(torch, inputs), scores, atol=1e-4)
    assert (scores.argmax(1) == found.labels[found.held_out]).mean() >= 0.97


def test_the_data_script_writes_both_sets(tmp_path: Path) -> None:
    run("data.py", str(tmp_path))
    found = digits.load()
    for name, indices in (("calibration", found.calibration), ("test", found.held_out)):
        read = data.load(tmp_path / f"{name}.npz")
        assert np.array_equal(read.images, found.pixels[indices])
        assert read.labels is not None
        assert np.array_equal(read.labels, found.labels[indices])


def test_the_training_script_runs(tmp_path: Path) -> None:
    assert "held-out accuracy" in run("train.py", str(tmp_path), "--epochs", "1")
    assert load.load_model(tmp_path / "digits.onnx").input_shape == (1, 1, 32, 32)
    assert (tmp_path / "digits.pt").exists()
