"""`edgekit demo`: the whole line on handwritten digits, on the host board."""

from pathlib import Path
from typing import TYPE_CHECKING

import click

from edgekit.cli import _next, _options
from edgekit.cli._app import command as make_command
from edgekit.cli._output import SCHEMA, Output

if TYPE_CHECKING:
    from edgekit.data import Dataset

_SHOWN_S = 3.5
"""How long the live view lasts."""


@make_command(short_help="Run the whole line on handwritten digits, on the host board.")
@click.option("-o", "--output", "target", type=_options.PATH, default=Path("build/demo"), show_default=True)
@click.option(
    "--count",
    type=click.IntRange(min=1),
    metavar="N",
    default=200,
    show_default=True,
    help="Frames to stream.",
)
def command(output: Output, target: Path, count: int) -> None:
    """Quantise a small classifier of handwritten digits, generate and build its firmware, and stream
    held-out digits through the serial protocol.

    \b
    Example: edgekit demo
    """
    from edgekit import board as boards
    from edgekit import connection, flash, models, pipeline
    from edgekit.cli import _live
    from edgekit.cli._views import edgekit as view
    from edgekit.data import digits
    from edgekit.firmware import build
    from edgekit.live.run import run
    from edgekit.live.source import stream_of

    board = boards.load("host")
    output.talk("1/5 data: scikit-learn's handwritten digits, 8x8 shown at 32x32")
    data = digits.load()
    held_out = data.subset(data.held_out, "held-out digits")
    output.talk("2/5 quantise: examples/digits/digits.onnx to int8, with calibration images")
    path = target / "digits.tflite"
    _quantize(output, data.subset(data.calibration, "calibration digits"), held_out, path)
    output.talk("3/5 generate and build the firmware")
    model = models.load_model(path)
    made = pipeline.generate_project(model, board, target / "firmware")
    with output.status("building"):  # the first time with ziglang, about a minute
        image = build.build(target / "firmware", board)
    output.text(
        f"  {len(made.steps)} steps, arena {made.arena_bytes:,} B, weights {made.weight_bytes:,} B; "
        f"image {image.size_bytes:,} B by {image.compiler}"
    )
    output.talk("4/5 flash: the host board runs it as a process that speaks the serial protocol")
    flash.flash(image, board)
    output.talk(f"5/5 monitor: {min(count, len(held_out))} held-out frames over the serial line")
    stream = stream_of(held_out, model.contract, count)
    # On a terminal slow enough to be seen: the host board answers thousands of frames a second.
    fps = (stream.total or 1) / _SHOWN_S if output.interactive else None
    with connection.open_device(board, model=model) as device:
        events = run(device, model.contract, stream, fps=fps)
        _live.follow(output, events, view, board=board.id, confusion=True)
    output.talk(
        f"\nWhat was made lies in {target}. Next:\n"
        f"  {_next.command('inspect', path)}\n"
        f"  {_next.command('prove', '--board', 'host', '--model', path, '--random', '100')}\n"
        "  edgekit init  # for a model of yours"
    )


def _quantize(output: Output, calibration: "Dataset", held_out: "Dataset", path: Path) -> None:
    from edgekit import resources
    from edgekit.cli import _quantize_report
    from edgekit.data import digits
    from edgekit.quantization import quantize

    with output.status("quantising") as progress:
        report = quantize(
            resources.examples() / "digits" / "digits.onnx",
            calibration,
            path,
            labels=digits.LABELS,
            mean=(0.5,),
            std=(0.5,),
            color="gray",
            evaluation=held_out,
            progress=progress,
        )
    _quantize_report.render(output, report)
    output.event({"schema": SCHEMA, "type": "quantize", **_quantize_report.fields(report)})
