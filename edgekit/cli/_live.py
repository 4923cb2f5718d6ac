"""Streams frames through a device and shows the answers: a live view, plain lines, or NDJSON."""

import base64
import math
import time
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field
from itertools import islice
from typing import TYPE_CHECKING, Any, Protocol

from edgekit.cli._output import SCHEMA, Output
from edgekit.percentiles import percentiles

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray
    from rich.console import RenderableType

    from edgekit.contract import Contract
    from edgekit.device.client import Device
    from edgekit.device.prediction import Prediction, Sighting

    Frame = NDArray[np.generic]

# Picture, label, bar and score fit into 80 columns, and all of it into 24 lines.
_BEST_ON_A_LINE = 3
_BAR = 20
_THUMBNAIL = 32
_REDRAW_S = 1 / 12
_CONFUSION_CLASSES = 24


class Answer(Protocol):
    """What a tally counts of a prediction."""

    @property
    def index(self) -> int:
        """The class with the highest score."""

    @property
    def preprocess_ticks(self) -> float:
        """The device's time before the run."""

    @property
    def invoke_ticks(self) -> float:
        """The device's time for the run."""

    @property
    def link_s(self) -> float:
        """The time that the line took, in seconds."""


@dataclass(slots=True)
class Tally:
    """What a run of predictions adds up to. `confusion` counts (truth, prediction) pairs."""

    labels: tuple[str, ...]
    unit: str
    n: int = 0
    labelled: int = 0
    correct: int = 0
    invoke: list[float] = field(default_factory=list)
    preprocess: list[float] = field(default_factory=list)
    link_s: list[float] = field(default_factory=list)
    confusion: dict[tuple[int, int], int] = field(default_factory=dict)
    started: float = field(default_factory=time.monotonic)
    seconds: float = 0.0
    paused: float = 0.0
    """Seconds that were waited on purpose; `seconds` does not hold them."""
    interrupted: bool = False
    """Ctrl-C ended the run: the caller shows what there is and raises KeyboardInterrupt again."""

    def add(self, prediction: Answer, truth: int | None) -> None:
        """Count one answer; `truth` is None for a frame without a label."""
        self.n += 1
        self.invoke.append(prediction.invoke_ticks)
        self.preprocess.append(prediction.preprocess_ticks)
        self.link_s.append(prediction.link_s)
        self.seconds = time.monotonic() - self.started - self.paused
        if truth is not None:
            self.labelled += 1
            self.correct += truth == prediction.index
            key = (truth, prediction.index)
            self.confusion[key] = self.confusion.get(key, 0) + 1

    @property
    def accuracy(self) -> float | None:
        """Top-1 as a fraction of the labelled frames, or None without any."""
        return self.correct / self.labelled if self.labelled else None

    @property
    def frames_per_second(self) -> float:
        """Frames answered per second of wall time, without pauses."""
        return self.n / self.seconds if self.seconds > 0 else 0.0


def stream(
    output: Output,
    device: "Device",
    contract: "Contract",
    frames: Iterable["Frame"],
    truths: Iterable[int] | None,
    *,
    total: int | None = None,
    fps: float | None = None,
) -> Tally:
    """Send every frame, show every answer, and return the tally.

    With `fps`, frames go out one at a time, at most that many a second: pauses then lie between a frame's
    answer and the next frame, and are part of no time that is reported.
    """
    tally = Tally(contract.labels, device.hello.unit)
    # The device works ahead of the answers: keep what was sent until its answer is shown.
    sent: dict[int, Frame] = {}

    def remembered() -> Iterator["Frame"]:
        for number, frame in enumerate(frames):
            sent[number] = frame
            yield frame

    labels = None if truths is None else iter(truths)
    answers = device.stream(remembered()) if fps is None else _one_by_one(device, remembered(), fps, tally)
    with _view(output, contract, tally, total) as show:
        try:
            for number, prediction in enumerate(answers):
                truth = None if labels is None else next(labels, None)
                tally.add(prediction, truth)
                show(prediction, truth, sent.pop(number))
        except KeyboardInterrupt:
            # The usual end of a camera's stream: what was counted so far is worth showing.
            tally.interrupted = True
    return tally


def watch(
    output: Output, device: "Device", contract: "Contract", *, total: int | None, every: int | None
) -> Tally:
    """Show what the board makes of what its own camera sees, and return the tally.

    As JSON a prediction has two fields more: `capture`, the ticks that the board waited for the picture, and
    `frame`, the bytes of its frame as base64, or null where it was not asked for or got lost.

    Args:
        total: stop after so many; None goes on until Ctrl-C.
        every: whose frames the board shall send; None means all where they are drawn, else none.
    """
    import numpy as np

    if every is None:
        every = 1 if output.interactive and not output.json else 0
    tally = Tally(contract.labels, device.hello.unit)
    frame = np.zeros(contract.input_shape[1:], np.uint8)
    with _view(output, contract, tally, total) as show:
        try:
            for sighting in islice(device.watch(every=every), total):
                tally.add(sighting.prediction, None)
                frame = frame if sighting.frame is None else sighting.frame
                if output.json:
                    output.event(_event(sighting.prediction, None, contract) | _seen(sighting))
                else:
                    show(sighting.prediction, None, frame)
        except KeyboardInterrupt:
            tally.interrupted = True
    return tally


