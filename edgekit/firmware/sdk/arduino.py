"""Arduino's tools, which edgekit does not drive: they compile the library that `edgekit export` makes."""

from pathlib import Path

from edgekit.board import Board
from edgekit.errors import ToolError
from edgekit.firmware.image import FirmwareImage
from edgekit.firmware.manifest import Manifest


def build(project_dir: Path, found: Manifest, board: Board, sdk: Path | None) -> FirmwareImage:  # noqa: ARG001
    """Raise ToolError: see `edgekit.firmware.sdk.build`."""
    raise ToolError(
        f"'{project_dir}' cannot be built here: the core of your board is compiled by Arduino's own tools",
        "run `edgekit export model.tflite --format arduino`, add the .zip in the Arduino IDE, and upload an "
        "example from there",
    )
