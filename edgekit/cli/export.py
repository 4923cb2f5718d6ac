"""`edgekit export`: an int8 .tflite becomes a library for another build system."""

from pathlib import Path
from typing import Any

import click

from edgekit.cli import _options
from edgekit.cli._app import command as make_command
from edgekit.cli._output import Output


@make_command(short_help="Turn an int8 .tflite into a library, for Arduino.")
@click.option(
    "--format",
    "kind",
    type=click.Choice(["arduino"]),
    default="arduino",
    show_default=True,
    help="arduino: a library for the Arduino IDE and arduino-cli, as a .zip.",
)
@click.option("-o", "--output", "target", type=_options.PATH, help="File.  [default: <name>.zip]")
@click.option(
    "--name", default="EdgekitModel", show_default=True, help="The library's name, and its header's."
)
@_options.contract
@click.argument("model", envvar="EDGEKIT_MODEL", type=_options.PATH, required=False)
def command(
    output: Output, kind: str, target: Path | None, name: str, model: Path | None, **stated: Any
) -> None:
    """Write the model as C, the kernels it uses, the serial application and two example sketches.

    The library builds for any core of 32 bits. Its example SerialClassifier answers
    `edgekit monitor --board arduino --port PORT`; ClassifyOne needs no computer.

    \b
    Example: edgekit export model.tflite --format arduino --name Digits -o Digits.zip
    """
    from edgekit import export

    loaded = _options.load_model(output, _options.require(model, "model", "MODEL"), stated)
    path = target or Path(f"{name}.zip")
    made, files = export.export_arduino(loaded, path, name=name)
    output.text(
        f"{path}: {len(files)} files, {len(made.steps)} steps, arena {made.arena_bytes:,} B, "
        f"weights {made.weight_bytes:,} B, {made.macs:,} MACs\n"
        "next: in the Arduino IDE, Sketch > Include Library > Add .ZIP Library"
    )
    output.result(
        {
            "format": kind,
            "file": str(path),
            "name": name,
            "files": list(files),
            "steps": len(made.steps),
            "arena_bytes": made.arena_bytes,
            "weight_bytes": made.weight_bytes,
            "macs": made.macs,
            "model_digest": made.model_digest,
            "contract_digest": made.contract_digest,
        }
    )