def _seen(sighting: "Sighting") -> dict[str, Any]:
    """Return what JSON says of a prediction on the board's own camera besides."""
    frame = None if sighting.frame is None else base64.b64encode(sighting.frame.tobytes()).decode("ascii")
    return {"capture": sighting.capture_ticks, "frame": frame}


def _one_by_one(
    device: "Device", frames: Iterable["Frame"], fps: float, tally: Tally
) -> Iterator["Prediction"]:
    """Yield answers, each frame asked for when it is due and not before the last answer was shown."""
    source = iter(frames)
    due = answered = time.monotonic()
    while True:
        time.sleep(max(0.0, due - time.monotonic()))
        now = time.monotonic()
        due = max(due, now) + 1 / fps
        tally.paused += now - answered
        frame = next(source, None)
        if frame is None:
            return
        prediction = device.classify(frame)
        answered = time.monotonic()
        yield prediction


@contextmanager
def _view(output: Output, contract: "Contract", tally: Tally, total: int | None) -> Iterator[Any]:
    if output.json:
        yield lambda prediction, truth, _: output.event(_event(prediction, truth, contract))
    elif output.interactive:
        from rich.live import Live

        last: tuple[Prediction, int | None, Frame] | None = None
        drawn = 0.0

        with Live(console=output.console(), auto_refresh=False) as live:

            def draw() -> None:
                nonlocal drawn
                if last is not None:
                    live.update(_picture(*last, contract, tally, total), refresh=True)
                    drawn = time.monotonic()

            # Drawing takes as long as many frames of a fast board, and would count as time of the link.
            def show(prediction: "Prediction", truth: int | None, frame: "Frame") -> None:
                nonlocal last
                last = prediction, truth, frame
                if time.monotonic() - drawn >= _REDRAW_S:
                    draw()

            yield show
            draw()
    elif output.verbosity >= 0:
        yield lambda prediction, truth, _: output.text(_line(prediction, truth, contract, tally))
    else:
        yield lambda *_: None


def _event(prediction: "Prediction", truth: int | None, contract: "Contract") -> dict[str, Any]:
    return {
        "type": "prediction",
        "seq": prediction.seq,
        "index": prediction.index,
        "label": prediction.label,
        "truth": None if truth is None else contract.labels[truth],
        "scores": prediction.scores.tolist(),
        "preprocess": prediction.preprocess_ticks,
        "invoke": prediction.invoke_ticks,
        "link_ms": round(prediction.link_s * 1e3, 3),
        "retransmissions": prediction.retransmissions,
    }


def real_scores(prediction: "Prediction", contract: "Contract") -> list[float]:
    """Return the dequantised scores."""
    zero, scale = contract.output_zero_point, contract.output_scale
    return [(int(score) - zero) * scale for score in prediction.scores]


def _line(prediction: "Prediction", truth: int | None, contract: "Contract", tally: Tally) -> str:
    said = "" if truth is None else f"  ({'right' if truth == prediction.index else contract.labels[truth]})"
    scores = real_scores(prediction, contract)
    best = sorted(range(len(scores)), key=lambda i: (i != prediction.index, -scores[i]))[:_BEST_ON_A_LINE]
    shown = ", ".join(f"{contract.labels[i]} {scores[i]:.3f}" for i in best)
    return (
        f"[{tally.n:5}] {shown:32}{said:10}  "
        f"invoke {duration(prediction.invoke_ticks, tally.unit)}  link {prediction.link_s * 1e3:.2f} ms"
    )


def duration(ticks: float, unit: str) -> str:
    """Return ticks with their unit: milliseconds from a real clock, else a count of instructions."""
    return f"{ticks / 1e3:.3f} ms" if unit == "microseconds" else f"{ticks:,.0f} {unit}"


def _picture(
    prediction: "Prediction",
    truth: int | None,
    frame: "Frame",
    contract: "Contract",
    tally: Tally,
    total: int | None,
) -> "RenderableType":
    from rich.console import Group
    from rich.table import Table
    from rich.text import Text

    words = Table.grid(padding=(0, 1))
    scores = real_scores(prediction, contract)
    best = sorted(range(len(scores)), key=lambda i: -scores[i])[:5]
    top = max(scores[best[0]], 1e-9)
    for index in best:
        style = "bold green" if index == best[0] and truth in (None, index) else "white"
        style = "bold red" if index == best[0] and truth not in (None, index) else style
        filled = "█" * max(0, round(_BAR * scores[index] / top))
        words.add_row(
            Text(contract.labels[index][:16], style), Text(filled.ljust(_BAR), style), f"{scores[index]:.3f}"
        )
    done = f"{tally.n}" if total is None else f"{tally.n} / {total}"
    facts = Table.grid(padding=(0, 1))
    facts.add_row("frame", done)
    facts.add_row("truth", Text("-" if truth is None else contract.labels[truth]))
    if tally.accuracy is not None:
        facts.add_row("accuracy", f"{tally.accuracy * 100:.2f} %")
    facts.add_row("invoke", duration(prediction.invoke_ticks, tally.unit))
    facts.add_row("link", f"{prediction.link_s * 1e3:.2f} ms")
    facts.add_row("speed", f"{tally.frames_per_second:.1f} frames/s")
    whole = Table.grid(padding=(0, 3))
    bgr = contract.preprocess is not None and contract.preprocess.color == "bgr"
    whole.add_row(_thumbnail(frame[..., ::-1] if bgr else frame), Group(words, "", facts))
    return whole


