"""`edgekit inspect`: what a model needs, layer by layer, and which boards have it."""

from pathlib import Path

import click

from edgekit.cli import _options
from edgekit.cli._app import command as make_command
from edgekit.cli._output import Output


@make_command(short_help="Show a model's layers, work and memory, against the boards.")
@click.option("--board", "board_ids", multiple=True, metavar="ID|FILE", help="Only against these boards.")
@_options.trust_board
@_options.runtime
@click.option(
    "--plot",
    type=_options.PATH,
    metavar="FILE",
    help="Draw the memory plan into this .svg or .png.",
)
@click.argument("model", envvar="EDGEKIT_MODEL", type=_options.PATH)
def command(
    output: Output, board_ids: tuple[str, ...], runtime: str | None, plot: Path | None, model: Path
) -> None:
    """Show operators, shapes, MACs, weights, memory over time, and the fit on boards.

    With --runtime tflm also the arena that TensorFlow Lite Micro needs and, for a board with an NPU, what
    Vela makes of the model.

    \b
    Example: edgekit inspect model.tflite --board host --plot plan.svg
    """
    from edgekit import board as boards
    from edgekit import inspection
    from edgekit.cli import _plan_drawing
    from edgekit.cli._inspection import render

    if plot is not None:
        _plan_drawing.check(plot)
    opened = [_options.load_board(name) for name in (board_ids or boards.list_ids())]
    if runtime is not None and not board_ids:
        opened = [board for board in opened if runtime in board.build.runtimes]
    opened = [boards.choose(board, runtime=runtime) for board in opened]
    found = inspection.inspect(model, opened)
    render(output, found)
    if plot is not None:
        _plan_drawing.write(found, plot)
        output.say(f"drew the memory plan into {plot}")
    output.result(found.to_dict())
