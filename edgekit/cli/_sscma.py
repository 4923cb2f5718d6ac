"""What `monitor` does when the board runs Seeed's SSCMA firmware."""

import os
import time
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING

from edgekit.cli import _options, _sscma_view
from edgekit.cli._output import Output
from edgekit.cli._sscma_view import SSCMA

if TYPE_CHECKING:
    from edgekit.board import Board
    from edgekit.device.sscma import SscmaDevice
    from edgekit.models import ContractFlags

_OURS = ("picture", "threshold")
_CAMERA = "the board's own camera is the only source of frames"
_FIRMWARE = "the firmware prepares the frames itself"
_OTHERS = {
    "source": ("--source", _CAMERA),
    "frame_every": ("--frame-every", "--picture saves what the camera sees"),
    "fps": ("--fps", "the board runs as fast as it can"),
    "confusion": ("--confusion", f"{_CAMERA}, and they have no labels"),
    "iterations": ("--performance", "each result brings its times anyway"),
    "mean": ("--mean", _FIRMWARE),
    "std": ("--std", _FIRMWARE),
    "color": ("--color", _FIRMWARE),
    "resize": ("--resize", _FIRMWARE),
}


@dataclass(frozen=True, slots=True)
class _Pictures:
    """Where pictures go: one file that is replaced, or a folder that gets one file per picture."""

    path: Path
    is_folder: bool

    def save(self, number: int, jpeg: bytes) -> Path:
        """Write one picture whole. Its name is ours, never the device's. Raises OutputError."""
        from edgekit import files

        path = self.path / f"frame-{number:06}.jpg" if self.is_folder else self.path
        files.write_whole(path, jpeg, durable=False)
        return path


def check_options(protocol: str) -> None:
    """Raise UsageError if an option was given that means nothing with this protocol."""
    from edgekit.errors import UsageError

    for parameter, (flag, reason) in _OTHERS.items() if protocol == SSCMA else ():
        if _options.is_named(parameter):
            raise UsageError(f"{flag} is not for --protocol {SSCMA}: {reason}", f"leave out {flag}")
    for parameter in _OURS if protocol != SSCMA else ():
        if _options.is_named(parameter):
            raise UsageError(f"--{parameter} needs --protocol {SSCMA}")


def monitor(
    output: Output,
    board: "Board",
    *,
    port: str | None,
    model: Path | None,
    flags: "ContractFlags",
    count: int | None,
    picture: str | None,
    threshold: int | None,
    timeout_s: float,
) -> None:
    """Watch what a board makes of its own camera's frames."""
    from edgekit.device.sscma import SscmaDevice
    from edgekit.errors import UsageError

    if port is None and board.emulator is not None:
        raise UsageError(
            f"'{board.id}' is a virtual board, and no Seeed firmware runs on it",
            "name a board that has it, such as --board xiao_esp32s3, or the port of one with --port",
        )
    if port is None and board.flash.method == "uf2":
        raise UsageError(
            f"Seeed's firmware on '{board.id}' answers over I2C and WebUSB only, not over a serial line",
            "flash it with edgekit's own firmware, or name a XIAO ESP32S3 or Grove Vision AI V2 with --board",
        )
    pictures = None if picture is None else _pictures(picture)
    given = _given_labels(output, model, flags)
    with SscmaDevice.open(
        port or "auto", serial=board.serial, timeout_s=timeout_s, on_note=_options.noted(output)
    ) as device:
        begun = device.invoke(pictures=pictures is not None, threshold=threshold)
        labels, origin = _labels(device, given, flags)
        _sscma_view.greet(output, board, device, begun, labels, origin)
        if threshold is not None:
            output.talk(f"threshold {begun.threshold} -> {threshold}; the board keeps it")
        tally = _stream(output, device, labels, pictures, count)
        _sscma_view.summarise(output, board, device, tally)
    if tally.interrupted:
        raise KeyboardInterrupt


def _pictures(text: str) -> _Pictures:
    """Return where pictures go, having checked that they can go there. Raises OutputError."""
    from edgekit import files

    path = Path(text)
    is_folder = path.is_dir() or text.endswith(("/", os.sep))
    files.check_writable(path / "frame.jpg" if is_folder else path)
    return _Pictures(path, is_folder)


def _given_labels(output: Output, model: Path | None, flags: "ContractFlags") -> tuple[str, ...] | None:
    """Return what the user said on the command line: the labels, or a model that holds them."""
    from edgekit import models
    from edgekit.device import sscma_model

    named = flags.labels if _options.is_named("labels") else None
    if model is None or not _options.is_named("model"):
        return named
    agreed = models.load_model(model).contract
    for objection in sscma_model.objections(agreed):
        output.warn(f"'{model}' does not suit the firmware: {objection}")
    return named or agreed.labels


def _labels(
    device: "SscmaDevice", given: tuple[str, ...] | None, flags: "ContractFlags"
) -> tuple[tuple[str, ...], str]:
    """Return the names of the classes, and where they are from.

    What stands on the command line comes first: the board's own names stay behind when a model is written
    to its flash by another way than SenseCraft. edgekit.toml comes last: it describes this folder's model.
    """
    if given is not None:
        return given, "command line"
    stored = None if device.model is None else device.model.info.labels
    if stored is not None:
        return stored, "board"
    if flags.labels is not None:
        return flags.labels, "edgekit.toml"
    return (), "numbers"


def _stream(
    output: Output,
    device: "SscmaDevice",
    labels: tuple[str, ...],
    pictures: _Pictures | None,
    count: int | None,
) -> _sscma_view.Tally:
    """Show predictions until there are enough of them or the user ends the run."""
    tally = _sscma_view.Tally()
    try:
        first = 0.0
        for prediction in islice(device.predictions(), count):
            now = time.monotonic()
            first = first or now
            tally.seconds = now - first
            saved = None
            if pictures is not None and prediction.picture is not None:
                saved = pictures.save(tally.pictures + 1, prediction.picture.jpeg)
                tally.pictures += 1
            tally.damaged_pictures += prediction.picture_is_damaged
            _sscma_view.add(tally, prediction)
            output.event(_sscma_view.event(prediction, labels, tally.n - 1, saved))
            if output.verbosity >= 0:
                output.text(_sscma_view.line(prediction, labels, tally.n))
    except KeyboardInterrupt:
        tally.interrupted = True
    return tally
