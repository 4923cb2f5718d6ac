"""`edgekit bench`: instructions, memory and accuracy of a model on a board."""

from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from edgekit.cli import _options
from edgekit.cli._app import command as make_command
from edgekit.cli._output import Output

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from edgekit.models import Model

_RANDOM = 10
_OF_DATA = 100


@make_command(short_help="Count instructions and bytes of a model on a board; compare with earlier figures.")
@_options.board
@_options.port
@click.argument("model", type=_options.PATH, required=False, envvar="EDGEKIT_MODEL")
@click.option("--data", type=_options.PATH, help="Images to run; with labels, their accuracy is shown.")
@click.option(
    "--count",
    type=click.IntRange(min=1),
    help=f"At most this many frames.  [default: {_OF_DATA} of --data, else {_RANDOM} random ones]",
)
@click.option("--seed", type=int, default=0, show_default=True, help="Of the random frames.")
@click.option("--compare", "earlier", type=_options.PATH, help="Print ratios to what --json wrote earlier.")
@click.option(
    "--max-regression",
    type=click.FloatRange(min=0),
    metavar="PERCENT",
    help="With --compare: fail (exit 14) if a figure is worse by more than this.",
)
@click.option("--compiler", help="Compiler command instead of the one that would be found.")
@_options.contract
@_options.timeout
def command(
    output: Output,
    board: str,
    port: str | None,
    model: Path | None,
    data: Path | None,
    count: int | None,
    seed: int,
    earlier: Path | None,
    max_regression: float | None,
    compiler: str | None,
    timeout_s: float,
    **stated: Any,
) -> None:
    """Build the firmware of an int8 .tflite, run frames, and show what it takes.

    On an emulated board: exact instructions per run and operator, the same on every machine for the same
    model, frames, compiler and flags. Instructions are not time: no emulator here knows caches, wait states
    or pipelines. On `host` and on a real board: microseconds, of that machine alone.

    \b
    Examples: edgekit bench --board mps3_an547 model.tflite --json > before.json
              edgekit bench --board mps3_an547 model.tflite --compare before.json --max-regression 1
    """
    from dataclasses import asdict

    from edgekit import models
    from edgekit.bench import compare, measure
    from edgekit.cli import _bench_table
    from edgekit.errors import UsageError

    if max_regression is not None and earlier is None:
        raise UsageError("--max-regression has nothing to compare with", "pass --compare FILE too")
    before = None if earlier is None else compare.load(earlier)
    opened = _options.load_board(board)
    flags = models.ContractFlags(**stated)
    loaded = models.load_model(_options.require(model, flag="MODEL"), flags)
    if data is not None:
        _options.warn_if_implied(output, loaded, flags)
    frames, labels = _frames(loaded, data, count, seed)
    with output.progress(f"{len(frames)} frames on {opened.id}") as progress:
        found = measure.measure(
            loaded,
            opened,
            frames,
            labels,
            port=port,
            compiler=compiler,
            timeout_s=timeout_s,
            progress=progress,
        )
    for note in found.notes:
        output.warn(note)
    for line in _bench_table.lines(found):
        output.text(line)
    changes: tuple[compare.Change, ...] = ()
    if before is not None:
        changes, differing = compare.compare(found, before)
        for words in differing:
            output.warn(words)
        for line in _bench_table.change_lines(changes, str(earlier)):
            output.text(line)
        if max_regression is not None:
            compare.check(changes, max_regression)
    output.result(asdict(found) | {"changes": [asdict(item) | {"ratio": item.ratio} for item in changes]})


def _frames(
    model: "Model", data: Path | None, count: int | None, seed: int
) -> tuple["NDArray[np.uint8] | NDArray[np.int8]", "list[int] | None"]:
    import numpy as np

    from edgekit import proof
    from edgekit.live.source import open_source

    if data is None:
        return proof.random_frames(model.contract, count or _RANDOM, seed), None
    stream = open_source(str(data), model.contract, count or _OF_DATA)
    frames = np.stack(list(stream.frames))
    return frames, None if stream.labels is None else list(stream.labels)
