"""Options that several commands share, and the types of their values."""

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from edgekit import settings
from edgekit.errors import UsageError

if TYPE_CHECKING:
    from edgekit.board import Board
    from edgekit.cli._output import Output
    from edgekit.contract import Contract
    from edgekit.pipeline import ContractFlags


class Numbers(click.ParamType[Any]):
    """Numbers separated by commas: `0.485,0.456,0.406`, or a list from edgekit.toml."""

    name = "a,b,c"

    def convert(
        self, value: Any, param: click.Parameter | None, ctx: click.Context | None
    ) -> tuple[float, ...]:
        """Return the numbers as floats."""
        if isinstance(value, tuple | list):
            return tuple(float(v) for v in value)
        try:
            return tuple(float(part) for part in str(value).replace(" ", "").split(","))
        except ValueError:
            self.fail(f"'{value}' is not a list of numbers such as 0.5,0.5,0.5", param, ctx)


class Size(click.ParamType[Any]):
    """Height and width: `32x48`, or `32` for a square."""

    name = "HxW"

    def convert(
        self, value: Any, param: click.Parameter | None, ctx: click.Context | None
    ) -> tuple[int, int]:
        """Return (height, width)."""
        if isinstance(value, tuple):
            return value
        parts = str(value).lower().split("x")
        if len(parts) > 2 or not all(p.isascii() and p.isdigit() and 0 < int(p) <= 4096 for p in parts):
            self.fail(f"'{value}' is not a size such as 32x32 (height x width, 1 to 4096)", param, ctx)
        return int(parts[0]), int(parts[-1])


class Labels(click.ParamType[Any]):
    """A text file with one label a line, or the labels themselves separated by commas."""

    name = "FILE|a,b,c"

    def convert(
        self, value: Any, param: click.Parameter | None, ctx: click.Context | None
    ) -> tuple[str, ...]:
        """Return the labels in order."""
        if isinstance(value, tuple | list):
            return tuple(value)
        text = str(value)
        try:
            lines = Path(text).read_text("utf-8").splitlines() if Path(text).is_file() else None
        except (OSError, UnicodeDecodeError) as error:
            self.fail(f"cannot read labels from '{text}': {error}", param, ctx)
        if lines is None:
            if "," not in text:
                self.fail(f"there is no file '{text}', and it is not a list such as cat,dog", param, ctx)
            lines = text.split(",")
        labels = tuple(line.strip() for line in lines if line.strip())
        if not labels:
            self.fail(f"'{text}' holds no labels", param, ctx)
        return labels


PATH = click.Path(path_type=Path)
FEW_FRAMES = 32
"""So many are sent over the serial line of an emulated board unless the user wants otherwise."""

board = click.option(
    "--board",
    envvar="EDGEKIT_BOARD",
    default="host",
    show_default=True,
    metavar="ID|FILE",
    help="A board of `edgekit boards`, or your own board file.",
)
port = click.option(
    "--port",
    envvar="EDGEKIT_PORT",
    default=None,
    help="Serial port, pyserial URL, or `auto`. A virtual board needs none: edgekit starts it.",
)
model = click.option(
    "--model",
    envvar="EDGEKIT_MODEL",
    type=PATH,
    default=None,
    help="The int8 .tflite.  [default: model.output of edgekit.toml]",
)
timeout = click.option(
    "--timeout",
    "timeout_s",
    envvar="EDGEKIT_TIMEOUT",
    type=click.FloatRange(min=0.1),
    metavar="SECONDS",
    default=10.0,
    show_default=True,
    help="How long without an answer before the device counts as silent.",
)
via = click.option(
    "--via",
    type=click.Choice(["auto", "serial", "files"]),
    default="auto",
    show_default=True,
    help="How frames reach the board: over its serial line, or, on an emulated board, past it through "
    f"files.  auto: files for more than {FEW_FRAMES} frames.",
)
labels = click.option(
    "--labels",
    type=Labels(),
    metavar="FILE|a,b,c",
    default=None,
    help="One label per output, in the model's order.",
)
mean = click.option(
    "--mean", type=Numbers(), metavar="a,b,c", default=None, help="Mean per channel, pixels in 0..1."
)
std = click.option(
    "--std", type=Numbers(), metavar="a,b,c", default=None, help="Standard deviation per channel, 0..1."
)
color = click.option(
    "--color", type=click.Choice(["rgb", "bgr", "gray"]), default=None, help="Channels as trained."
)
resize = click.option(
    "--resize",
    type=click.Choice(["squash", "crop", "pad"]),
    default=None,
    help="How other sizes become the model's.  [default: squash]",
)


def contract(function: Callable[..., None]) -> Callable[..., None]:
    """Add the options of `pipeline.ContractFlags`: every command that runs a model must agree on them."""
    for option in (std, mean, resize, color, labels):
        function = option(function)
    return function


def require(path: Path | None, what: str = "model", flag: str = "--model") -> Path:
    """Return a path that flags, environment or edgekit.toml must have given. Raises UsageError."""
    if path is None:
        raise UsageError(
            f"no {what} was given", f"pass {flag}, or write an edgekit.toml here with `edgekit init`"
        )
    return path


def past_the_line(via: str, board: "Board", port: str | None, count: int) -> bool:
    """Whether frames go to the board through files. Raises UsageError where they cannot but shall."""
    from edgekit.emulator import batch

    possible = port is None and batch.can_run(board)
    if via == "files" and not possible:
        raise UsageError(
            f"frames reach '{board.id}' over its serial line only",
            "leave out --via; it is for boards that edgekit runs in QEMU itself",
        )
    return possible and (via == "files" or (via == "auto" and count > FEW_FRAMES))


def firmware_folder(given: Path | None, board_id: str) -> Path:
    """Return where a board's firmware project stands: as given, else <build.out>/<board id>."""
    base = settings.load(Path.cwd()).get("build.out")
    return given or Path(str(base or "build")) / board_id


def warn_if_implied(output: "Output", contract: "Contract", name: str, flags: "ContractFlags") -> None:
    """Say what is assumed about pixels and labels of a model that carries no contract."""
    if not contract.implied or flags.mean is not None or flags.std is not None:
        return
    if contract.table is None:
        output.warn(f"'{name}' carries no contract, and its input is no image: it takes int8 tensors only")
    else:
        output.warn(
            f"'{name}' carries no contract: a pixel becomes pixel - 128, and the labels are "
            f"{contract.labels[0]}..{contract.labels[-1]}; --mean, --std and --labels say otherwise"
        )
