"""Greets a board that was just flashed: its port may be gone for seconds, or it still waits in its loader."""

import time
from collections.abc import Callable
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any, TypeVar

from edgekit.cli import _next, _options
from edgekit.cli._output import Output

if TYPE_CHECKING:
    from edgekit.board import Board
    from edgekit.device.hello import Hello
    from edgekit.firmware.image import FirmwareImage
    from edgekit.models import Model

_Greeting = TypeVar("_Greeting")
_RETURN_S = 15.0
_LOOK_AGAIN_S = 0.2


@dataclass(frozen=True, slots=True)
class Flashed:
    """A board with new firmware."""

    board: "Board"
    port: str | None
    """Where it is; None finds it anew each time, for it may come back at another."""
    timeout_s: float
    model: "Model | None" = None
    """What the firmware was made of, if that is known."""


def check(image: "FirmwareImage") -> None:
    """Refuse an image that could not be greeted. Raises ToolError."""
    from edgekit.errors import ToolError

    if image.protocol not in _ASK:
        raise ToolError(
            f"the image '{image.path}' speaks '{image.protocol[:40]}'; known: {', '.join(_ASK)}",
            f"run `{_next.command('generate', 'MODEL', *_next.board())}`",
        )


def greet(output: Output, flashed: Flashed, image: "FirmwareImage") -> None:
    """Check that what was flashed answers; say what it is and what comes next. Raises as `after_flashing`."""
    said, fields = _ASK[image.protocol](output, flashed, image)
    output.text(f"{flashed.board.id} runs {said}\nnext: {_next.monitor(image.protocol)}")
    base = {"board": flashed.board.id, "compiler": image.compiler, "image": str(image.path)}
    output.result(base | {"protocol": image.protocol, "hello": fields})


def _edgekit(output: Output, flashed: Flashed, image: "FirmwareImage") -> tuple[str, dict[str, Any]]:
    found = hello(output, flashed)
    # What answers must be what was flashed, also where no model was given to compare it with.
    found.check({"model_digest": image.model_digest, "contract_digest": image.contract_digest})
    said = f"edgekit firmware {found.firmware} ({found.runtime}), arena {found.arena_bytes:,} B, "
    return f"{said}model {found.model_digest[:12]}", asdict(found)


def _mlperf_tiny(_: Output, flashed: Flashed, __: "FirmwareImage") -> tuple[str, dict[str, Any]]:
    from edgekit.live.protocols import mlperf_tiny

    def ask() -> dict[str, Any]:
        with mlperf_tiny.open_device(flashed.board, port=flashed.port, timeout_s=flashed.timeout_s) as device:
            return {"vendor": device.vendor, "model": device.model, "firmware": device.firmware}

    said = after_flashing(flashed, ask)
    return f"MLPerf Tiny firmware of '{said['vendor']}', model {said['model']}", said


_ASK = {"edgekit": _edgekit, "mlperf_tiny": _mlperf_tiny}
"""By protocol, what asks a board: it returns a few words for a person, and fields for JSON."""


def hello(output: Output, flashed: Flashed) -> "Hello":
    """Return what edgekit's firmware says of itself after flashing; see `after_flashing`."""
    from edgekit import connection

    def ask() -> "Hello":
        with connection.open_device(
            flashed.board,
            port=flashed.port,
            model=flashed.model,
            timeout_s=flashed.timeout_s,
            on_note=_options.noted(output),
        ) as device:
            return device.hello

    return after_flashing(flashed, ask)


def after_flashing(flashed: Flashed, ask: Callable[[], _Greeting]) -> _Greeting:
    """Ask a board as soon as it is back; one that waits in its boot loader is restarted another way first.

    Args:
        flashed: the board.
        ask: opens the port and returns what the board says of itself.

    Raises:
        PortError: the port does not come back, or there are several.
        DeviceError: the board was flashed, but does not answer.
    """
    from edgekit import flash
    from edgekit.errors import DeviceError, PortError, ToolError

    board, port = flashed.board, flashed.port
    if board.emulator is not None:
        return ask()
    try:
        return _once_it_is_back(ask)
    except DeviceError as error:
        try:
            waited = flash.restart(board, port)
        except (PortError, ToolError):
            waited = False
        if waited:
            return _once_it_is_back(ask)
        raise DeviceError(
            f"'{board.id}' was written and verified, but does not answer: {error.message}",
            "press RESET, or plug the board in again, and look with `edgekit monitor`",
        ) from error


def _once_it_is_back(ask: Callable[[], _Greeting]) -> _Greeting:
    from edgekit.device.transport import LineBrokenError
    from edgekit.errors import PortError

    deadline = time.monotonic() + _RETURN_S
    while True:
        try:
            return ask()
        except (PortError, LineBrokenError):
            if time.monotonic() > deadline:
                raise
            time.sleep(_LOOK_AGAIN_S)
