"""Flashes by XMODEM: the bootloader of Himax's WiseEye2 takes files over a serial port, one after another."""

import re
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

from edgekit.board import Board
from edgekit.device.ports import choose, list_ports
from edgekit.device.transport import LineBrokenError, Transport, open_port
from edgekit.errors import DoesNotFitError, FlashError, ProjectError, UsageError
from edgekit.firmware.image import FirmwareImage
from edgekit.flash import Note, Progress, _facts
from edgekit.flash._we2_session import (
    PACKET_BYTES,
    FileFailedError,
    Patience,
    Session,
    SilentError,
    Words,
)

TELLS_A_PERSON = True
"""Whose RESET button must be pressed."""
TRIES = 3
"""How often one file is sent before the work is given up."""

_SENTENCE = re.compile(r"[ -~]{12,200}")
_OPERATOR = re.compile(r"[a-z0-9-]{4,32}")
_KEY = re.compile(r"[ -~]")
_HEX = re.compile(r"(?:[0-9a-f]{2}){1,8}")
_PRESS = "press the board's RESET button: its bootloader listens right after it"


@dataclass(frozen=True, slots=True)
class Facts:
    """[flash.facts] of a board with this method."""

    baud: int
    words: Words
    preamble_begin: bytes
    preamble_end: bytes
    image_max_bytes: int
    data_min_address: int
    data_alignment: int
    flash_bytes: int
    model_address: int
    model_custom_op: str
    """The operator of models that Vela has compiled for the board's NPU."""


@dataclass(frozen=True, slots=True)
class File:
    """One file and where in flash it goes; the firmware goes to 0."""

    name: str
    address: int
    content: bytes

    def __str__(self) -> str:
        return f"{self.name} ({len(self.content):,} B at {self.address:#x})"


def _read(board: Board) -> Facts:
    table = _facts.table(board)
    table.only(
        *("baud", "menu_text", "menu_key", "ready_text", "question_text", "yes_key", "no_key"),
        *("preamble_begin", "preamble_end", "image_max_bytes", "data_min_address", "data_alignment"),
        *("flash_bytes", "model_address", "model_custom_op"),
    )
    sentence, key = "a sentence of 12 to 200 ASCII characters", "one ASCII character"
    hexadecimal = "up to 8 bytes in lower-case hex"
    words = Words(
        menu=table.text("menu_text", _SENTENCE, sentence),
        menu_key=table.text("menu_key", _KEY, key).encode(),
        ready=table.text("ready_text", _SENTENCE, sentence),
        question=table.text("question_text", _SENTENCE, sentence),
        yes=table.text("yes_key", _KEY, key).encode(),
        no=table.text("no_key", _KEY, key).encode(),
    )
    return Facts(
        baud=table.integer("baud", 1200, 100_000_000),
        words=words,
        preamble_begin=bytes.fromhex(table.text("preamble_begin", _HEX, hexadecimal)),
        preamble_end=bytes.fromhex(table.text("preamble_end", _HEX, hexadecimal)),
        image_max_bytes=table.integer("image_max_bytes", 1, 1 << 32),
        data_min_address=table.integer("data_min_address", 1, 1 << 32),
        data_alignment=table.integer("data_alignment", 1, 1 << 24),
        flash_bytes=table.integer("flash_bytes", 1, 1 << 32),
        model_address=table.integer("model_address", 1, (1 << 32) - 1),
        model_custom_op=table.text("model_custom_op", _OPERATOR, "the name of an operator"),
    )


def flash(
    image: FirmwareImage, board: Board, port: str | None, progress: Progress | None, *, on_note: Note
) -> None:
    """Send a firmware and the further parts of its image. See `edgekit.flash.flash`."""
    facts = _read(board)
    firmware = File("the firmware", 0, _facts.content(image.path, image.sha256, board))
    parts = sorted((part for part in image.parts if part.path != image.path), key=lambda part: part.offset)
    further = [File(part.name, part.offset, _facts.content(part.path, part.sha256, board)) for part in parts]
    _send([firmware, *further], facts, board, port, progress, on_note)


def flash_model(
    model: bytes,
    board: Board,
    port: str | None,
    progress: Progress | None,
    slot: int | None,
    *,
    on_note: Note,
) -> None:
    """Send a model to where stock firmware looks for it. See `edgekit.flash.flash_model`."""
    if slot not in (None, 1):
        raise UsageError(f"'{board.id}' has one place for a model, and no slot {slot}", "leave out --slot")
    facts = _read(board)
    if not facts.data_min_address <= facts.model_address < facts.flash_bytes:
        raise ProjectError(
            f"'{board.path}': flash.facts.model_address lies outside data_min_address..flash_bytes"
        )
    _send([File("the model", facts.model_address, model)], facts, board, port, progress, on_note)


def is_compiled_model(content: bytes, board: Board) -> bool:
    """Return whether a .tflite holds what Vela made for the board's NPU, which only the board can run."""
    return content[4:8] == b"TFL3" and _read(board).model_custom_op.encode() in content


