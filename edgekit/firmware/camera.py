"""A board's own camera as a source of frames: which picture it takes, and what becomes a frame of it."""

from dataclasses import dataclass
from pathlib import Path

from edgekit import resources
from edgekit.board import Board
from edgekit.contract import Color, Contract
from edgekit.errors import UsageError
from edgekit.firmware import families

SIZES = (("240X240", 240, 240), ("QVGA", 320, 240), ("VGA", 640, 480), ("SVGA", 800, 600))
"""What sensors of these boards deliver as RGB565: name of the size, width, height. The smallest first."""
_ORDERS = {Color.GRAY: 0, Color.RGB: 1, Color.BGR: 2}


@dataclass(frozen=True, slots=True)
class View:
    """What the templates need to know. Sizes are in pixels."""

    size: str
    picture_width: int
    picture_height: int
    frame_width: int
    frame_height: int
    order: int
    """The frame's channels: 0 gray, 1 red first, 2 blue first."""


def folder(board: Board) -> Path:
    """Return the folder of firmware_templates/ with the camera's port: the family's, or a virtual board's."""
    own = resources.firmware_templates() / f"{board.build.template}_camera"
    return own if board.emulator is None else resources.firmware_templates() / "synthetic_camera"


def view(board: Board, contract: Contract) -> View:
    """Choose the picture that a board's camera takes for a model: the smallest that holds its frame.

    Raises:
        UsageError: the board has no camera or no memory for its pictures, or the model takes no pixels or
            more than a picture has.
    """
    if (board.camera is None and board.emulator is None) or not folder(board).is_dir():
        raise UsageError(f"the board '{board.id}' has no camera that edgekit knows", "leave out --camera")
    if reason := families.of(board).no_camera(board):
        raise UsageError(reason, "leave out --camera")
    if contract.preprocess is None or contract.table is None:
        raise UsageError(
            f"the model's input {list(contract.input_shape)} is not an image, and a camera takes images",
            "leave out --camera",
        )
    height, width = contract.input_shape[1:3]
    for name, across, down in SIZES:
        if width <= across and height <= down:
            return View(name, across, down, width, height, _ORDERS[contract.preprocess.color])
    raise UsageError(
        f"the model takes images of {width}x{height}, and the camera's largest are {across}x{down}",
        "use a smaller input, or leave out --camera",
    )
