"""`edgekit monitor`: stream frames to a board and watch its predictions."""

from pathlib import Path
from typing import Any

import click

from edgekit.cli import _mlperf, _options, _sscma, _sscma_view
from edgekit.cli._app import command as make_command
from edgekit.cli._output import SCHEMA, Output

BOARD = "board"
"""The source that is the board's own camera."""


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
    output: Output,
    board: str,
    port: str | None,
    model: Path | None,
    source: str | None,
    count: int | None,
    fps: float | None,
    frame_every: int | None,
    confusion: bool,
    protocol: str,
    iterations: int | None,
    picture: str | None,
    threshold: int | None,
    timeout_s: float,
    **stated: Any,
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
    from dataclasses import asdict

    from edgekit import connection, models, pipeline
    from edgekit.cli import _live
    from edgekit.errors import UsageError

    _sscma.check_options(protocol)
    opened = _options.load_board(board)
    flags = models.ContractFlags(**stated)
    if protocol == _sscma_view.SSCMA:
        _sscma.monitor(
            output,
            opened,
            port=port,
            model=model,
            flags=flags,
            count=count,
            picture=picture,
            threshold=threshold,
            timeout_s=timeout_s,
        )
        return
    own = _is_own(source, protocol, frame_every, fps, confusion)
    assert source is not None
    if protocol == _mlperf.MLPERF_TINY:
        _mlperf.monitor(
            output,
            opened,
            port=port,
            model=model,
            flags=flags,
            source=source,
            count=count,
            iterations=iterations,
            confusion=confusion,
            timeout_s=timeout_s,
        )
        return
    if iterations is not None:
        raise UsageError("--performance needs --protocol mlperf_tiny")
    loaded = models.load_model(_options.require(model), flags)
    _options.warn_if_implied(output, loaded, flags)
    stream = None if own else pipeline.open_source(source, loaded.contract, count)
    with connection.open_device(
        opened, port=port, model=loaded, timeout_s=timeout_s, on_note=_options.noted(output)
    ) as device:
        output.event({"schema": SCHEMA, "type": "hello", **asdict(device.hello)})
        agreed = loaded.contract
        if stream is None:
            tally = _live.watch(output, device, agreed, total=count, every=frame_every)
        else:
            tally = _live.stream(
                output, device, agreed, stream.frames, stream.labels, total=stream.total, fps=fps
            )
        output.event(_live.summary(tally, device) | {"board": opened.id, "warnings": output.warnings})
        if confusion:
            _live.print_confusion(output, tally)
        _live.print_summary(output, tally, device)
    if tally.interrupted:
        raise KeyboardInterrupt


def _is_own(
    source: str | None, protocol: str, frame_every: int | None, fps: float | None, confusion: bool
) -> bool:
    """Return whether the frames come from the board's own camera. Raises UsageError for what does not go."""
    from edgekit.errors import UsageError

    if source is None:
        raise UsageError(
            "no frames were named",
            "pass --source DATA (a folder, .npz, MNIST, CIFAR-10), --source camera:0 or --source board, "
            "or set data.source in edgekit.toml",
        )
    own = source == BOARD
    if not own and frame_every is not None:
        raise UsageError("--frame-every needs --source board: frames that are sent are here already")
    if own and (fps is not None or confusion):
        raise UsageError("with --source board, the board sets the pace, and nothing is labelled")
    if protocol == _mlperf.MLPERF_TINY and fps is not None:
        raise UsageError("--fps is for the protocol 'edgekit': MLPerf Tiny's sends one frame at a time")
    if protocol == _mlperf.MLPERF_TINY and own:
        raise UsageError("--source board is for the protocol 'edgekit': MLPerf Tiny's knows no camera")
    return own
