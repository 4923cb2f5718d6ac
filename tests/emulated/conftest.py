"""The emulated boards, and a small model that is built for them once."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import small_models
from numpy.typing import NDArray

from edgekit import board, models, pipeline
from edgekit.emulator import ending
from edgekit.firmware.image import FirmwareImage
from edgekit.models import Model
from edgekit.oracle import Oracle

ALL = tuple(name for name in board.list_ids() if (b := board.load(name)).emulator and name != "host")
EXECUTED = tuple(name for name in ALL if ending.in_qemu(board.load(name)))


@pytest.fixture(scope="session")
def model(tmp_path_factory: pytest.TempPathFactory) -> Model:
    """Return the small classifier of 8x8 RGB images; its implied contract takes pixels."""
    path = tmp_path_factory.mktemp("model") / "small.tflite"
    path.write_bytes(small_models.classifier())
    return models.load_model(path)


@pytest.fixture(scope="session")
def frames() -> NDArray[np.uint8]:
    return np.random.default_rng(5).integers(0, 256, (40, 8, 8, 3), dtype=np.uint8)


@pytest.fixture(scope="session")
def expected(model: Model, frames: NDArray[np.uint8]) -> NDArray[np.int8]:
    return Oracle(model.data).run(tensors(frames))


@pytest.fixture(scope="session")
def image(model: Model) -> Callable[[str], FirmwareImage]:
    """Return a function from a board's id to the small model's firmware for it."""
    return lambda name: pipeline.build_image(model, board.load(name))


def tensors(frames: NDArray[np.uint8]) -> NDArray[np.int8]:
    return (frames.astype(np.int16) - 128).astype(np.int8)


def changed(folder: Path, name: str, *changes: tuple[str, str]) -> board.Board:
    """Return a board of the user's own: one of ours with some text replaced."""
    text = board.load(name).path.read_text("utf-8")
    for old, new in changes:
        assert old in text
        text = text.replace(old, new, 1)
    path = folder / f"my_{name}.toml"
    path.write_text(text, "utf-8")
    return board.load(path)
