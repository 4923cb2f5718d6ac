"""`edgekit flash` with one file that goes to the board as it is: a merged image, or a model alone."""

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from edgekit.cli import _greeting, _next, _uf2_file
from edgekit.cli._output import Output

if TYPE_CHECKING:
    from edgekit.board import Board

_ALWAYS = {"board", "port", "timeout_s", "json_output", "verbose", "quiet"}


def merged(output: Output, board: "Board", path: Path, port: str | None, timeout_s: float) -> None:
    """Write a file that somebody else built, and say what answers, if it is firmware of ours."""
    from dataclasses import asdict

    from edgekit import flash
    from edgekit.errors import DeviceError, PortError

    _check_alone("--merged", "merged")
    with output.progress(f"flashing {board.id}") as progress:
        flash.flash_merged(path, board, port, fractions(progress))
    said: dict[str, Any] = {"board": board.id, "merged": str(path), "hello": None}
    try:
        hello = _greeting.hello(output, _greeting.Flashed(board, port, timeout_s))
    except (DeviceError, PortError) as error:
        output.text(f"'{path}' is on {board.id}, written and verified; no edgekit firmware answers from it")
        output.detail(error.message)
    else:
        said["hello"] = asdict(hello)
        output.text(
            f"'{path}' is on {board.id}: edgekit firmware {hello.firmware} ({hello.runtime}), "
            f"model {hello.model_digest[:12]}"
        )
    output.result(said)


def model(
    output: Output,
    board: "Board",
    path: Path,
    port: str | None,
    slot: int | None,
    header: str | None,
    uf2_only: Path | None,
) -> None:
    """Write a checked int8 model to where stock firmware looks for it, or into a file for that."""
    from edgekit import flash, models
    from edgekit.graph import tflite

    _check_alone("--model-only", "model_only", "model", "slot", "header", "uf2_only")
    if uf2_only is not None:
        _uf2_file.check(board, uf2_only)
    content = tflite.read_bytes(path)
    if flash.is_compiled_model(content, board):
        output.talk(f"'{path}' is compiled for the NPU of {board.id}: it is written without a look inside")
    else:
        content = models.load_model(path).data
    if uf2_only is not None:
        from edgekit.flash import uf2

        _uf2_file.write(output, board, uf2_only, uf2.model_file(content, board, slot, header))
        return
    with output.progress(f"writing the model to {board.id}") as progress:
        flash.flash_model(content, board, port, fractions(progress), slot, header=header, on_note=output.talk)
    output.text(f"'{path}' ({len(content):,} B) is on {board.id}")
    if board.flash.method != "uf2":  # the stock firmware of those boards answers over I2C and WebUSB only
        output.text(f"next: {_next.monitor('sscma')}")
    output.result({"board": board.id, "model": str(path), "bytes": len(content), "slot": slot})


def fractions(progress: Callable[[float], None]) -> Callable[[int, int], None]:
    """Return what turns bytes done and bytes in all into a fraction for a bar."""
    return lambda done, whole: progress(done / max(whole, 1))


def typed() -> dict[str, str]:
    """Return what stands on the command line itself: a parameter's name to its flag, or to ARGUMENT."""
    context = click.get_current_context()
    return {
        parameter.name: parameter.opts[0] if parameter.opts[0].startswith("-") else parameter.name.upper()
        for parameter in context.command.params
        if parameter.name
        and context.get_parameter_source(parameter.name) is click.core.ParameterSource.COMMANDLINE
    }


def _check_alone(flag: str, *also: str) -> None:
    """Refuse parameters that would do nothing. Raises UsageError."""
    from edgekit.errors import UsageError

    for parameter, given in typed().items():
        if parameter not in {*_ALWAYS, *also}:
            raise UsageError(f"{flag} does not go with {given}", f"leave out {given}")
