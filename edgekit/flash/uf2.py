"""Flashes by UF2: the bootloader shows a drive, and takes what is copied to it."""

import re
from dataclasses import dataclass
from pathlib import Path

from edgekit.board import Board
from edgekit.errors import DoesNotFitError, FlashError, UsageError
from edgekit.firmware.image import FirmwareImage
from edgekit.flash import Note, Progress, _drive, _facts, _uf2_format

TELLS_A_PERSON = True
"""Whose BOOT button must be pressed."""
HEADERS = ("groveai", "sensecapai")
"""What may stand in front of a model: nothing, or the word of Seeed's option SENSECAPAI."""

_LABEL = re.compile(r"[A-Za-z0-9_-]{1,11}")
_ID = re.compile(r"[^\x00-\x1f\x7f]{1,60}")
_SERIAL_PORT = re.compile(r"auto|/dev/.*|(?:\\\\\.\\)?COM[0-9]+|[a-z0-9+]+://.*")
_WORD = (1 << 32) - 1


@dataclass(frozen=True, slots=True)
class Facts:
    """[flash.facts] of a board with this method."""

    drive: _drive.Expected
    family: int
    firmware_address: int
    firmware_max_bytes: int
    model_address: int
    model_slots: int
    model_slot_bytes: int
    model_header: str


def _read(board: Board) -> Facts:
    table = _facts.table(board)
    table.only(
        *("drive_labels", "info_board_ids", "info_other_board_ids", "family", "firmware_address"),
        *("firmware_max_bytes", "model_address", "model_slots", "model_slot_bytes", "model_header"),
    )
    facts = Facts(
        _drive.Expected(
            board.id,
            table.texts("drive_labels", _LABEL, "labels of up to 11 letters and digits", least=1),
            table.texts("info_board_ids", _ID, "lines of text"),
            table.texts("info_other_board_ids", _ID, "lines of text"),
        ),
        family=table.integer("family", 0, _WORD),
        firmware_address=table.integer("firmware_address", 0, _WORD),
        firmware_max_bytes=table.integer("firmware_max_bytes", 1, _WORD),
        model_address=table.integer("model_address", 0, _WORD),
        model_slots=table.integer("model_slots", 1, 4),
        model_slot_bytes=table.integer("model_slot_bytes", 1, 1 << 28),
        model_header=table.choice("model_header", HEADERS),
    )
    for key, size in (
        ("firmware_address", facts.firmware_max_bytes),
        ("model_address", facts.model_slots * facts.model_slot_bytes),
    ):
        if table.integer(key, 0, _WORD) + size > _WORD + 1:
            raise table.wrong(key, f"an address with {size:,} bytes behind it in the 32 bits of UF2")
    return facts


def firmware_file(image: FirmwareImage, board: Board) -> bytes:
    """Return the .uf2 of a built firmware.

    Raises:
        DoesNotFitError: the image is larger than the chip's firmware flash.
        FlashError: the image cannot be read or has changed, or holds more than one file.
    """
    facts = _read(board)
    if any(part.path != image.path for part in image.parts):
        raise FlashError(
            f"the image '{image.path}' has several parts, and '{board.id}' takes its firmware as one; "
            "the board is as it was"
        )
    content = _facts.content(image.path, image.sha256, board)
    if len(content) > facts.firmware_max_bytes:
        raise DoesNotFitError(
            f"the firmware '{image.path}' has {len(content):,} bytes; '{board.id}' takes at most "
            f"{facts.firmware_max_bytes:,}"
        )
    return _uf2_format.blocks(content, facts.firmware_address, facts.family)


def model_file(model: bytes, board: Board, slot: int | None = None, header: str | None = None) -> bytes:
    """Return the .uf2 of an int8 model for one of the places where firmware looks for it.

    Args:
        model: the .tflite.
        board: says where the places are.
        slot: 1 and up; None means the first.
        header: one of `HEADERS`; None means the board's.

    Raises:
        UsageError: there is no such slot.
        DoesNotFitError: the model is larger than a slot.
    """
    facts = _read(board)
    number = 1 if slot is None else slot
    if not 1 <= number <= facts.model_slots:
        raise UsageError(f"'{board.id}' has no slot {number}", f"--slot takes 1 to {facts.model_slots}")
    words = _uf2_format.model_words(model, number, header=(header or facts.model_header) == "sensecapai")
    if not model or len(words) >= facts.model_slot_bytes:
        raise DoesNotFitError(
            f"the model has {len(model):,} bytes ({len(words):,} as it is stored); a slot of '{board.id}' "
            f"takes more than none and less than {facts.model_slot_bytes:,}"
        )
    address = facts.model_address + (number - 1) * facts.model_slot_bytes
    return _uf2_format.blocks(words, address, facts.family)


def flash(
    image: FirmwareImage,
    board: Board,
    port: str | None,
    progress: Progress | None,
    *,
    on_note: Note,
) -> None:
    """Copy a firmware to the board's drive. See `edgekit.flash.flash`; `port` may be its folder."""
    _copy(firmware_file(image, board), board, port, progress, on_note)


def flash_model(
    model: bytes,
    board: Board,
    port: str | None,
    progress: Progress | None,
    slot: int | None,
    *,
    on_note: Note,
    header: str | None = None,
) -> None:
    """Copy a model to the board's drive. See `edgekit.flash.flash_model`; `port` may be its folder."""
    _copy(model_file(model, board, slot, header), board, port, progress, on_note)


def serial_port(port: str | None) -> str | None:
    """Return what `port` says of the serial line: nothing where it is the drive's folder."""
    return port if port is not None and _SERIAL_PORT.fullmatch(port) else None


def _copy(content: bytes, board: Board, port: str | None, progress: Progress | None, on_note: Note) -> None:
    folder = Path(port) if port is not None and serial_port(port) is None else None
    drive = _drive.wait_for(_read(board).drive, folder, on_note)
    _drive.write(drive, content, board.id, progress)
