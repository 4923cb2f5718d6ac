"""The line that every family goes through: export, int8, C on the host board, rows held against the oracle."""

import hashlib
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from edgekit import board, pipeline, proof
from edgekit.contract import Color
from edgekit.convert import from_onnx, quantize, recipe
from edgekit.convert.quantize import QuantizedModel
from edgekit.oracle import Oracle
from families import catalogue
from families.catalogue import Family

ROOT = Path(__file__).parents[2]
MATERIAL = ("tests/families", "edgekit/convert", "requirements.lock")
"""What the int8 files depend on."""
SOURCES = (*MATERIAL, "edgekit/ops", "edgekit/codegen", "edgekit/graph", "firmware_templates/runtime")
"""What the figures depend on."""
_CALIBRATION = 64


@dataclass(frozen=True, slots=True)
class Rows:
    """How many frames were run, and for how many of them every score was the oracle's."""

    frames: int
    equal: int


def digest(sources: Iterable[str]) -> str:
    """Return the SHA-256 of what lies under the named files and folders of the tree, tests of it left out."""
    found = hashlib.sha256()
    for source in sources:
        place = ROOT / source
        for path in sorted(place.rglob("*")) if place.is_dir() else [place]:
            if path.suffix not in (".py", ".c", ".h", ".lock", ".toml") or path.name.startswith("test_"):
                continue
            found.update(f"{path.relative_to(ROOT).as_posix()}\0".encode())
            found.update(path.read_bytes() + b"\0")
    return found.hexdigest()


def convert(family: Family) -> QuantizedModel:
    """Return the int8 model of a family, calibrated with drawn images. Raises as `quantize.quantize`."""
    model = from_onnx.parse(catalogue.export(family), family.name)
    color = Color.GRAY if family.channels == 1 else Color.RGB
    pixels = catalogue.images(_CALIBRATION, family.size, family.channels, seed=7)
    return quantize.quantize(model, pixels, recipe.Recipe(recipe.preprocessing(color)))


def frames(family: Family, count: int) -> np.ndarray:
    """Return uint8 frames that calibration has not seen; every fourth is random numbers."""
    found = catalogue.images(count, family.size, family.channels, seed=11)
    noise = np.random.default_rng(12).integers(0, 256, found.shape, np.uint8)
    found[3::4] = noise[3::4]
    return found


def run(path: Path, pixels: np.ndarray) -> Rows:
    """Run frames through the firmware of the host board and through the oracle."""
    model = pipeline.load_model(path)
    host = board.load("host")
    image = pipeline.build_image(model, host)
    with pipeline.open_device(host, model=model, image=image) as device:
        found = np.stack([answer.scores for answer in device.stream(iter(pixels))])
    expected = Oracle(model.data).run(proof.to_tensors(pixels, model.contract))
    return Rows(len(pixels), int((found == expected).all(axis=1).sum()))
