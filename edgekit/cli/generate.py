"""`edgekit generate`: an int8 .tflite becomes C, and a firmware project for a board."""

from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from edgekit.cli import _next, _options
from edgekit.cli._app import command as make_command
from edgekit.cli._output import Output

if TYPE_CHECKING:
    from edgekit.codegen.generator import GeneratedModel


@make_command(short_help="Turn an int8 .tflite into a firmware project for a board.")
@_options.board
@click.option("-o", "--output", "target", type=_options.PATH, help="Folder.  [default: build/<board>]")
@_options.debug
@_options.camera
@_options.runtime
@_options.kernels
@_options.protocol
@_options.contract
@click.argument("model", envvar="EDGEKIT_MODEL", type=_options.PATH, required=False)
def command(
    output: Output,
    board: str,
    target: Path | None,
    runtime: str | None,
    kernels: str | None,
    model: Path | None,
    **stated: Any,
) -> None:
    """Write a complete firmware project: the model as C, the kernels it uses, the application.

    Refuses a model that cannot fit the board (exit 6), saying what it needs and what the board has.

    \b
    Example: edgekit generate model.tflite --board host -o build/host
    """
    from edgekit import board as boards
    from edgekit import pipeline
    from edgekit.codegen import budget

    opened = boards.choose(_options.load_board(board), runtime=runtime, kernels=kernels)
    loaded = _options.load_model(output, _options.require(model, "model", "MODEL"), stated)
    folder = _options.firmware_folder(target, opened.id)
    firmware = _options.firmware(stated)
    made = pipeline.generate_project(loaded, opened, folder, firmware)
    external = budget.estimate(made, opened, camera=firmware.camera).moved
    _show(output, made, folder)
    if external:
        output.text(
            f"in the board's external memory, as the internal one is too small: {', '.join(external)}"
        )
    if opened.flash.method == "arduino":
        output.text("`edgekit export` makes a library of the same files")
        _next.say(output, "export", loaded.path, "--format", "arduino", *_next.repeated(*_next.CONTRACT))
    else:
        _next.say(output, "build", folder, *_next.board())
    output.result(
        {
            "board": opened.id,
            "folder": str(folder),
            "steps": len(made.steps),
            "arena_bytes": made.arena_bytes,
            "weight_bytes": made.weight_bytes,
            "macs": made.macs,
            "model_digest": made.model_digest,
            "contract_digest": made.contract_digest,
            "debug": firmware.debug,
            "camera": firmware.camera,
            "external_memory": list(external),
            "runtime": opened.build.runtime.value,
            "protocol": firmware.protocol.name,
            "tflm": made.report or None,
        }
    )


def _show(output: Output, made: "GeneratedModel", folder: Path) -> None:
    from edgekit.cli._inspection import render_tflm

    if made.report:
        output.text(f"{folder}: TensorFlow Lite Micro")
        render_tflm(output, made.report)
    else:
        output.text(
            f"{folder}: {len(made.steps)} steps, arena {made.arena_bytes:,} B, "
            f"weights {made.weight_bytes:,} B, {made.macs:,} MACs"
        )