def _thumbnail(frame: "Frame") -> "RenderableType":
    """Draw a uint8 [H, W, C] frame with half blocks: two pixels a character."""
    import numpy as np
    from rich.text import Text

    if frame.ndim != 3 or frame.dtype != np.uint8:
        return Text(f"tensor {list(frame.shape)}")
    step = math.ceil(max(frame.shape[:2]) / _THUMBNAIL)
    small = np.repeat(frame, 3, axis=2)[::step, ::step, :3] if frame.shape[2] == 1 else frame[::step, ::step]
    text = Text()
    for row in range(0, small.shape[0] - 1, 2):
        for upper, lower in zip(small[row].tolist(), small[row + 1].tolist(), strict=True):
            text.append("▀", f"rgb({','.join(map(str, upper))}) on rgb({','.join(map(str, lower))})")
        text.append("\n")
    return text


def summary(tally: Tally, device: "Device") -> dict[str, Any]:
    """Return the numbers that end a run, for JSON."""
    return {
        "schema": SCHEMA,
        "type": "summary",
        "ok": not tally.interrupted,
        "error": None,
        "n": tally.n,
        "unit": tally.unit,
        "accuracy": tally.accuracy,
        "labelled": tally.labelled,
        "correct": tally.correct,
        "invoke": spread(tally.invoke),
        "preprocess": spread(tally.preprocess),
        "link": {"unit": "milliseconds", **spread(round(s * 1e3, 3) for s in tally.link_s)},
        "frames_per_second": round(tally.frames_per_second, 2),
        "retransmissions": device.statistics.retransmissions,
        "resets": device.statistics.resets,
        "reconnections": device.statistics.reconnections,
        "confusion": [[t, p, n] for (t, p), n in sorted(tally.confusion.items())],
    }


def spread(values: Iterable[float]) -> dict[str, float | None]:
    """Return min, p50, p95 and max for JSON; all null without values."""
    found = percentiles(values)
    return {"min": None, "p50": None, "p95": None, "max": None} if found is None else asdict(found)


def print_summary(output: Output, tally: Tally, device: "Device") -> None:
    """Print the numbers that end a run, for a person."""
    if tally.n == 0:
        output.text("no frames were sent")
        return
    if tally.accuracy is not None:
        output.text(f"\naccuracy   {tally.accuracy * 100:.2f} %  ({tally.correct} of {tally.labelled})")
    # Link times are real time on every board; invoke times are in the device's own unit.
    rows = (
        ("invoke", percentiles(tally.invoke), tally.unit),
        ("link", percentiles(s * 1e6 for s in tally.link_s), "microseconds"),
    )
    width = max(12, len(duration(max(tally.invoke), tally.unit)))
    output.text(f"\n{'':10} " + " ".join(f"{name:>{width}}" for name in ("min", "p50", "p95", "max")))
    for name, found, unit in rows:
        assert found is not None
        cells = (duration(v, unit) for v in (found.min, found.p50, found.p95, found.max))
        output.text(f"{name:10} " + " ".join(f"{cell:>{width}}" for cell in cells))
    statistics = device.statistics
    waited = f", {tally.paused:.1f} s of pauses left out" if tally.paused else ""
    output.text(
        f"\n{tally.n} frames in {tally.seconds:.2f} s{waited}: {tally.frames_per_second:.1f} frames/s, "
        f"{statistics.retransmissions} retransmission(s), {statistics.resets} reset(s), "
        f"{statistics.reconnections} reconnection(s)"
    )


def print_confusion(output: Output, tally: Tally) -> None:
    """Print the confusion table: a row per truth, a column per prediction."""
    classes = sorted({index for pair in tally.confusion for index in pair})
    if not classes:
        return
    if len(classes) > _CONFUSION_CLASSES:
        worst = sorted(((n, t, p) for (t, p), n in tally.confusion.items() if t != p), reverse=True)[:10]
        output.text("\nmost confused (truth -> prediction):")
        for count, truth, predicted in worst:
            output.text(f"  {tally.labels[truth]} -> {tally.labels[predicted]}: {count}")
        return
    width = max(4, *(len(tally.labels[i][:10]) + 1 for i in classes))
    output.text("\nconfusion (rows: truth, columns: prediction)")
    output.text(" " * 11 + "".join(f"{tally.labels[i][:10]:>{width}}" for i in classes))
    for truth in classes:
        cells = (tally.confusion.get((truth, predicted), 0) for predicted in classes)
        shown = "".join(f"{cell or '.':>{width}}" for cell in cells)
        output.text(f"{tally.labels[truth][:10]:>11}{shown}")
