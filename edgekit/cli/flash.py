"""`edgekit flash`: put the firmware on a board and check that it answers."""

from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from edgekit.cli import _mlperf, _options
from edgekit.cli._app import command as make_command
from edgekit.cli._output import Output

if TYPE_CHECKING:
    from edgekit.board import Board


@make_command(short_help="Generate, build and put the firmware on a board; check its answer.")
@_options.board
@_options.port
@_options.model
@click.option("--no-build", is_flag=True, help="Flash the image that is there, as it is.")
@click.option(
    "--model-only", is_flag=True, help="Write the .tflite alone to where stock firmware looks for it."
)
@click.option(
    "--slot", type=click.IntRange(min=1), help="With --model-only: which place, if there are several."
)
@_options.camera
@_options.runtime
@_options.kernels
@_options.sdk
@click.option("--debug", is_flag=True, help="Let the firmware record every step, for `prove`.")
@_options.protocol
@_options.mlperf_model
@_options.mlperf_vendor
@click.option("--compiler", help="The C compiler to use.  [default: as the board file says]")
@_options.contract
@_options.timeout
@click.argument("folder", type=_options.PATH, required=False)
def command(
    output: Output,
    board: str,
    port: str | None,
    model: Path | None,
    no_build: bool,
    model_only: bool,
    slot: int | None,
    camera: bool,
    runtime: str | None,
    kernels: str | None,
    sdk_dir: Path | None,
    debug: bool,
    protocol: str,
    mlperf_model: str | None,
    mlperf_vendor: str,
    compiler: str | None,
    timeout_s: float,
    folder: Path | None,
    **stated: Any,
) -> None:
    """Flash a board and check that it answers.

    With a model (--model or edgekit.toml) the firmware in FOLDER is generated and built first, which costs
    nothing when nothing changed; without one, the project in FOLDER is built and flashed as it stands.

    \b
    Example: edgekit flash --board host --model model.tflite
    """
    from dataclasses import asdict

    from edgekit import board as boards
    from edgekit import emulator, flash, pipeline
    from edgekit.errors import UsageError
    from edgekit.firmware import build

    opened = boards.choose(boards.load(board), runtime=runtime, kernels=kernels)
    if model_only:
        _model_only(output, opened, _options.require(model), port, slot)
        return
    if slot is not None:
        raise UsageError("--slot is for --model-only")
    if opened.emulator is not None:
        emulator.check_runnable(opened)
    folder = _options.firmware_folder(folder, opened.id)
    if no_build and (debug or compiler or camera):
        raise UsageError("--no-build takes the image as it is", "leave out --debug, --camera and --compiler")
    loaded = None
    # The model of edgekit.toml may not be made yet; one that the user names must be there.
    if model is not None and (_options.is_named("model") or model.exists() or not folder.is_dir()):
        flags = pipeline.ContractFlags(**stated)
        loaded = pipeline.load_model(model, flags)
        _options.warn_if_implied(output, loaded, flags)
    elif debug or camera or any(map(_options.is_named, stated)):
        raise UsageError(
            f"without a model '{folder}' is built as it stands", "give --model with --debug and other choices"
        )
    if loaded is not None and not no_build:
        mlperf = _mlperf.identity(protocol, loaded, mlperf_model, mlperf_vendor)
        pipeline.generate_project(loaded, opened, folder, debug=debug, mlperf=mlperf, camera=camera)
    with output.status("building"):
        if no_build:
            image = build.load_image(folder)
        else:
            image = build.build(folder, opened, compiler=compiler, sdk_dir=sdk_dir)
    with output.progress(f"flashing {opened.id}") as progress:
        flash.flash(image, opened, port, lambda done, whole: progress(done / max(whole, 1)))
    if image.protocol == _mlperf.MLPERF_TINY:
        _mlperf.greet(output, opened, image, port=port, timeout_s=timeout_s)
        return
    with pipeline.open_device(
        opened, port=port, model=loaded, timeout_s=timeout_s, on_note=_options.noted(output)
    ) as device:
        hello = device.hello
    # What answers must be what was flashed, also where no model was given to compare it with.
    hello.check({"model_digest": image.model_digest, "contract_digest": image.contract_digest})
    output.text(
        f"{opened.id} runs edgekit firmware {hello.firmware} ({hello.runtime}), "
        f"arena {hello.arena_bytes:,} B, model {hello.model_digest[:12]}\n"
        f"next: edgekit monitor --board {board}"
    )
    output.result(
        {"board": opened.id, "compiler": image.compiler, "image": str(image.path), "hello": asdict(hello)}
    )


def _model_only(output: Output, board: "Board", model: Path, port: str | None, slot: int | None) -> None:
    """Write a checked int8 model to the board, without firmware."""
    from edgekit import flash, pipeline

    loaded = pipeline.load_model(model)
    with output.progress(f"writing the model to {board.id}") as progress:
        flash.flash_model(loaded.data, board, port, lambda done, whole: progress(done / max(whole, 1)), slot)
    output.text(
        f"'{model}' ({len(loaded.data):,} B) is on {board.id}\n"
        f"next: edgekit monitor --board {board.id} --protocol sscma"
    )
    output.result({"board": board.id, "model": str(model), "bytes": len(loaded.data), "slot": slot})
