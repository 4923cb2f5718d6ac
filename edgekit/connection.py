"""Opens a board and its line: one at a port, or a virtual one that is turned on for it."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager

import numpy as np
from numpy.typing import NDArray

from edgekit import pipeline
from edgekit.board import Board
from edgekit.device.client import Device
from edgekit.device.events import Note
from edgekit.device.transport import SocketTransport, Transport
from edgekit.emulator import RunningBoard, check_runnable
from edgekit.errors import DeviceError, UsageError
from edgekit.firmware.image import FirmwareImage
from edgekit.firmware.options import Firmware
from edgekit.firmware.protocols.edgekit import Edgekit
from edgekit.flash import process as virtual_flash
from edgekit.models import Model


@contextmanager
def open_device(
    board: Board,
    *,
    port: str | None = None,
    model: Model | None = None,
    image: FirmwareImage | None = None,
    timeout_s: float = 10.0,
    on_note: Callable[[Note], None] | None = None,
) -> Iterator[Device]:
    """Open a board: the one at `port`, or, without one, a virtual board that runs `image`.

    Without a port and an image, a virtual board runs what was flashed to it last. With a `model`, firmware
    built for another one is refused with a ContractMismatchError.
    """
    with (
        open_line(board, port=port, image=image, protocol=Edgekit.name) as line,
        Device.open(
            line,
            contract=None if model is None else model.contract,
            model_digest=None if model is None else model.digest,
            serial=board.serial,
            timeout_s=timeout_s,
            on_note=on_note,
        ) as device,
    ):
        yield device


def installed_image(board: Board, protocol: str) -> FirmwareImage:
    """Return what was flashed to a virtual board last.

    Raises:
        FlashError: nothing was.
        UsageError: it speaks another protocol.
    """
    image = virtual_flash.installed(board)
    _check_protocol(image, protocol)
    return image


def _check_protocol(image: FirmwareImage, protocol: str) -> None:
    if image.protocol != protocol:
        raise UsageError(
            f"the firmware on '{image.board_id}' speaks the protocol '{image.protocol}', not '{protocol}'",
            f"pass --protocol {image.protocol} where the command has it, or flash the board again",
        )


@contextmanager
def open_line(
    board: Board, *, port: str | None, image: FirmwareImage | None, protocol: str
) -> Iterator[str | Callable[[], Transport]]:
    """Yield where a board is reached: its port, or a way to turn a virtual one on, which ends with the block.

    Raises:
        UsageError: the firmware of the virtual board speaks another protocol.
    """
    if port is not None or board.emulator is None:
        yield port or "auto"
        return
    check_runnable(board)
    if image is None:
        image = installed_image(board, protocol)
    _check_protocol(image, protocol)
    running = RunningBoard(image, board)
    try:
        yield lambda: SocketTransport(running.connect(), board.id)
    except DeviceError as error:
        if not running.last_words():
            raise
        raise DeviceError(
            f"{error.message}; the firmware's last words:\n{running.last_words()}", error.hint
        ) from error
    finally:
        running.close()


def trace(
    board: Board, model: Model, frame: NDArray[np.generic], *, device: Device, port: str | None
) -> tuple[int, ...] | None:
    """Run a frame in a debug build and return the CRC-32 of each step's output.

    A virtual board is built anew for it; another board must run a debug build, else None.
    """
    if device.hello.has_trace:
        device.classify(frame)
        return tuple(device.trace())
    if port is not None or board.emulator is None:
        return None
    image = pipeline.build_image(model, board, Firmware(debug=True))
    with open_device(board, model=model, image=image) as traced:
        traced.classify(frame)
        return traced.trace()
