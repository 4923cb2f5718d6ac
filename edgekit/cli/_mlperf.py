"""What commands do when the firmware speaks the MLPerf Tiny device protocol."""

from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from edgekit.cli import _live, _options
from edgekit.cli._output import SCHEMA, Output
from edgekit.percentiles import percentiles

if TYPE_CHECKING:
    from edgekit.board import Board
    from edgekit.contract import Contract
    from edgekit.device.mlperf_tiny import MlperfDevice
    from edgekit.mlperf_tiny import Answer
    from edgekit.models import ContractFlags
    from edgekit.pipeline import Stream

MLPERF_TINY = "mlperf_tiny"


@dataclass(frozen=True, slots=True)
class _Counted:
    """One answer, as the tally of a run counts it."""

    index: int
    invoke_ticks: float
    link_s: float
    preprocess_ticks: float = 0.0


def monitor(
    output: Output,
    board: "Board",
    *,
    port: str | None,
    model: Path | None,
    flags: "ContractFlags",
    source: str,
    count: int | None,
    iterations: int | None,
    confusion: bool,
    timeout_s: float,
) -> None:
    """Drive a board: each frame once, or with `iterations` the performance measurement."""
    from edgekit import mlperf_tiny, models, pipeline

    agreed = None
    if model is not None:
        loaded = models.load_model(model, flags)
        _options.warn_if_implied(output, loaded, flags)
        agreed = loaded.contract
    with mlperf_tiny.open_device(board, port=port, timeout_s=timeout_s) as device:
        agreed = agreed or mlperf_tiny.contract_of(device.model)
        unit = "microseconds" if port is not None or board.emulator is None else board.ticks.unit.value
        output.event(
            {
                "schema": SCHEMA,
                "type": "hello",
                "protocol": MLPERF_TINY,
                "vendor": device.vendor,
                "model": device.model,
                "firmware": device.firmware,
            }
        )
        output.detail(f"{board.id}: {device.vendor}, {device.model}, {device.firmware}")
        stream = pipeline.open_source(source, agreed, count)
        ending: dict[str, Any] = {
            "schema": SCHEMA,
            "type": "summary",
            "ok": True,
            "board": board.id,
            "unit": unit,
        }
        if iterations is None:
            fields = _accuracy(output, device, agreed, stream, unit, confusion)
        else:
            fields = _performance(output, device, agreed, stream, unit, iterations)
        output.event(ending | fields | {"warnings": output.warnings})
    if not fields.get("ok", True):
        raise KeyboardInterrupt


def _accuracy(
    output: Output, device: "MlperfDevice", agreed: "Contract", stream: "Stream", unit: str, confusion: bool
) -> dict[str, Any]:
    """Send every frame once, show every answer; return the summary's fields."""
    from edgekit import mlperf_tiny

    tally = _live.Tally(agreed.labels, unit)
    truths = None if stream.labels is None else iter(stream.labels)
    try:
        for answer in mlperf_tiny.answers(device, stream.frames, agreed.classes):
            truth = None if truths is None else next(truths, None)
            ticks = float(answer.inference.elapsed)
            # What the device needed is no part of the link's time, if it is known in microseconds.
            link_s = max(0.0, answer.link_s - ticks / 1e6) if unit == "microseconds" else answer.link_s
            counted = _Counted(answer.inference.index, ticks, link_s)
            tally.add(counted, truth)
            _show(output, answer, counted, truth, tally)
    except KeyboardInterrupt:
        tally.interrupted = True
    if confusion:
        _live.print_confusion(output, tally)
    invoke, link = percentiles(tally.invoke), percentiles(s * 1e3 for s in tally.link_s)
    if tally.accuracy is not None:
        output.text(f"\naccuracy   {tally.accuracy * 100:.2f} %  ({tally.correct} of {tally.labelled})")
    if invoke is not None and link is not None:
        said = _live.duration(invoke.p50, unit)
        output.text(f"{tally.n} frames: invoke p50 {said}, link p50 {link.p50:.3f} ms")
    return {
        "mode": "accuracy",
        "ok": not tally.interrupted,
        "n": tally.n,
        "accuracy": tally.accuracy,
        "labelled": tally.labelled,
        "correct": tally.correct,
        "invoke": {} if invoke is None else asdict(invoke),
        "link": {"unit": "milliseconds", **({} if link is None else asdict(link))},
        "frames_per_second": round(tally.frames_per_second, 2),
        "confusion": [[t, p, n] for (t, p), n in sorted(tally.confusion.items())],
    }


def _show(output: Output, answer: "Answer", counted: _Counted, truth: int | None, tally: _live.Tally) -> None:
    scores, label = answer.inference.scores, tally.labels[counted.index]
    output.event(
        {
            "type": "prediction",
            "seq": tally.n - 1,
            "index": counted.index,
            "label": label,
            "truth": None if truth is None else tally.labels[truth],
            "scores": scores,
            "invoke": counted.invoke_ticks,
            "link_ms": round(counted.link_s * 1e3, 3),
        }
    )
    if output.verbosity >= 0:
        said = "" if truth is None else f"  ({'right' if truth == counted.index else tally.labels[truth]})"
        output.text(
            f"[{tally.n:5}] {label:16} {scores[counted.index]:7.3f}{said:14}  "
            f"invoke {_live.duration(counted.invoke_ticks, tally.unit)}  link {counted.link_s * 1e3:.2f} ms"
        )


def _performance(
    output: Output, device: "MlperfDevice", agreed: "Contract", stream: "Stream", unit: str, iterations: int
) -> dict[str, Any]:
    """Measure, show and return the summary's fields."""
    from edgekit import mlperf_tiny

    found = mlperf_tiny.performance(device, stream.frames, agreed.classes, iterations)
    for number, ticks in enumerate(found.per_file):
        output.text(f"[{number + 1:5}] {iterations} runs, each {_live.duration(ticks, unit)}")
    known = unit == "microseconds" and found.median > 0
    median = round(1e6 / found.median, 3) if known else None
    said = "" if median is None else f", {median:.2f} inferences/s"
    output.text(f"\nmedian     {_live.duration(found.median, unit)}{said}")
    return {
        "mode": "performance",
        "n": len(found.per_file),
        "iterations": iterations,
        "warmup": mlperf_tiny.WARMUP_RUNS,
        "invoke_per_file": found.per_file,
        "invoke_median": found.median,
        "inferences_per_second_median": median,
    }
