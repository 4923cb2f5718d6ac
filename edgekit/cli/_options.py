"""Options that several commands share, and the types of their values."""

import re
import shlex
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from edgekit import settings
from edgekit.errors import UsageError
from edgekit.files import read_named, read_regular
from edgekit.firmware import protocols
from edgekit.firmware.protocols import mlperf_tiny
from edgekit.live import FEW_FRAMES, OWN_CAMERA
from edgekit.plain_text import from_system

if TYPE_CHECKING:
    from edgekit.board import Board
    from edgekit.cli._output import Output
    from edgekit.device.events import Note
    from edgekit.firmware.options import Firmware
    from edgekit.models import ContractFlags, Model


_MOST_LABEL_BYTES = 1 << 24
_SIZE = re.compile(r"([0-9]{1,4})(?:x([0-9]{1,4}))?")


class Numbers(click.ParamType[Any]):
    """Numbers separated by commas: `0.485,0.456,0.406`, or a list from edgekit.toml."""

    name = "a,b,c"

    def convert(
        self, value: Any, param: click.Parameter | None, ctx: click.Context | None
    ) -> tuple[float, ...]:
        """Return the numbers as floats."""
        parts = value if isinstance(value, tuple | list) else str(value).replace(" ", "").split(",")
        try:
            return tuple(float(part) for part in parts)
        except (ValueError, OverflowError):
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
        found = _SIZE.fullmatch(str(value).lower())
        sides = (int(found[1]), int(found[2] or found[1])) if found else (0, 0)
        if not (0 < sides[0] <= 4096 and 0 < sides[1] <= 4096):
            self.fail(f"'{value}' is not a size such as 32x32 (height x width, 1 to 4096)", param, ctx)
        return sides


class Real(click.FloatRange):
    """A number in a range: click's own lets "nan" pass every limit."""

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Any:
        """Return the number."""
        number = super().convert(value, param, ctx)
        if number != number:
            self.fail(f"'{value}' is not a number", param, ctx)
        return number


class Labels(click.ParamType[Any]):
    """A text file with one label a line, or the labels themselves separated by commas."""

    name = "FILE|a,b,c"

    def convert(
        self, value: Any, param: click.Parameter | None, ctx: click.Context | None
    ) -> tuple[str, ...]:
        """Return the labels in order."""
        if isinstance(value, tuple | list):
            if not value:
                self.fail("the list holds no labels", param, ctx)
            return tuple(value)
        text = str(value)
        if not text:
            self.fail("no file of labels is named", param, ctx)
        is_file = "," not in text or _exists(text)
        lines = self._lines(text, param, ctx) if is_file else from_system(text).split(",")
        labels = tuple(line.strip() for line in lines if line.strip())
        if not labels:
            self.fail(f"'{text}' holds no labels", param, ctx)
        return labels

    def _lines(self, path: str, param: click.Parameter | None, ctx: click.Context | None) -> list[str]:
        try:
            content = (read_named if _is_typed(param, ctx) else read_regular)(Path(path), _MOST_LABEL_BYTES)
            # Windows' editors begin UTF-8 files with a mark, which is no part of the first label.
            return content.decode("utf-8-sig").splitlines()
        except FileNotFoundError:
            self.fail(f"there is no file '{path}', and it is not a list such as cat,dog", param, ctx)
        except OSError as error:
            self.fail(f"cannot read labels from '{path}': {error.strerror or error}", param, ctx)
        except UnicodeDecodeError as error:
            self.fail(f"the labels in '{path}' are not UTF-8 text: {error}", param, ctx)


def _is_typed(param: click.Parameter | None, ctx: click.Context | None) -> bool:
    """Return whether a value comes from the command line, not from an edgekit.toml that others may write."""
    source = ctx.get_parameter_source(param.name) if ctx and param and param.name else None
    return source is click.core.ParameterSource.COMMANDLINE


def _exists(text: str) -> bool:
    try:
        return Path(text).exists()
    except (OSError, ValueError):  # too long for a path: it is a list
        return False


PATH = click.Path(path_type=Path)

_TRUST = "edgekit.trust_board"


def _keep_trust(ctx: click.Context, _: click.Parameter, value: bool) -> None:
    ctx.meta[_TRUST] = value


