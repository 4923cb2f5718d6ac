"""Where frames run when a board is to answer: over its line, or past it, in a batch in QEMU."""

from collections.abc import Callable
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass, field

from edgekit import connection, pipeline
from edgekit.answers import Answers, Each, Frames, Progress, ignore
from edgekit.board import Board
from edgekit.device.client import Device
from edgekit.device.events import Note
from edgekit.emulator import batch
from edgekit.errors import UsageError
from edgekit.firmware.image import FirmwareImage
from edgekit.live import FEW_FRAMES
from edgekit.models import Model


@dataclass(frozen=True, slots=True)
class BoardRunner:
    """A `Runner` that is a board; made by `runner`."""

    board: Board
    model: Model
    port: str | None
    image: FirmwareImage | None
    """What a virtual board runs; None for one at a port."""
    via: str
    timeout_s: float
    on_note: Callable[[Note], None] | None
    device: Device | None = field(default=None, kw_only=True)
    """The board's open line, if there is one already."""

    def scores(self, frames: Frames, *, each: Each = ignore, progress: Progress = ignore) -> Answers:
        """Run frames in the way that suits their number. Raises DeviceError, FaultError, ToolError."""
        many = self.via == "files" or (self.via == "auto" and len(frames) > FEW_FRAMES)
        if many and self.image is not None and _can_pass(self.board, self.port):
            classes, timeout_s = self.model.contract.classes, self.timeout_s
            found = batch.run(self.image, self.board, frames, classes, timeout_s=timeout_s, progress=progress)
            for number, row in enumerate(found.scores):
                each(number, row)
            return found
        with nullcontext(self.device) if self.device is not None else self.open() as device:
            return device.scores(frames, each=each, progress=progress)

    def open(self) -> AbstractContextManager[Device]:
        """Open the board's line, and check that it runs the model's firmware."""
        return connection.open_device(
            self.board,
            port=self.port,
            model=self.model,
            image=self.image,
            timeout_s=self.timeout_s,
            on_note=self.on_note,
        )


def runner(
    board: Board,
    model: Model,
    *,
    port: str | None = None,
    image: FirmwareImage | None = None,
    via: str = "auto",
    timeout_s: float = 10.0,
    on_note: Callable[[Note], None] | None = None,
) -> BoardRunner:
    """Return a board as a place where frames run.

    Args:
        board: which.
        model: what it runs.
        port: of a real board, or of a virtual one that somebody runs; None starts a virtual board.
        image: what a virtual board runs; None builds the model's firmware.
        via: `serial`; `files`, past the line of a board in QEMU; `auto` takes files for many frames.
        timeout_s: how long the board may be silent.
        on_note: told of restarts, reconnections and the device's log lines.

    Raises:
        UsageError: `via` is `files`, and the board does not run in QEMU.
        ToolError: the firmware cannot be built.
    """
    if via == "files" and not _can_pass(board, port):
        raise UsageError(
            f"frames reach '{board.id}' over its serial line only",
            "leave out --via; it is for boards that edgekit runs in QEMU itself",
        )
    if image is None and port is None and board.emulator is not None:
        image = pipeline.build_image(model, board)
    return BoardRunner(board, model, port, image, via, timeout_s, on_note)


def _can_pass(board: Board, port: str | None) -> bool:
    return port is None and batch.can_run(board)