def check(files: Sequence[File], facts: Facts, board: Board) -> None:
    """Hold files against the flash of the board, before its port is touched.

    Raises:
        DoesNotFitError: one is too large.
        FlashError: one is empty, stands where it must not, or lies over another.
    """
    as_it_was = f"the board '{board.id}' is as it was"
    end = 0
    for file in files:
        if not file.content:
            raise FlashError(f"{file} is empty; {as_it_was}")
        # What fills up the last packet is written as well.
        size = -(-len(file.content) // PACKET_BYTES) * PACKET_BYTES
        room = facts.image_max_bytes if file.address == 0 else facts.flash_bytes - file.address
        if size > room:
            raise DoesNotFitError(f"{file} does not fit: '{board.id}' takes {max(room, 0):,} bytes there")
        misplaced = file.address < facts.data_min_address or file.address % facts.data_alignment
        if file.address and misplaced:
            raise FlashError(
                f"{file} cannot stand there: further files begin at {facts.data_min_address:#x} or more, at "
                f"multiples of {facts.data_alignment:#x}; {as_it_was}"
            )
        if file.address < end:
            raise FlashError(f"{file} would lie over the one before it, which ends at {end:#x}; {as_it_was}")
        end = file.address + size


def preamble(file: File, facts: Facts) -> bytes:
    """Return the packet that says where the next file goes: its address, and an offset of 0 to it."""
    where = file.address.to_bytes(4, "little") + bytes(4)
    return (facts.preamble_begin + where + facts.preamble_end).ljust(PACKET_BYTES, b"\xff")


def _send(
    files: Sequence[File],
    facts: Facts,
    board: Board,
    port: str | None,
    progress: Progress | None,
    on_note: Note,
) -> None:
    check(files, facts, board)
    path = choose(list_ports(), board.serial.usb_ids) if port in (None, "auto") else str(port)
    transport = open_port(path, replace(board.serial, baud=facts.baud))
    try:
        send_files(transport, files, facts, board, progress, on_note)
    finally:
        transport.close()


def send_files(
    transport: Transport,
    files: Sequence[File],
    facts: Facts,
    board: Board,
    progress: Progress | None,
    on_note: Note,
    patience: Patience | None = None,
    clock: Callable[[], float] = time.monotonic,
) -> None:
    """Send files over an open line; after a failure the bootloader is entered again for the rest.

    Args:
        transport: the line, at the bootloader's speed.
        files: checked; the firmware, if any, first.
        facts: of the board.
        board: for messages.
        progress: told of acknowledged bytes.
        on_note: told what a person should do.
        patience: deadlines; None means the usual ones.
        clock: seconds, going forward.

    Raises:
        FlashError: with what the board holds now.
    """
    session = Session(transport, facts.words, patience or Patience(), clock)
    whole = sum(len(file.content) for file in files)
    done, tries, began = 0, 0, False
    try:
        while done < len(files):
            on_note(_PRESS)
            session.enter()
            try:
                for file in files[done:]:
                    before = sum(len(sent.content) for sent in files[:done])
                    if file.address:
                        session.send(preamble(file, facts), lambda _: None)
                    began = True
                    session.send(file.content, _counting(progress, before, len(file.content), whole))
                    done, tries, began = done + 1, 0, False
            except FileFailedError as error:
                tries += 1
                if tries == TRIES:
                    raise _failed(files, done, began, f"{error}, {TRIES} times", board) from error
                on_note(f"{files[done]} did not get through: {error}; it is sent again")
        if not session.leave():
            on_note("all is written, but the board does not say that it restarts: press its RESET button")
    except SilentError as error:
        raise _failed(files, done, began, f"its bootloader does not answer{error}", board) from error
    except LineBrokenError as error:
        if done == len(files):
            return  # All is there; the board's restart may take the port with it.
        raise _failed(files, done, began, error.message, board) from error


def _counting(progress: Progress | None, before: int, size: int, whole: int) -> Callable[[int], None]:
    def count(packets: int) -> None:
        if progress is not None:
            progress(before + min(packets * PACKET_BYTES, size), whole)

    return count


def _failed(files: Sequence[File], done: int, began: bool, why: str, board: Board) -> FlashError:
    """Return the error that says which files the board holds, which are broken and which were not begun."""
    if not done and not began:
        state = "nothing was written, the board is as it was"
        return FlashError(
            f"flashing '{board.id}' failed: {why}; {state}",
            f"{_PRESS}; close other programs that hold the port",
        )
    told = [f"{', '.join(map(str, files[:done]))}: written"] if done else []
    rest = files[done:]
    if began:
        told.append(f"{rest[0]}: broken, to be written again")
        rest = rest[1:]
    if rest:
        told.append(f"{', '.join(map(str, rest))}: not written")
    return FlashError(
        f"flashing '{board.id}' failed: {why}; on the board now: {'; '.join(told)}",
        "press RESET and flash again; the firmware runs properly only when all is written",
    )