trust_board = click.option(
    "--trust-board",
    is_flag=True,
    expose_value=False,
    callback=_keep_trust,
    help="Let a board file name any compiler and any flags: they can run any program.",
)
_board = click.option(
    "--board",
    envvar="EDGEKIT_BOARD",
    show_envvar=True,
    default="host",
    show_default=True,
    metavar="ID|FILE",
    help="A board of `edgekit boards`, or your own board file.",
)


def board(function: Callable[..., None]) -> Callable[..., None]:
    """Add --board and --trust-board."""
    return _board(trust_board(function))


port = click.option(
    "--port",
    envvar="EDGEKIT_PORT",
    show_envvar=True,
    default=None,
    help="Serial port, pyserial URL, or `auto`. A virtual board needs none: edgekit starts it.",
)
model = click.option(
    "--model",
    envvar="EDGEKIT_MODEL",
    show_envvar=True,
    type=PATH,
    default=None,
    help="The int8 .tflite.  [default: model.output of edgekit.toml]",
)
timeout = click.option(
    "--timeout",
    "timeout_s",
    envvar="EDGEKIT_TIMEOUT",
    show_envvar=True,
    type=Real(min=0.1, max=86400.0),
    metavar="SECONDS",
    default=10.0,
    show_default=True,
    help="Give up when so long nothing has come that is awaited, whatever else the device sends.",
)


def _protocol(names: list[str]) -> Callable[[Callable[..., None]], Callable[..., None]]:
    return click.option(
        "--protocol",
        type=click.Choice(names),
        default="edgekit",
        show_default=True,
        help="What the firmware speaks on its serial line.",
    )


_OF_PROTOCOL = {"mlperf_tiny": {"mlperf_model": "model", "mlperf_vendor": "vendor"}}
"""Options that one protocol has, and the fields that they are."""


def protocol(function: Callable[..., None]) -> Callable[..., None]:
    """Add --protocol, and the options that one protocol has."""
    function = click.option(
        "--mlperf-vendor",
        default="edgekit",
        show_default=True,
        help="The vendor that MLPerf Tiny firmware names.",
    )(function)
    function = click.option(
        "--mlperf-model",
        type=click.Choice(mlperf_tiny.MODELS),
        default=None,
        help="The model that MLPerf Tiny firmware names.  [default: by the input's shape]",
    )(function)
    return _protocol(protocols.names())(function)


