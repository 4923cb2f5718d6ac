"""`edgekit flash` with one file that goes to the board as it is: a merged image, or a model alone."""

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from edgekit.cli import _greeting
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
        hello = _greeting.hello(output, board, port, timeout_s)
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


def model(output: Output, board: "Board", path: Path, port: str | None, slot: int | None) -> None:
    """Write a checked int8 model to where stock firmware looks for it."""
    from edgekit import flash, pipeline

    _check_alone("--model-only", "model_only", "model", "slot")
    loaded = pipeline.load_model(path)
    with output.progress(f"writing the model to {board.id}") as progress:
        flash.flash_model(loaded.data, board, port, fractions(progress), slot)
    output.text(
        f"'{path}' ({len(loaded.data):,} B) is on {board.id}\n"
        f"next: edgekit monitor --board {board.id} --protocol sscma"
    )
    output.result({"board": board.id, "model": str(path), "bytes": len(loaded.data), "slot": slot})


def fractions(progress: Callable[[float], None]) -> Callable[[int, int], None]:
    """Return what turns bytes done and bytes in all into a fraction for a bar."""
    return lambda done, whole: progress(done / max(whole, 1))


def _check_alone(flag: str, *also: str) -> None:
    """Refuse parameters that would do nothing. Raises UsageError."""
    from edgekit.errors import UsageError

    context = click.get_current_context()
    for parameter in context.command.params:
        source = context.get_parameter_source(parameter.name or "")
        if source is click.core.ParameterSource.COMMANDLINE and parameter.name not in {*_ALWAYS, *also}:
            name = parameter.opts[0] if parameter.opts[0].startswith("-") else parameter.name.upper()
            raise UsageError(f"{flag} does not go with {name}", f"leave out {name}")
