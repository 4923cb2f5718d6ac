"""`edgekit flash --uf2-only`: what would be copied to a board's drive, as a file."""

from pathlib import Path
from typing import TYPE_CHECKING

from edgekit.cli._output import Output
from edgekit.errors import UsageError
from edgekit.files import check_writable, write_whole

if TYPE_CHECKING:
    from edgekit.board import Board
    from edgekit.firmware.image import FirmwareImage


def check(board: "Board", path: Path) -> None:
    """Refuse, before long work, boards that take no .uf2 and places that cannot be written."""
    if board.flash.method != "uf2":
        raise UsageError(f"the board '{board.id}' is not flashed by UF2", "leave out --uf2-only")
    check_writable(path)


def write(output: Output, board: "Board", path: Path, content: bytes) -> None:
    """Write the file and say what it is for."""
    write_whole(path, content)
    output.text(f"'{path}' ({len(content):,} B) is for {board.id}: copy it to the drive of its bootloader")
    output.result({"board": board.id, "uf2": str(path), "bytes": len(content)})


def write_firmware(output: Output, board: "Board", path: Path, image: "FirmwareImage") -> None:
    """Write the file of a built image. Raises ToolError for one of another board."""
    from edgekit import flash
    from edgekit.flash import uf2

    flash.check_built_for(image, board)
    write(output, board, path, uf2.firmware_file(image, board))
