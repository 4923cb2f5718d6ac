"""Images as a vendor's build leaves them."""

import hashlib
from pathlib import Path

from edgekit.board import Board
from edgekit.firmware.image import FirmwareImage, Part


def made_image(
    folder: Path, board: Board, content: bytes, parts: dict[int, bytes] | None = None
) -> FirmwareImage:
    """Write `output.img`, and further parts by their addresses, and return the image."""
    path = folder / "output.img"
    path.write_bytes(content)
    found = []
    for address, data in (parts or {}).items():
        file = folder / f"part_{address:x}.bin"
        file.write_bytes(data)
        found.append(Part.of("model", address, file))
    if found:
        found.insert(0, Part.of("app", 0, path))
    return FirmwareImage(
        path=path,
        board_id=board.id,
        model_digest="0" * 64,
        contract_digest="0" * 64,
        project_digest="0" * 64,
        sha256=hashlib.sha256(content).hexdigest(),
        size_bytes=len(content),
        compiler="none",
        debug=False,
        parts=tuple(found),
    )
