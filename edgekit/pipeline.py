"""The straight line, end to end: the first file to read.

    model file -> int8 .tflite -> Graph -> Steps -> MemoryPlan -> GeneratedModel -> FirmwareProject
      -> FirmwareImage -> Device -> Prediction

`quantization` makes the .tflite, `models` reads it, the functions here make firmware of it, and `connection`
opens the device, which answers each frame with a prediction.
"""

import hashlib
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import islice
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from edgekit import data, resources
from edgekit.board import Board
from edgekit.codegen import budget, runtimes
from edgekit.codegen.generator import GeneratedModel
from edgekit.contract import Contract, Preprocess
from edgekit.data import Dataset, camera
from edgekit.errors import UsageError
from edgekit.firmware import build, families, project
from edgekit.firmware.image import FirmwareImage
from edgekit.firmware.options import PLAIN, Firmware
from edgekit.firmware.project import FirmwareProject
from edgekit.models import Model


def generate_model(model: Model, board: Board, firmware: Firmware = PLAIN) -> GeneratedModel:
    """Turn a model into C for a board and its runtime.

    Raises:
        UnsupportedOpError: listing every operator that cannot be run.
        DoesNotFitError: saying what is needed, what the board has and the largest tensors.
        MissingExtraError: the runtime is tflm, and tflite-micro or Vela is not installed.
    """
    stored = firmware.protocol.stored_model and families.of(board).stores_model(board)
    generated = runtimes.generate(model.data, model.graph, model.contract, board, stored=stored)
    budget.check(generated, model.graph, board, camera=firmware.camera)
    return generated


def make_project(
    model: Model, board: Board, firmware: Firmware = PLAIN
) -> tuple[GeneratedModel, FirmwareProject]:
    """Turn a model into C and a firmware project, in memory. Raises as `generate_model` and `assemble`."""
    generated = generate_model(model, board, firmware)
    external = budget.estimate(generated, board, camera=firmware.camera).moved
    return generated, project.assemble(generated, board, firmware, external=external)


def generate_project(model: Model, board: Board, out: Path, firmware: Firmware = PLAIN) -> GeneratedModel:
    """Write the firmware of a model for a board into the folder `out`."""
    generated, made = make_project(model, board, firmware)
    project.write(made, out)
    return generated


def build_image(
    model: Model, board: Board, firmware: Firmware = PLAIN, *, compiler: str | None = None
) -> FirmwareImage:
    """Return the built firmware of a model, from the cache if the very same was built before."""
    _, made = make_project(model, board, firmware)
    key = hashlib.sha256(made.manifest)
    key.update("\0".join((*board.build.cflags, *board.build.ldflags, compiler or "")).encode())
    folder = resources.cache() / "builds" / f"{board.id}-{key.hexdigest()[:24]}"
    project.write(made, folder)
    return build.build(folder, board, compiler=compiler)


@dataclass(frozen=True, slots=True)
class Stream:
    """Frames for a device, made as they are asked for. `total` and `labels` are None when unknown."""

    frames: Iterator[NDArray[np.uint8]]
    labels: Iterator[int] | None
    total: int | None


def load_frames(path: Path | str, agreed: Contract, count: int | None = None) -> NDArray[np.uint8]:
    """Return the frames [N, H, W, C] of a data set as the model sees them. Raises DataError, UsageError."""
    preprocess, size = _image_input(agreed)
    dataset = data.load(Path(path), split=data.Split.TEST)
    return data.frames(dataset, preprocess, size, limit=count).pixels


def open_source(source: str, agreed: Contract, count: int | None = None) -> Stream:
    """Open what `monitor` streams: a data set, or `camera:N`.

    Raises:
        DataError: there is no such data set or camera, or it does not match the model.
        UsageError: the model's input is not an image.
    """
    preprocess, size = _image_input(agreed)
    kind, _, number = source.partition(":")
    if kind == "camera":
        if not (number.isascii() and number.isdigit() and len(number) < 4):
            raise UsageError(f"'{source}' names no camera", "say camera:0 for the first one")
        return Stream(islice(camera.frames(int(number), preprocess, size), count), None, count)
    return stream_of(data.load(Path(source), labels=_names(agreed), split=data.Split.TEST), agreed, count)


def stream_of(dataset: Dataset, agreed: Contract, count: int | None = None) -> Stream:
    """Stream a data set, or its first `count` images. Raises DataError, UsageError."""
    preprocess, size = _image_input(agreed)
    dataset.check_labels(agreed.classes)
    total = len(dataset) if count is None else min(count, len(dataset))
    pixels = (frame.pixels for frame in islice(data.stream(dataset, preprocess, size), total))
    labels = None if dataset.labels is None else iter(dataset.labels[:total].tolist())
    return Stream((p for p in pixels if p is not None), labels, total)


def _image_input(agreed: Contract) -> tuple[Preprocess, tuple[int, int]]:
    if agreed.preprocess is None:
        raise UsageError(
            f"the model's input {list(agreed.input_shape)} is not an image",
            "send int8 tensors with `edgekit classify --input x.npy`",
        )
    return agreed.preprocess, (agreed.input_shape[1], agreed.input_shape[2])


def _names(agreed: Contract) -> tuple[str, ...] | None:
    """Return the labels by which a folder's classes are matched; implied ones are only numbers."""
    return None if agreed.implied else agreed.labels
