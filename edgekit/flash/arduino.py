"""Arduino's upload, which edgekit does not drive."""

from edgekit.board import Board
from edgekit.errors import FlashError
from edgekit.firmware.image import FirmwareImage
from edgekit.flash import Progress


def flash(image: FirmwareImage, board: Board, port: str | None, progress: Progress | None) -> None:  # noqa: ARG001
    """Raise FlashError: only Arduino's tools know how this board is uploaded to."""
    raise FlashError(
        f"the board '{board.id}' is uploaded to by Arduino's own tools",
        "upload an example of the exported library from the Arduino IDE or with arduino-cli",
    )
