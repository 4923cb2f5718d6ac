"""`edgekit monitor`: stream frames to a board and watch its predictions."""

from importlib import import_module
from pathlib import Path
from typing import Any

import click

from edgekit.cli import _live, _options
from edgekit.cli._app import command as make_command
from edgekit.cli._output import Output


@make_command(short_help="Stream frames to a board and watch its predictions live.")
@_options.board
@_options.port
@_options.model
@click.option(
    "--source",
    metavar="DATA|camera:N|board",
    help="Images, labelled or not, a camera of this computer, or the board's own.",
)
@click.option("--count", type=click.IntRange(min=1), metavar="N", help="Stop after N frames.")
@click.option(
    "--fps",
    type=_options.Real(min=0.001),
    metavar="N",
    help="At most N frames a second, one at a time.",
)
@click.option(
    "--frame-every",
    type=click.IntRange(min=0),
    metavar="N",
    help="With --source board: fetch each Nth frame, too; --json gives it as base64."
    "  [default: 1 where they are drawn, else 0: none]",
)
@click.option("--confusion", is_flag=True, help="Print the confusion table at the end.")
@_options.watched_protocol
@click.option(
    "--performance",
    "iterations",
    type=click.IntRange(min=1),
    metavar="N",
    help="With mlperf_tiny: time N runs of each of 5 frames, and give the median.",
)
@click.option(
    "--picture",
    metavar="FILE|FOLDER/",
    help="With sscma: save what the camera sees, as one file that is replaced or a folder that is filled.",
)
@click.option(
    "--threshold",
    type=click.IntRange(1, 100),
    metavar="N",
    help="With sscma: show results with scores above N percent. The board keeps it.",
)
@_options.contract
@_options.timeout
def command(
    output: Output, board: str, protocol: str, model: Path | None, confusion: bool, **given: Any
) -> None:
    """Stream frames to a board; show for each the label, the scores, invoke time and link time.

    At the end: accuracy if the frames are labelled, invoke and link percentiles, frames per second and
    retransmissions. Ctrl-C ends a run early and shows the same. With --json one line each: hello,
    prediction, ..., summary.

    With --protocol mlperf_tiny it drives any MLPerf Tiny firmware: labels from --model, else numbers.

    With --protocol sscma it watches a XIAO ESP32S3 or Grove Vision AI V2 with Seeed's own firmware, which
    takes frames from its own camera only: no --source.

    \b
    Examples: edgekit monitor --board host --source test/
              edgekit monitor --board host --source camera:0
              edgekit monitor --board xiao_esp32s3 --protocol sscma --picture now.jpg
              edgekit monitor --board xiao_esp32s3_sense --source board
    """
    from dataclasses import fields

    from edgekit.errors import UsageError
    from edgekit.live.asked import Asked
    from edgekit.models import ContractFlags

    view, live = (import_module(f"edgekit.{place}.{protocol}") for place in ("cli._views", "live.protocols"))
    for parameter, (why, hint) in view.REFUSED.items():
        if _options.is_named(parameter):
            raise UsageError(why, hint)
    flags = ContractFlags(**{field.name: given.pop(field.name) for field in fields(ContractFlags)})
    asked = Asked(_options.load_board(board), on_note=_options.noted(output), **given)
    asked = view.prepare(output, asked, model, flags)
    _live.follow(output, live.run(asked), view, board=asked.board.id, confusion=confusion)
