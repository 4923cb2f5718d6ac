"""`edgekit flash`: put the firmware on a board and check that it answers."""

from collections.abc import Iterable
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from edgekit.cli import _flash_file, _greeting, _mlperf, _options, _uf2_file
from edgekit.cli._app import command as make_command
from edgekit.cli._output import Output

if TYPE_CHECKING:
    from edgekit.board import Board
    from edgekit.firmware.image import FirmwareImage
    from edgekit.pipeline import Model

_GENERATED = ("debug", "camera", "runtime", "kernels", "protocol", "mlperf_model", "mlperf_vendor")
"""Parameters that say how a firmware is generated from a model."""


@make_command(short_help="Generate, build and put the firmware on a board; check its answer.")
@_options.board
@_options.port
@_options.model
@click.option("--no-build", is_flag=True, help="Flash the image that is there, as it is.")
@click.option(
    "--model-only",
    is_flag=True,
    help="Write the .tflite alone to where stock firmware looks; with --no-build, the built image's own.",
)
@click.option(
    "--slot", type=click.IntRange(min=1), help="With --model-only: which place, if there are several."
)
@click.option(
    "--merged", type=_options.PATH, metavar="FILE", help="Write this whole flash, made elsewhere, as it is."
)
@click.option(
    "--header",
    type=click.Choice(["groveai", "sensecapai"]),
    help="With --model-only, UF2: what stands in front of the model.  [default: the board's]",
)
@click.option(
    "--uf2-only",
    type=_options.PATH,
    metavar="FILE",
    help="Write what would be flashed to a .uf2 file, and stop.",
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
    merged: Path | None,
    header: str | None,
    uf2_only: Path | None,
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
    from edgekit import board as boards
    from edgekit import emulator, flash, pipeline
    from edgekit.errors import UsageError
    from edgekit.firmware import build

    opened = boards.choose(_options.load_board(board), runtime=runtime, kernels=kernels)
    port = flash.default_port(opened, port)
    if merged is not None:
        _flash_file.merged(output, opened, merged, port, timeout_s)
        return
    if model_only and not no_build:
        _flash_file.model(output, opened, _options.require(model), port, slot, header, uf2_only)
        return
    if slot is not None or header is not None:
        raise UsageError("--slot and --header are for --model-only without --no-build")
    if uf2_only is not None:
        _uf2_file.check(opened, uf2_only)
    if opened.emulator is not None:
        emulator.check_runnable(opened)
    folder = _options.firmware_folder(folder, opened.id)
    if no_build:
        _refuse("--no-build takes the image as it is", (*_GENERATED, "compiler", "sdk_dir"))
    loaded = _loaded(output, model, folder, stated)
    if loaded is not None and not no_build:
        mlperf = _mlperf.identity(protocol, loaded, mlperf_model, mlperf_vendor)
        pipeline.generate_project(loaded, opened, folder, debug=debug, mlperf=mlperf, camera=camera)
    with output.status("building"):
        if no_build:
            image = build.load_image(folder, opened)
        else:
            image = build.build(folder, opened, compiler=compiler, sdk_dir=_options.sdk_for(opened, sdk_dir))
    if uf2_only is not None:
        from edgekit.flash import uf2

        flash.check_built_for(image, opened)
        _uf2_file.write(output, opened, uf2_only, uf2.firmware_file(image, opened))
        return
    with output.progress(f"flashing {opened.id}") as progress:
        part = "model" if model_only else None
        flash.flash(image, opened, port, _flash_file.fractions(progress), part, on_note=output.talk)
    _greet(output, opened, image, flash.serial_port(opened, port), timeout_s, loaded)


def _refuse(why: str, parameters: Iterable[str], instead: str = "") -> None:
    """Raise UsageError if one of the parameters, which would do nothing, stands on the command line."""
    from edgekit.errors import UsageError

    typed = _flash_file.typed()
    given = ", ".join(typed[parameter] for parameter in parameters if parameter in typed)
    if given:
        raise UsageError(f"{why}: {given} would change nothing", f"leave out {given}{instead}")


def _loaded(output: Output, model: Path | None, folder: Path, stated: dict[str, Any]) -> "Model | None":
    """Return the model that the firmware is made of, None where a project is built as it stands."""
    from edgekit import pipeline

    # The model of edgekit.toml may not be made yet; one that the user names must be there.
    if model is not None and (_options.is_named("model") or model.exists() or not folder.is_dir()):
        flags = pipeline.ContractFlags(**stated)
        loaded = pipeline.load_model(model, flags)
        _options.warn_if_implied(output, loaded, flags)
        return loaded
    _refuse(f"without a model '{folder}' is built as it stands", (*_GENERATED, *stated), ", or give --model")
    return None


def _greet(
    output: Output,
    board: "Board",
    image: "FirmwareImage",
    port: str | None,
    timeout_s: float,
    loaded: "Model | None",
) -> None:
    """Check that what was flashed answers, and say what it is."""
    from dataclasses import asdict

    if image.protocol == _mlperf.MLPERF_TINY:
        greet = partial(_mlperf.greet, output, board, image, port=port, timeout_s=timeout_s)
        _greeting.after_flashing(board, port, greet)
        return
    hello = _greeting.hello(output, board, port, timeout_s, loaded)
    # What answers must be what was flashed, also where no model was given to compare it with.
    hello.check({"model_digest": image.model_digest, "contract_digest": image.contract_digest})
    output.text(
        f"{board.id} runs edgekit firmware {hello.firmware} ({hello.runtime}), "
        f"arena {hello.arena_bytes:,} B, model {hello.model_digest[:12]}\n"
        f"next: edgekit monitor --board {_options.named_board()}"
    )
    output.result(
        {"board": board.id, "compiler": image.compiler, "image": str(image.path), "hello": asdict(hello)}
    )
