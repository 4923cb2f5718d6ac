"""The straight line, end to end: the first file to read.

    model file -> int8 .tflite -> Graph -> Steps -> MemoryPlan -> GeneratedModel -> FirmwareProject
      -> FirmwareImage -> Device -> Prediction

`quantization` makes the .tflite, `models` reads it, the functions here make firmware of it, and `connection`
opens the device, which answers each frame with a prediction.
"""

import hashlib
from pathlib import Path

from edgekit import resources
from edgekit.board import Board
from edgekit.codegen import budget, runtimes
from edgekit.codegen.generator import GeneratedModel
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
