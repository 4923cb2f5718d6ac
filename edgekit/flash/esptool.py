"""Flashes Espressif's chips with esptool 5, which is run as a program and never imported.

esptool resets the chip into its boot loader over DTR and RTS, uploads a loader of its own, writes, reads
back an MD5 of everything and restarts the chip. An interrupted or failed run ends in an error that says
what state the board is in.
"""

import contextlib
import hashlib
import importlib.metadata
import os
import sys
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

from edgekit import install, process, scratch
from edgekit.board import Board
from edgekit.device.ports import choose, list_ports
from edgekit.device.transport import open_port
from edgekit.errors import (
    DoesNotFitError,
    FlashError,
    ModelError,
    PortError,
    ToolError,
    UsageError,
)
from edgekit.files import read_regular
from edgekit.firmware.image import FirmwareImage, FlashSettings, Part
from edgekit.flash import Progress
from edgekit.flash._esptool_facts import LARGEST_FLASH, SECTOR_BYTES, Facts, read
from edgekit.flash._esptool_log import Log, Region

_IMAGE_MAGIC = 0xE9
_CHIP_ID_AT = 12
_CHIP_IDS = {"esp32": 0, "esp32s2": 2, "esp32c3": 5, "esp32s3": 9, "esp32c6": 13}
_PATIENCE_S = 60.0
_PATIENCE_S_PER_MB = 40.0
"""What esptool itself allows the chip's own loader for erasing."""
_AS_IT_WAS = "the board's flash is as it was"
_NO_START = "it does not start properly until it is flashed again"
_NO_MODEL = "its firmware has no whole model until it is written again"


def installed() -> str:
    """Return the version of esptool in this Python; empty where there is none."""
    try:
        return importlib.metadata.version("esptool")
    except importlib.metadata.PackageNotFoundError:
        return ""


def how_to_get() -> str:
    """Return the command that installs a version that is known."""
    return install.pip("esptool>=5.1,<6")


def is_known(version: str) -> bool:
    """Return whether this is a version whose options and words are known: 5.1 or a later 5."""
    major, _, rest = version.partition(".")
    minor = rest.partition(".")[0]
    return major == "5" and minor.isdecimal() and int(minor) >= 1


def default_port() -> str | None:
    """Return the port that esptool's own environment variable names."""
    return os.environ.get("ESPTOOL_PORT") or None


def flash(image: FirmwareImage, board: Board, port: str | None, progress: Progress | None) -> None:
    """Write all parts of an image at their offsets, or, without parts, the one file at 0.

    Raises:
        UsageError: ESPTOOL_BAUD is no speed.
        ProjectError: the board's flash.facts are wrong.
        ToolError: esptool is missing or not of version 5.1 to 5.x.
        PortError: the port is absent, busy, not permitted, or there are several.
        FlashError: writing failed; the message says what state the board is in.
    """
    parts = image.parts or (Part("merged image", 0, image.path, image.size_bytes, image.sha256),)
    for part in parts:
        content = _check_unchanged(part)
        if not image.parts:
            _check_merged(part.path, content, board, read(board))
    _write(board, parts, image.flash_settings or FlashSettings(), port, progress, _NO_START)


def flash_part(
    image: FirmwareImage, name: str, board: Board, port: str | None, progress: Progress | None
) -> None:
    """Write one part of an image alone. Raises as `flash`, and UsageError if the image has no such part."""
    parts = [part for part in image.parts if part.name == name]
    if not parts:
        names = ", ".join(part.name for part in image.parts) or "no parts"
        raise UsageError(
            f"the image '{image.path}' has no part '{name}' of its own", f"it has: {names}. Flash it whole"
        )
    _check_unchanged(parts[0])
    settings = image.flash_settings or FlashSettings()
    _write(board, parts, settings, port, progress, _NO_MODEL if name == "model" else _NO_START)


