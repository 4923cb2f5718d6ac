"""Firmware projects for boards whose vendor's SDK builds them."""

from collections.abc import Callable
from pathlib import Path

import pytest
import small_models

from edgekit import board, pipeline
from edgekit.firmware import mlperf_tiny, project


@pytest.fixture(scope="session")
def write(tmp_path_factory: pytest.TempPathFactory) -> Callable[..., Path]:
    """Return a function that writes the small classifier's project for a board into a folder."""
    path = tmp_path_factory.mktemp("model") / "small.tflite"
    path.write_bytes(small_models.classifier())
    model = pipeline.load_model(path)

    def write_project(
        folder: Path,
        name: str | board.Board,
        *,
        debug: bool = False,
        mlperf: mlperf_tiny.Identity | None = None,
    ) -> Path:
        target = board.load(name) if isinstance(name, str) else name
        generated = pipeline.generate_model(model, target)
        project.write(project.assemble(generated, target, debug=debug, mlperf=mlperf), folder)
        return folder

    return write_project
