"""What a family of chips needs beyond its templates: a module each, named as their folder.

A module defines `FAMILY`. A board whose template has none needs nothing.
"""

from collections.abc import Mapping
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

from edgekit.board import Board

if TYPE_CHECKING:
    from edgekit.codegen.generator import GeneratedModel


class Family:
    """A family; this one needs nothing."""

    def context(self, model: "GeneratedModel", board: Board) -> Mapping[str, Any]:
        """Return what its templates get besides what all do."""
        del model, board
        return {}

    def stores_model(self, board: Board) -> bool:
        """Whether a runtime that can keeps the model out of the firmware, in a place of its own in flash."""
        del board
        return False

    def no_camera(self, board: Board) -> str:
        """Return why a board with a camera cannot use it; empty if it can."""
        del board
        return ""


def of(board: Board) -> Family:
    """Return the family of a board."""
    if not (Path(__file__).parent / f"{board.build.template}.py").is_file():
        return Family()
    return cast(Family, import_module(f"{__name__}.{board.build.template}").FAMILY)