def flash_merged(path: Path, board: Board, port: str | None, progress: Progress | None) -> None:
    """Write a file that holds a whole flash from 0 on, such as `esptool merge-bin` makes, as it is.

    Raises:
        FlashError: it cannot be read or is no such file; or as `flash`.
    """
    facts = read(board)
    try:
        content = read_regular(path, LARGEST_FLASH)
    except OSError as error:
        raise FlashError(f"cannot read '{path}': {error.strerror}; {_AS_IT_WAS}") from error
    _check_merged(path, content, board, facts)
    # What is checked is what is written, whatever becomes of the file meanwhile.
    with _temporary(content) as copy:
        _write(board, [Part.of(path.name, 0, copy)], FlashSettings(), port, progress, _NO_START)


def flash_model(
    content: bytes, board: Board, port: str | None, progress: Progress | None, slot: int | None
) -> None:
    """Write a model to where the board's stock firmware looks for one.

    Raises:
        UsageError: the board file names no such place, or another slot than the only one was asked for.
        ModelError: it is no model that the firmware would find.
        DoesNotFitError: the model is larger than its place.
        FlashError: as `flash`.
    """
    facts = read(board)
    if not facts.model_bytes:
        raise UsageError(
            f"the board '{board.id}' keeps no model apart from its firmware", "leave out --model-only"
        )
    if slot not in (None, 1):
        raise UsageError(f"the board '{board.id}' has one place for a model, no {slot}", "leave out --slot")
    magic = facts.model_magic.encode()
    if content[4 : 4 + len(magic)] != magic:
        raise ModelError(f"the model has no '{facts.model_magic}' at byte 4, by which the firmware finds it")
    if len(content) > facts.model_bytes:
        raise DoesNotFitError(
            f"the model has {len(content):,} B, its place on '{board.id}' {facts.model_bytes:,} B",
            "use fewer channels or classes",
        )
    with _temporary(content) as copy:
        part = Part.of("model", facts.model_offset, copy)
        _write(board, [part], FlashSettings(), port, progress, _NO_MODEL)


def restart(board: Board, port: str | None) -> bool:
    """Restart a chip that still waits in its boot loader, by its watchdog; return whether it waited there.

    A chip that was put into download mode by its button stays there when its USB pulls reset. A board that
    runs its firmware is not disturbed: it gets a few bytes that mean nothing to it.

    Raises:
        PortError, ToolError: as `flash`.
    """
    facts = read(board)
    command = _command(
        facts, _find(board, port, facts), FlashSettings(before="no-reset", after="watchdog-reset", stub=False)
    )
    words = (*command, "--connect-attempts", "1", "read-mac")
    try:
        return _run(words, lambda _: False, _PATIENCE_S) == 0
    except process.StuckToolError:
        return False


def _write(
    board: Board,
    parts: Sequence[Part],
    settings: FlashSettings,
    port: str | None,
    progress: Progress | None,
    unfinished: str,
) -> None:
    facts = read(board)
    if settings.chip and settings.chip != facts.chip:
        raise ToolError(f"the image is for an {settings.chip}, but '{board.id}' has an {facts.chip}")
    for part in parts:
        if part.offset % SECTOR_BYTES:
            raise ToolError(f"'{part.path}' is to go to {part.offset:#x}, which is within a sector of flash")
    log = Log([Region(part.name, part.offset, part.size_bytes) for part in parts], progress, unfinished)
    place = _find(board, port, facts)
    command = [*_command(facts, place, settings), "write-flash"]
    command += ["--flash-mode", settings.mode, "--flash-freq", settings.freq, "--flash-size", settings.size]
    for part in parts:
        command += [hex(part.offset), str(part.path.resolve())]
    if "://" not in place:
        # A port that cannot be used is reported in our own words, before anything is reset.
        open_port(place, board.serial).close()
    patience_s = _PATIENCE_S + _PATIENCE_S_PER_MB * max(part.size_bytes for part in parts) / 1e6
    try:
        code = _run(command, log.feed, patience_s)
    except process.StuckToolError as error:
        raise FlashError(
            f"esptool came no further for {patience_s:g} s and was stopped; {log.state()}",
            "plug the board in again, and flash again",
        ) from error
    except KeyboardInterrupt as stop:
        raise KeyboardInterrupt(log.state()) from stop
    if code != 0:
        raise log.failure(board, place, code, facts.to_download_mode())


