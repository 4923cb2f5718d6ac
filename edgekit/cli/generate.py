"""`edgekit generate`: an int8 .tflite becomes C, and a firmware project for a board."""

from pathlib import Path
from typing import Any

import click

from edgekit.cli import _mlperf, _options
from edgekit.cli._app import command as make_command
from edgekit.cli._output import Output


@make_command(short_help="Turn an int8 .tflite into a firmware project for a board.")
@_options.board
@click.option("-o", "--output", "target", type=_options.PATH, help="Folder.  [default: build/<board>]")
@click.option("--debug", is_flag=True, help="Let the firmware record every step, for `prove`.")
@_options.camera
@_options.runtime
@_options.kernels
@_options.protocol
@_options.mlperf_model
@_options.mlperf_vendor
@_options.contract
@click.argument("model", envvar="EDGEKIT_MODEL", type=_options.PATH, required=False)
def command(
    output: Output,
    board: str,
    target: Path | None,
    debug: bool,
    camera: bool,
    runtime: str | None,
    kernels: str | None,
    protocol: str,
    mlperf_model: str | None,
    mlperf_vendor: str,
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
    from edgekit.cli._inspection import render_tflm
    from edgekit.codegen import budget

    opened = boards.choose(_options.load_board(board), runtime=runtime, kernels=kernels)
    flags = pipeline.ContractFlags(**stated)
    loaded = pipeline.load_model(_options.require(model, "model", "MODEL"), flags)
    _options.warn_if_implied(output, loaded, flags)
    folder = _options.firmware_folder(target, opened.id)
    mlperf = _mlperf.identity(protocol, loaded, mlperf_model, mlperf_vendor)
    made = pipeline.generate_project(loaded, opened, folder, debug=debug, mlperf=mlperf, camera=camera)
    external = budget.estimate(made, opened, camera=camera).moved
    report = made.report or None
    if report is not None:
        output.text(f"{folder}: TensorFlow Lite Micro")
        render_tflm(output, report)
    else:
        output.text(
            f"{folder}: {len(made.steps)} steps, arena {made.arena_bytes:,} B, "
            f"weights {made.weight_bytes:,} B, {made.macs:,} MACs"
        )
    if external:
        output.text(
            f"in the board's external memory, as the internal one is too small: {', '.join(external)}"
        )
    if opened.flash.method == "arduino":
        output.text("next: edgekit export MODEL --format arduino, which makes a library of the same files")
    else:
        named = "" if board == "host" else f" --board {_options.named_board()}"
        output.text(f"next: edgekit build {folder}{named}")
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
            "debug": debug,
            "camera": camera,
            "external_memory": list(external),
            "runtime": opened.build.runtime.value,
            "protocol": protocol,
            "tflm": report,
        }
    )
