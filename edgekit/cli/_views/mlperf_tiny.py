"""How `monitor` shows a board that speaks MLPerf Tiny's protocol."""

from collections.abc import Callable, Mapping
from contextlib import AbstractContextManager, nullcontext
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from edgekit.cli import _live, _options
from edgekit.cli._output import Output

if TYPE_CHECKING:
    from edgekit.live.asked import Asked
    from edgekit.live.events import Hello, Prediction
    from edgekit.live.protocols.mlperf_tiny import Performance
    from edgekit.live.tally import Summary
    from edgekit.models import ContractFlags

_ALONE = "is for the protocol 'edgekit': MLPerf Tiny's"
REFUSED: Mapping[str, tuple[str, str]] = {
    "picture": ("--picture needs --protocol sscma", ""),
    "threshold": ("--threshold needs --protocol sscma", ""),
    "fps": (f"--fps {_ALONE} sends one frame at a time", ""),
}


def prepare(output: Output, asked: "Asked", model: Path | None, flags: "ContractFlags") -> "Asked":
    """Return what is asked, with the model if there is one."""
    from edgekit import models
    from edgekit.errors import UsageError

    if _options.check_source(asked.source, asked.frame_every):
        raise UsageError(f"--source board {_ALONE} knows no camera")
    if model is None:
        return asked
    loaded = models.load_model(model, flags)
    _options.warn_if_implied(output, loaded, flags)
    return replace(asked, model=loaded)


def hello(output: Output, event: "Hello") -> None:
    """Say under --verbose what answers."""
    output.detail("{vendor}, {model}, {firmware}".format_map(event.said))


def predictions(output: Output, hello: "Hello") -> AbstractContextManager[Callable[["Prediction"], None]]:
    """Print a line for each prediction."""

    def line(event: "Prediction") -> str:
        return (
            f"[{event.n:5}] {event.label:16} {event.scores[event.index]:7.3f}{_live.verdict(event):14}  "
            f"invoke {_live.duration(event.invoke, hello.unit)}  link {event.link_ms:.2f} ms"
        )

    return nullcontext(lambda event: output.text(line(event)))


def summary(output: Output, event: "Summary | Performance", confusion: bool) -> None:
    """Print the numbers that end a run."""
    from edgekit.live.events import spread
    from edgekit.live.tally import Summary

    if not isinstance(event, Summary):
        _performance(output, event)
        return
    if confusion:
        _live.print_confusion(output, event)
    _live.print_accuracy(output, event)
    tally = event.tally
    if tally.n:
        said = _live.duration(spread(tally.invoke)["p50"], tally.unit)
        output.text(f"{tally.n} frames: invoke p50 {said}, link p50 {spread(tally.link_ms)['p50']:.3f} ms")


def _performance(output: Output, event: "Performance") -> None:
    for number, ticks in enumerate(event.invoke_per_file):
        output.text(f"[{number + 1:5}] {event.iterations} runs, each {_live.duration(ticks, event.unit)}")
    rate = event.inferences_per_second_median
    said = "" if rate is None else f", {rate:.2f} inferences/s"
    output.text(f"\nmedian     {_live.duration(event.invoke_median, event.unit)}{said}")