watched_protocol = _protocol([*protocols.names(), "sscma"])
"""Firmware that edgekit does not make can be watched only."""
debug = click.option("--debug", is_flag=True, help="Let the firmware record every step, for `prove`.")
via = click.option(
    "--via",
    type=click.Choice(["auto", "serial", "files"]),
    default="auto",
    show_default=True,
    help="How frames reach the board: over its serial line, or, on an emulated board, past it through "
    f"files.  auto: files for more than {FEW_FRAMES} frames.",
)
runtime = click.option(
    "--runtime",
    type=click.Choice(["compiled", "tflm"]),
    default=None,
    help="How the network runs: as C of our own, or in TensorFlow Lite Micro.  [default: the board's]",
)
kernels = click.option(
    "--kernels",
    metavar="FOLDER",
    default=None,
    help="Which kernels are preferred, of those that the board has.  [default: the board's]",
)
camera = click.option("--camera", is_flag=True, help="Let the board classify what its own camera sees, too.")
sdk = click.option(
    "--sdk",
    "sdk_dir",
    type=click.Path(path_type=Path, exists=True, file_okay=False),
    envvar="EDGEKIT_SDK",
    show_envvar=True,
    default=None,
    help="The vendor's SDK, for boards that need one.  [default: looked for in the usual places]",
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
    """Add the options of `models.ContractFlags`: every command that runs a model must agree on them."""
    for option in (std, mean, resize, color, labels):
        function = option(function)
    return function


def load_model(output: "Output", path: Path, stated: Mapping[str, Any]) -> "Model":
    """Read a model, with what `stated` says of its contract, and warn of what is assumed."""
    from dataclasses import fields

    from edgekit import models

    names = (field.name for field in fields(models.ContractFlags))
    flags = models.ContractFlags(**{name: stated[name] for name in names})
    model = models.load_model(path, flags)
    warn_if_implied(output, model, flags)
    return model


def firmware(stated: Mapping[str, Any]) -> "Firmware":
    """Return what the options want the firmware to be. Raises UsageError."""
    from edgekit.firmware.options import Firmware

    name = stated["protocol"]
    for owner, options in _OF_PROTOCOL.items():
        for option in options:
            if owner != name and is_named(option):
                raise UsageError(f"--{option.replace('_', '-')} needs --protocol {owner}")
    own = {argument: stated[option] for option, argument in _OF_PROTOCOL.get(name, {}).items()}
    return Firmware(protocols.find(name)(**own), debug=stated["debug"], camera=stated.get("camera", False))


def require(path: Path | None, what: str = "model", flag: str = "--model") -> Path:
    """Return a path that flags, environment or edgekit.toml must have given. Raises UsageError."""
    if path is None:
        raise UsageError(
            f"no {what} was given", f"pass {flag}, or write an edgekit.toml here with `edgekit init`"
        )
    return path


def is_named(parameter: str) -> bool:
    """Return whether the user gave a parameter's value, by a flag or the environment."""
    source = click.get_current_context().get_parameter_source(parameter)
    return source in (click.core.ParameterSource.COMMANDLINE, click.core.ParameterSource.ENVIRONMENT)


def sdk_for(board: "Board", sdk_dir: Path | None) -> Path | None:
    """Return the SDK that was named; one that the environment names is for the boards that have one."""
    source = click.get_current_context().get_parameter_source("sdk_dir")
    unwanted = not board.build.sdk and source is click.core.ParameterSource.ENVIRONMENT
    return None if unwanted else sdk_dir


def load_board(named: str) -> "Board":
    """Return a board, its file held to the lists unless the user said --trust-board. Raises ProjectError."""
    from edgekit import board as boards

    return boards.load(named, trusted=click.get_current_context().meta.get(_TRUST, False))


def named_board(named: str | None = None) -> str:
    """Return how a command names the board as the user did: an id, or a file, and whether it is trusted."""
    context = click.get_current_context()
    text = shlex.quote(str(context.params["board"] if named is None else named))
    return f"{text} --trust-board" if context.meta.get(_TRUST, False) else text


def noted(output: "Output") -> "Callable[[Note], None]":
    """Return what shows a device's notes: restarts and reconnections always, its log lines under -v."""

    def show(note: "Note") -> None:
        if note.kind == "log":
            output.detail(f"device: {note.text}")
        else:
            output.warn(note.text)

    return show


def check_source(source: str | None, frame_every: int | None) -> bool:
    """Return whether frames come from the board's own camera. Raises UsageError for what does not go."""
    if source is None:
        raise UsageError(
            "no frames were named",
            "pass --source DATA (a folder, .npz, MNIST, CIFAR-10), --source camera:0 or --source board, "
            "or set data.source in edgekit.toml",
        )
    own = source == OWN_CAMERA
    if not own and frame_every is not None:
        raise UsageError("--frame-every needs --source board: frames that are sent are here already")
    if own and (is_named("fps") or is_named("confusion")):
        raise UsageError("with --source board, the board sets the pace, and nothing is labelled")
    return own


def firmware_folder(given: Path | None, board_id: str) -> Path:
    """Return where a board's firmware project stands: as given, else <build.out>/<board id>."""
    base = settings.load(Path()).get("build.out")
    return given or Path(str(base or "build")) / board_id


def warn_if_implied(output: "Output", model: "Model", flags: "ContractFlags") -> None:
    """Say what is assumed about pixels and labels of a model that carries no contract."""
    from edgekit.contract import METADATA_NAME

    if METADATA_NAME in model.graph.metadata:
        return
    contract = model.contract
    assumed = []
    if contract.table is None:
        assumed.append("its input is no image, so it takes int8 tensors only")
    elif flags.mean is None and flags.std is None:
        assumed.append("a pixel becomes pixel - 128 (--mean and --std say otherwise)")
    if flags.labels is None:
        assumed.append(
            f"the labels are {contract.labels[0]}..{contract.labels[-1]} (--labels says otherwise)"
        )
    if assumed:
        output.warn(f"'{model.path}' carries no contract: {', and '.join(assumed)}")
