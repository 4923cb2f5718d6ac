"""How `monitor` shows a board that speaks edgekit's own protocol."""

import math
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from edgekit.cli import _live, _options
from edgekit.cli._output import Output

if TYPE_CHECKING:
    from rich.console import RenderableType

    from edgekit.live.asked import Asked
    from edgekit.live.events import Frame, Hello, Prediction
    from edgekit.live.tally import Summary
    from edgekit.models import ContractFlags

REFUSED: Mapping[str, tuple[str, str]] = {
    "picture": ("--picture needs --protocol sscma", ""),
    "threshold": ("--threshold needs --protocol sscma", ""),
    "iterations": ("--performance needs --protocol mlperf_tiny", ""),
}
"""Options that mean nothing with this protocol: what is said, and what to do."""

# Picture, label, bar and score fit into 80 columns, and all of it into 24 lines.
_BEST_ON_A_LINE = 3
_BAR = 20
_THUMBNAIL = 32
_REDRAW_S = 1 / 12


def prepare(output: Output, asked: "Asked", model: Path | None, flags: "ContractFlags") -> "Asked":
    """Return what is asked with the model that it needs."""
    from edgekit import models

    _options.check_source(asked.source, asked.frame_every)
    loaded = models.load_model(_options.require(model), flags)
    _options.warn_if_implied(output, loaded, flags)
    every = asked.frame_every
    if every is None:
        every = 1 if output.interactive else 0
    return replace(asked, model=loaded, frame_every=every)


def hello(output: Output, event: "Hello") -> None:
    """Say nothing: the predictions speak for the board."""


@contextmanager
def predictions(output: Output, hello: "Hello") -> Iterator[Callable[["Prediction"], None]]:
    """Draw predictions on a terminal; print a line for each elsewhere."""
    if not output.interactive:
        yield lambda event: output.text(_line(event, hello))
        return
    from rich.live import Live

    last: Prediction | None = None
    drawn = 0.0
    with Live(console=output.console(), auto_refresh=False) as live:

        def draw() -> None:
            nonlocal drawn
            if last is not None:
                live.update(picture(last, hello), refresh=True)
                drawn = time.monotonic()

        # Drawing takes as long as many frames of a fast board, and would count as time of the link.
        def show(event: "Prediction") -> None:
            nonlocal last
            # A frame that did not come leaves the one before it on the screen.
            kept = event.frame if last is None or event.frame is not None else last.frame
            last = replace(event, frame=kept)
            if time.monotonic() - drawn >= _REDRAW_S:
                draw()

        yield show
        draw()


def _real(prediction: "Prediction", hello: "Hello") -> list[float]:
    zero, scale = hello.contract.output_zero_point, hello.contract.output_scale
    return [(score - zero) * scale for score in prediction.scores]


def _line(prediction: "Prediction", hello: "Hello") -> str:
    scores, labels = _real(prediction, hello), hello.contract.labels
    best = sorted(range(len(scores)), key=lambda i: (i != prediction.index, -scores[i]))[:_BEST_ON_A_LINE]
    shown = ", ".join(f"{labels[i]} {scores[i]:.3f}" for i in best)
    return (
        f"[{prediction.n:5}] {shown:32}{_live.verdict(prediction):10}  "
        f"invoke {_live.duration(prediction.invoke, hello.unit)}  link {prediction.link_ms:.2f} ms"
    )


def picture(prediction: "Prediction", hello: "Hello") -> "RenderableType":
    """Draw a frame, its best classes, and what the run has come to."""
    from rich.console import Group
    from rich.table import Table
    from rich.text import Text

    words = Table.grid(padding=(0, 1))
    scores, labels = _real(prediction, hello), hello.contract.labels
    best = sorted(range(len(scores)), key=lambda i: -scores[i])[:5]
    top = max(scores[best[0]], 1e-9)
    for index in best:
        style = "white"
        if index == best[0]:
            style = "bold red" if prediction.right is False else "bold green"
        filled = "█" * max(0, round(_BAR * scores[index] / top))
        words.add_row(
            Text(labels[index][:16], style), Text(filled.ljust(_BAR), style), f"{scores[index]:.3f}"
        )
    facts = Table.grid(padding=(0, 1))
    facts.add_row("frame", f"{prediction.n}" + ("" if hello.total is None else f" / {hello.total}"))
    facts.add_row("truth", Text(prediction.truth or "-"))
    if prediction.accuracy is not None:
        facts.add_row("accuracy", f"{prediction.accuracy * 100:.2f} %")
    facts.add_row("invoke", _live.duration(prediction.invoke, hello.unit))
    facts.add_row("link", f"{prediction.link_ms:.2f} ms")
    facts.add_row("speed", f"{prediction.frames_per_second:.1f} frames/s")
    whole = Table.grid(padding=(0, 3))
    preprocess = hello.contract.preprocess
    bgr = preprocess is not None and preprocess.color == "bgr"
    whole.add_row(_thumbnail(prediction.frame, bgr), Group(words, "", facts))
    return whole


def _thumbnail(frame: "Frame | None", bgr: bool) -> "RenderableType":
    """Draw a uint8 [H, W, C] frame with half blocks: two pixels a character."""
    import numpy as np
    from rich.text import Text

    if frame is None:
        return Text("no frame yet")
    if frame.ndim != 3 or frame.dtype != np.uint8:
        return Text(f"tensor {list(frame.shape)}")
    step = math.ceil(max(frame.shape[:2]) / _THUMBNAIL)
    small = frame[::step, ::step, ::-1] if bgr else frame[::step, ::step]
    small = np.repeat(small, 3, axis=2)[..., :3] if frame.shape[2] == 1 else small
    text = Text()
    for row in range(0, small.shape[0] - 1, 2):
        for upper, lower in zip(small[row].tolist(), small[row + 1].tolist(), strict=True):
            text.append("▀", f"rgb({','.join(map(str, upper))}) on rgb({','.join(map(str, lower))})")
        text.append("\n")
    return text


def summary(output: Output, event: "Summary", confusion: bool) -> None:
    """Print the numbers that end a run."""
    from edgekit.live.events import spread

    tally, line = event.tally, event.statistics
    if confusion:
        _live.print_confusion(output, event)
    if line is None or tally.n == 0:
        output.text("no frames were sent")
        return
    _live.print_accuracy(output, event)
    # Link times are real time on every board; invoke times are in the device's own unit.
    rows = (
        ("invoke", tally.invoke, tally.unit),
        ("link", [1e3 * ms for ms in tally.link_ms], "microseconds"),
    )
    width = max(12, len(_live.duration(max(tally.invoke), tally.unit)))
    output.text(f"\n{'':10} " + " ".join(f"{name:>{width}}" for name in ("min", "p50", "p95", "max")))
    for name, values, unit in rows:
        cells = (_live.duration(value, unit) for value in spread(values).values())
        output.text(f"{name:10} " + " ".join(f"{cell:>{width}}" for cell in cells))
    waited = f", {tally.paused:.1f} s of pauses left out" if tally.paused else ""
    output.text(
        f"\n{tally.n} frames in {tally.seconds:.2f} s{waited}: {tally.frames_per_second:.1f} frames/s, "
        f"{line.retransmissions} retransmission(s), {line.resets} reset(s), "
        f"{line.reconnections} reconnection(s)"
    )
