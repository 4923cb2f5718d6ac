"""Builds firmware with a vendor's SDK. One module per SDK; the file name is the SDK's name in board files.

Each module defines

    build(project_dir: Path, found: Manifest, board: Board, sdk: Path | None) -> FirmwareImage

which finds the SDK (`sdk` is what the user named), runs its tools in or over the project's folder, and
returns the image with everything that goes to flash as its `parts`. Without the SDK it raises a ToolError
whose hint says exactly how to get it. It may define

    describe() -> str

which finds the SDK in the usual places and says which one it is, or raises the same ToolError.
"""

import importlib
from pathlib import Path
from types import ModuleType

from edgekit.board import Board
from edgekit.errors import ProjectError
from edgekit.firmware import seal
from edgekit.firmware.image import FirmwareImage
from edgekit.firmware.manifest import OBJECTS, Manifest


def names() -> tuple[str, ...]:
    """Return the SDKs that edgekit can build with, sorted."""
    return tuple(sorted(path.stem for path in Path(__file__).parent.glob("[a-z]*.py")))


def build(project_dir: Path, found: Manifest, board: Board, sdk: Path | None) -> FirmwareImage:
    """Build a project with the SDK of its board.

    Args:
        project_dir: what `generate` wrote.
        found: its manifest, checked to be complete and of this board.
        board: its `build.sdk` names the module.
        sdk: where the SDK is; None lets the module look in the usual places.

    Raises:
        ToolError: the project holds what other people's builds left, the SDK is missing or
            of a version that was not tested, or its tools failed.
        DoesNotFitError: what was built is larger than the board's memory.
    """
    module = _module(board)
    leftovers = (f"{OBJECTS}/sdk", "build", "managed_components", "dependencies.lock")
    seal.check_folders(project_dir, project_dir / OBJECTS / "sdk.key", leftovers)
    image: FirmwareImage = module.build(project_dir, found, board, sdk)
    return image


def describe(board: Board) -> str:
    """Say in a few words which SDK the board would be built with; empty where it must be named.

    Raises:
        ToolError: there is none, or one of a version that was not tested.
    """
    module = _module(board)
    return str(module.describe()) if hasattr(module, "describe") else ""


def _module(board: Board) -> ModuleType:
    if board.build.sdk not in names():
        raise ProjectError(f"'{board.path}': there is no SDK '{board.build.sdk}'", ", ".join(names()))
    return importlib.import_module(f"edgekit.firmware.sdk.{board.build.sdk}")
