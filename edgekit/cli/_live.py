"""Shows the events of a live run: as NDJSON, or as a view of the board's protocol draws and prints them."""

from collections.abc import Callable
from contextlib import AbstractContextManager, closing, nullcontext
from typing import TYPE_CHECKING, Any

from edgekit.cli._output import SCHEMA, Output

if TYPE_CHECKING:
    from edgekit.live.events import Event, Events, Prediction
    from edgekit.live.tally import Summary

_CONFUSION_CLASSES = 24


def follow(output: Output, events: "Events", view: Any, *, board: str, confusion: bool = False) -> None:
    """Show a run to its end. Raises KeyboardInterrupt behind the summary of a run that Ctrl-C ended.

    Args:
        output: where to.
        events: the run.
        view: a module of `_views`, with what it says of hello, predictions and summary.
        board: the board's id, for JSON.
        confusion: print the confusion table, too.
    """
    with closing(events):
        hello = next(events)
        output.event({"schema": SCHEMA, **hello.to_dict()})
        view.hello(output, hello)
        with _shown(output, view, hello) as show:
            try:
                while (event := next(events)).type != "summary":
                    show(event)
            except KeyboardInterrupt:
                event = events.throw(KeyboardInterrupt())
        summary: Any = event
        view.summary(output, summary, confusion)
        output.event({"schema": SCHEMA, **summary.to_dict(), "board": board, "warnings": output.warnings})
    if summary.interrupted:
        raise KeyboardInterrupt


def _shown(output: Output, view: Any, hello: "Event") -> AbstractContextManager[Callable[["Event"], None]]:
    if output.json:
        return nullcontext(lambda event: output.event(event.to_dict()))
    if output.verbosity < 0:
        return nullcontext(lambda _: None)
    found: AbstractContextManager[Callable[[Event], None]] = view.predictions(output, hello)
    return found


def verdict(prediction: "Prediction") -> str:
    """Return how an answer stands to its frame's label; empty without one."""
    return "" if prediction.truth is None else f"  ({'right' if prediction.right else prediction.truth})"


def print_accuracy(output: Output, summary: "Summary") -> None:
    """Print the accuracy, if frames were labelled."""
    found = summary.tally.confusion
    if found.accuracy is not None:
        output.text(f"\naccuracy   {found.accuracy * 100:.2f} %  ({found.correct} of {found.labelled})")


def duration(ticks: float, unit: str) -> str:
    """Return ticks with their unit: milliseconds from a real clock, else a count of instructions."""
    return f"{ticks / 1e3:.3f} ms" if unit == "microseconds" else f"{ticks:,.0f} {unit}"


def print_confusion(output: Output, summary: "Summary") -> None:
    """Print the confusion table: a row per truth, a column per prediction."""
    counts, labels = summary.tally.confusion.counts, summary.tally.labels
    classes = sorted({index for pair in counts for index in pair})
    if not classes:
        return
    if len(classes) > _CONFUSION_CLASSES:
        worst = sorted(((n, t, p) for (t, p), n in counts.items() if t != p), reverse=True)[:10]
        output.text("\nmost confused (truth -> prediction):")
        for count, truth, predicted in worst:
            output.text(f"  {labels[truth]} -> {labels[predicted]}: {count}")
        return
    width = max(4, *(len(labels[i][:10]) + 1 for i in classes))
    output.text("\nconfusion (rows: truth, columns: prediction)")
    output.text(" " * 11 + "".join(f"{labels[i][:10]:>{width}}" for i in classes))
    for truth in classes:
        cells = (counts[truth, predicted] for predicted in classes)
        shown = "".join(f"{cell or '.':>{width}}" for cell in cells)
        output.text(f"{labels[truth][:10]:>11}{shown}")
