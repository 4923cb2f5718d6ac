"""The line of every family: export, int8, C on the host board, rows held against the oracle."""

import ast
import hashlib
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from families import catalogue
from families.catalogue import Family

from edgekit import board, connection, models, pipeline
from edgekit.contract import Color, preprocessing
from edgekit.convert import from_onnx, quantize, recipe
from edgekit.convert.quantize import QuantizedModel
from edgekit.convert.silence import captured
from edgekit.oracle import Oracle
from edgekit.reference import to_tensors

ROOT = Path(__file__).parents[2]
_SHARED = ("blocks", "catalogue", "line", "merge")
_MATERIAL = (*(f"tests/families/{name}.py" for name in _SHARED), "edgekit/convert", "requirements.lock")
SOURCES = (
    "tests/families",
    "edgekit/convert",
    "edgekit/ops",
    "edgekit/codegen",
    "edgekit/graph",
    "firmware_templates/runtime",
    "requirements.lock",
)
"""What the figures of docs/reference/models.md depend on."""
_CALIBRATION = 64


@dataclass(frozen=True, slots=True)
class Rows:
    """How many frames were run, for how many every score was the oracle's, and how many rows differ."""

    frames: int
    equal: int
    distinct: int


def digest(sources: Iterable[str]) -> str:
    """Return the SHA-256 of what lies under the named files and folders of the tree, tests left out.

    Of Python it is the code that counts: neither formatting nor comments nor docstrings make a figure old.
    """
    found = hashlib.sha256()
    for source in sources:
        place = ROOT / source
        for path in sorted(place.rglob("*")) if place.is_dir() else [place]:
            if path.suffix not in (".py", ".c", ".h", ".lock") or path.name.startswith("test_"):
                continue
            content = path.read_bytes()
            if path.suffix == ".py":
                content = _code(content)
            found.update(f"{path.relative_to(ROOT).as_posix()}\0".encode() + content + b"\0")
    return found.hexdigest()


def _code(source: bytes) -> bytes:
    tree = ast.parse(source)
    for node in ast.walk(tree):
        if (
            isinstance(node, ast.Module | ast.ClassDef | ast.FunctionDef)
            and ast.get_docstring(node) is not None
        ):
            del node.body[0]
    return _dump(tree).encode()


def _dump(node: object) -> str:
    """Return a syntax tree as text; ast.dump writes what is empty otherwise from one Python to the next."""
    if isinstance(node, list):
        return f"[{','.join(map(_dump, node))}]"
    if not isinstance(node, ast.AST):
        return repr(node)
    fields = [f"{name}={_dump(value)}" for name, value in ast.iter_fields(node) if value not in (None, [])]
    return f"{type(node).__name__}({','.join(fields)})"


def material(family: Family) -> str:
    """Return the digest of what a family's int8 file depends on."""
    return digest((*_MATERIAL, f"tests/families/{family.module}.py"))


def convert(family: Family) -> QuantizedModel:
    """Return the int8 model of a family, calibrated with drawn images. Raises as `quantize.quantize`."""
    with captured("torch.onnx.export"):
        exported = catalogue.export(family)
    model = from_onnx.parse(exported, family.name)
    color = Color.GRAY if family.channels == 1 else Color.RGB
    pixels = catalogue.images(_CALIBRATION, family.size, family.channels, seed=7)
    return quantize.quantize(model, pixels, recipe.Recipe(preprocessing(color)))


def frames(family: Family, count: int) -> np.ndarray:
    """Return uint8 frames that calibration has not seen; every fourth is random numbers."""
    found = catalogue.images(count, family.size, family.channels, seed=11)
    noise = np.random.default_rng(12).integers(0, 256, found.shape, np.uint8)
    found[3::4] = noise[3::4]
    return found


def run(path: Path, pixels: np.ndarray) -> Rows:
    """Run frames through the firmware of the host board and through the oracle."""
    model = models.load_model(path)
    host = board.load("host")
    image = pipeline.build_image(model, host)
    with connection.open_device(host, model=model, image=image) as device:
        found = np.stack([answer.scores for answer in device.stream(iter(pixels))])
    expected = Oracle(model.data).run(to_tensors(pixels, model.contract))
    equal = int((found == expected).all(axis=1).sum())
    return Rows(len(pixels), equal, len(np.unique(expected, axis=0)))
