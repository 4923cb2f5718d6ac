"""`edgekit prove`: the same frames through the oracle and the device, every row compared."""

from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from edgekit.cli import _options
from edgekit.cli._app import command as make_command
from edgekit.cli._output import Output

if TYPE_CHECKING:
    from edgekit.answers import Frames
    from edgekit.models import Model
    from edgekit.proof import Certificate


@make_command(short_help="Prove that a board computes, bit for bit, what the oracle computes.")
@_options.board
@_options.port
@_options.model
@click.option("--data", type=_options.PATH, help="Images to prove on.")
@click.option(
    "--random", "random_count", type=click.IntRange(min=1), metavar="N", help="Prove on N random frames."
)
@click.option("--count", type=click.IntRange(min=1), metavar="N", help="At most N of the images.")
@click.option(
    "--seed",
    type=click.IntRange(min=0),
    metavar="N",
    default=0,
    show_default=True,
    help="Of the random frames.",
)
@click.option("-o", "--output", "target", type=_options.PATH, help="Write the certificate here too.")
@_options.contract
@_options.via
@_options.timeout
def command(
    output: Output,
    board: str,
    port: str | None,
    model: Path | None,
    data: Path | None,
    random_count: int | None,
    count: int | None,
    seed: int,
    target: Path | None,
    via: str,
    timeout_s: float,
    **stated: Any,
) -> None:
    """Compare a board with the reference kernels on the same frames: LiteRT's, or, where its firmware says
    that its runtime is tflm, tflite-micro's.

    Prints a certificate, or fails (exit 12) naming the first differing frame and, where a debug build
    can be asked, the first differing step. A frame that the reference has no answer for fails too (exit 7),
    naming its operator.

    \b
    Example: edgekit prove --board host --model model.tflite --random 200
    """
    from edgekit import connection, models, proof
    from edgekit.errors import UsageError
    from edgekit.files import check_writable
    from edgekit.live.runner import runner

    if data is None and random_count is None:
        raise UsageError("no frames were named", "pass --data DATA or --random N")
    if data is not None and random_count is not None:
        raise UsageError("--data and --random were both given", "prove on one of them at a time")
    if data is None and count is not None:
        raise UsageError("--count limits the images of --data", "say how many with --random N alone")
    if target is not None:
        check_writable(target)
    opened = _options.load_board(board)
    flags = models.ContractFlags(**stated)
    loaded = models.load_model(_options.require(model), flags)
    _options.warn_if_implied(output, loaded, flags)
    frames = _frames(loaded, data, count, random_count, seed)
    with output.status("building"):
        way = runner(opened, loaded, port=port, via=via, timeout_s=timeout_s, on_note=_options.noted(output))
    with way.open() as device, output.progress(f"proving {len(frames)} frames") as progress:
        certificate = proof.prove(
            device,
            loaded,
            frames,
            traced=lambda frame: connection.trace(opened, loaded, frame, device=device, port=port),
            runner=replace(way, device=device),
            progress=progress,
        )
    # Of a board on a port nobody here knows who compiled its firmware.
    _show(output, certificate, "unknown" if way.image is None else way.image.compiler, target)


def _frames(
    model: "Model", data: Path | None, count: int | None, random_count: int | None, seed: int
) -> "Frames":
    from edgekit import proof
    from edgekit.live.source import load_frames

    if data is not None:
        return load_frames(data, model.contract, count)
    return proof.random_frames(model.contract, random_count or 1, seed)


def _show(output: Output, certificate: "Certificate", compiler: str, target: Path | None) -> None:
    """Print a certificate, and write it to `target` if there is one."""
    import json
    from dataclasses import asdict

    from edgekit.files import write_whole

    fields = asdict(certificate) | {"compiler": compiler}
    if target is not None:
        text = json.dumps({"schema": 1, "type": "certificate", **fields}, indent=2, sort_keys=True)
        write_whole(target, f"{text}\n".encode())
    output.text(
        f"proven: {certificate.rows_equal} of {certificate.frames} rows on '{certificate.board}' equal "
        f"{certificate.oracle}"
    )
    for key, value in fields.items():
        if key != "notes":
            output.text(f"  {key:16} {value}")
    for note in certificate.notes:
        output.warn(note)
    output.result({"certificate": fields})
