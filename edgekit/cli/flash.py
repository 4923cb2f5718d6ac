"""`edgekit flash`: put the firmware on a board and check that it answers."""

from collections.abc import Collection
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from edgekit.cli import _flash_file, _greeting, _options, _uf2_file
from edgekit.cli._app import command as make_command
from edgekit.cli._output import Output

if TYPE_CHECKING:
    from edgekit.models import Model

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
@_options.debug
@_options.protocol
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
    runtime: str | None,
    kernels: str | None,
    sdk_dir: Path | None,
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
        pipeline.generate_project(loaded, opened, folder, _options.firmware(stated))
    with output.status("building"):
        if no_build:
            image = build.load_image(folder, opened)
        else:
            image = build.build(folder, opened, compiler=compiler, sdk_dir=_options.sdk_for(opened, sdk_dir))
    _greeting.check(image)
    if uf2_only is not None:
        _uf2_file.write_firmware(output, opened, uf2_only, image)
        return
    with output.progress(f"flashing {opened.id}") as progress:
        part = "model" if model_only else None
        flash.flash(image, opened, port, _flash_file.fractions(progress), part, on_note=output.talk)
    flashed = _greeting.Flashed(opened, flash.serial_port(opened, port), timeout_s, loaded)
    _greeting.greet(output, flashed, image)


def _refuse(why: str, parameters: Collection[str], instead: str = "") -> None:
    """Raise UsageError if one of the parameters, which would do nothing, stands on the command line."""
    from edgekit.errors import UsageError

    typed = _flash_file.typed()
    given = ", ".join(flag for parameter, flag in typed.items() if parameter in parameters)
    if given:
        raise UsageError(f"{why}: {given} would change nothing", f"leave out {given}{instead}")


def _loaded(output: Output, model: Path | None, folder: Path, stated: dict[str, Any]) -> "Model | None":
    """Return the model that the firmware is made of, None where a project is built as it stands."""
    # The model of edgekit.toml may not be made yet; one that the user names must be there.
    if model is not None and (_options.is_named("model") or model.exists() or not folder.is_dir()):
        return _options.load_model(output, model, stated)
    _refuse(f"without a model '{folder}' is built as it stands", (*_GENERATED, *stated), ", or give --model")
    return None
