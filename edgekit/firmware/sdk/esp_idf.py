# ruff: noqa: ARG001
"""Builds with Espressif's ESP-IDF."""

from pathlib import Path

from edgekit.board import Board
from edgekit.errors import ToolError
from edgekit.firmware.image import FirmwareImage
from edgekit.firmware.manifest import Manifest


def build(project_dir: Path, found: Manifest, board: Board, sdk: Path | None) -> FirmwareImage:
    """See `edgekit.firmware.sdk.build`."""
    raise ToolError(f"no ESP-IDF was found to build '{project_dir}'", "install ESP-IDF 5.4 and set IDF_PATH")
