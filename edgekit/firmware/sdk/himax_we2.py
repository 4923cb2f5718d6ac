# ruff: noqa: ARG001
"""Builds with Himax's WE2 SDK."""

from pathlib import Path

from edgekit.board import Board
from edgekit.errors import ToolError
from edgekit.firmware.image import FirmwareImage
from edgekit.firmware.manifest import Manifest


def build(project_dir: Path, found: Manifest, board: Board, sdk: Path | None) -> FirmwareImage:
    """See `edgekit.firmware.sdk.build`."""
    raise ToolError(f"no WE2 SDK was found to build '{project_dir}'", "clone the SDK and pass --sdk")