def _command(facts: Facts, place: str, settings: FlashSettings) -> list[str]:
    version = installed()
    if not is_known(version):
        said = f"is of version {version}, and edgekit runs 5.1 to 5.x" if version else "is not installed"
        raise ToolError(f"esptool {said}", how_to_get())
    # -P: a file `esptool.py` or `serial.py` in the user's folder is not what is meant.
    if sys.platform != "win32" and "://" not in place:
        place = str(Path(place).absolute())
    command = [sys.executable, "-P", "-m", "esptool", "--chip", facts.chip, "--port", place]
    command += ["--baud", str(facts.speed()), "--before", settings.before, "--after", settings.after]
    return command if settings.stub else [*command, "--no-stub"]


def _run(command: Sequence[str], on_line: Callable[[str], bool], patience_s: float) -> int:
    """Run esptool in an empty folder, and return its exit code. Raises as `process.stream`.

    In the user's folder it would obey an esptool.cfg, setup.cfg or tox.ini that lies there, whoever wrote it;
    esptool before its use of esp-pylib runs what such a file gives as a reset sequence as Python.
    """
    with scratch.folder() as folder:
        return process.stream(command, on_line, cwd=folder, env=_environment(), patience_s=patience_s)


def _environment() -> dict[str, str]:
    """Return an environment in which esptool writes plain, unwrapped lines, each as soon as it has one."""
    plain = {"PYTHONUNBUFFERED": "1", "PYTHONIOENCODING": "utf-8", "NO_COLOR": "1", "COLUMNS": "1000"}
    kept = {key: value for key, value in os.environ.items() if key not in ("FORCE_COLOR", "TTY_COMPATIBLE")}
    if named := kept.get("ESPTOOL_CFGFILE"):
        kept["ESPTOOL_CFGFILE"] = str(Path(named).absolute())
    return {**kept, **plain, "TERM": "dumb"}


def _find(board: Board, port: str | None, facts: Facts) -> str:
    port = port or default_port() or "auto"
    if port != "auto":
        return port
    try:
        return choose(list_ports(), board.serial.usb_ids)
    except PortError as error:
        raise PortError(error.message, f"{error.hint}. No port at all? {facts.to_download_mode()}") from error


def _check_merged(path: Path, content: bytes, board: Board, facts: Facts) -> None:
    """Refuse a file that would go to 0 but begins with no boot loader for this chip. Raises FlashError."""
    if len(content) < 32 or content[0] != _IMAGE_MAGIC:
        raise FlashError(
            f"'{path}' is no merged image: it begins with no boot loader ({_IMAGE_MAGIC:#x}); {_AS_IT_WAS}",
            "make one with `esptool merge-bin` out of boot loader, partition table and app",
        )
    chip_id = int.from_bytes(content[_CHIP_ID_AT : _CHIP_ID_AT + 2], "little")
    wanted = _CHIP_IDS.get(facts.chip, chip_id)
    if chip_id != wanted:
        raise FlashError(
            f"'{path}' is for a chip of id {chip_id}, but '{board.id}' has an {facts.chip} of id {wanted}; "
            f"{_AS_IT_WAS}",
            "name the board that is plugged in with --board",
        )


def _check_unchanged(part: Part) -> bytes:
    """Return the content of a part. Raises FlashError where it is not the one that was built."""
    try:
        content = read_regular(part.path)
    except OSError as error:
        raise FlashError(f"cannot read '{part.path}': {error.strerror}; {_AS_IT_WAS}") from error
    if hashlib.sha256(content).hexdigest() != part.sha256:
        raise FlashError(
            f"'{part.path}' has changed since it was built; {_AS_IT_WAS}", "run `edgekit build` again"
        )
    return content


@contextlib.contextmanager
def _temporary(content: bytes) -> Iterator[Path]:
    """Yield the path of a file with this content, which goes away again."""
    with scratch.folder() as folder:
        path = folder / "content.bin"
        path.write_bytes(content)
        yield path
