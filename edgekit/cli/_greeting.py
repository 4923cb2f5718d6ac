"""Greets a board that was just flashed: its port may be gone for seconds, or it still waits in its loader."""

import time
from collections.abc import Callable
from typing import TYPE_CHECKING, TypeVar

from edgekit.cli import _options
from edgekit.cli._output import Output

if TYPE_CHECKING:
    from edgekit.board import Board
    from edgekit.device.hello import Hello
    from edgekit.pipeline import Model

_Greeting = TypeVar("_Greeting")
_RETURN_S = 15.0
_LOOK_AGAIN_S = 0.2


def hello(
    output: Output, board: "Board", port: str | None, timeout_s: float, model: "Model | None" = None
) -> "Hello":
    """Return what edgekit's firmware says of itself after flashing; see `after_flashing`."""
    from edgekit import pipeline

    def greet() -> "Hello":
        with pipeline.open_device(
            board, port=port, model=model, timeout_s=timeout_s, on_note=_options.noted(output)
        ) as device:
            return device.hello

    return after_flashing(board, port, greet)


def after_flashing(board: "Board", port: str | None, greet: Callable[[], _Greeting]) -> _Greeting:
    """Greet a board as soon as it is back; one that waits in its boot loader is restarted another way first.

    Args:
        board: what was flashed.
        port: where it is; None finds it anew each time, for it may come back at another.
        greet: opens the port and returns what the board says of itself.

    Raises:
        PortError: the port does not come back, or there are several.
        DeviceError: the board was flashed, but does not answer.
    """
    from edgekit import flash
    from edgekit.errors import DeviceError, PortError, ToolError

    if board.emulator is not None:
        return greet()
    try:
        return _once_it_is_back(greet)
    except DeviceError as error:
        try:
            waited = flash.restart(board, port)
        except (PortError, ToolError):
            waited = False
        if waited:
            return _once_it_is_back(greet)
        raise DeviceError(
            f"'{board.id}' was written and verified, but does not answer: {error.message}",
            "press RESET, or plug the board in again, and look with `edgekit monitor`",
        ) from error


def _once_it_is_back(greet: Callable[[], _Greeting]) -> _Greeting:
    from edgekit.device.transport import LineBrokenError
    from edgekit.errors import PortError

    deadline = time.monotonic() + _RETURN_S
    while True:
        try:
            return greet()
        except (PortError, LineBrokenError):
            if time.monotonic() > deadline:
                raise
            time.sleep(_LOOK_AGAIN_S)
