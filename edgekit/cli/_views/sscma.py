"""How `monitor` shows a board with Seeed's SSCMA firmware."""

from collections.abc import Callable
from contextlib import AbstractContextManager, nullcontext
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from edgekit.cli import _options
from edgekit.cli._output import Output

if TYPE_CHECKING:
    from edgekit.live.asked import Asked
    from edgekit.live.protocols.sscma import Hello, Prediction, Summary
    from edgekit.models import ContractFlags

_CAMERA = "the board's own camera is the only source of frames"
_FIRMWARE = "the firmware prepares the frames itself"
_MEANINGLESS = {
    "source": ("--source", _CAMERA),
    "frame_every": ("--frame-every", "--picture saves what the camera sees"),
    "fps": ("--fps", "the board runs as fast as it can"),
    "confusion": ("--confusion", f"{_CAMERA}, and they have no labels"),
    "iterations": ("--performance", "each result brings its times anyway"),
    "mean": ("--mean", _FIRMWARE),
    "std": ("--std", _FIRMWARE),
    "color": ("--color", _FIRMWARE),
    "resize": ("--resize", _FIRMWARE),
}
REFUSED = {
    parameter: (f"{flag} is not for --protocol sscma: {reason}", f"leave out {flag}")
    for parameter, (flag, reason) in _MEANINGLESS.items()
}
_SHOWN = 3


def prepare(output: Output, asked: "Asked", model: Path | None, flags: "ContractFlags") -> "Asked":
    """Return what is asked, with the labels that the user gave, or those of a model."""
    from edgekit import models
    from edgekit.device import sscma_model

    labels = flags.labels if _options.is_named("labels") else None
    if model is not None and _options.is_named("model"):
        contract = models.load_model(model).contract
        for objection in sscma_model.objections(contract):
            output.warn(f"'{model}' does not suit the firmware: {objection}")
        labels = labels or contract.labels
    return replace(asked, labels=labels, project_labels=flags.labels)


def hello(output: Output, event: "Hello") -> None:
    """Say who answers, and what it runs."""
    from edgekit.device.sscma_answers import CLASSIFIER

    model, labels = event.model, event.labels
    firmware = event.firmware or "unknown"
    output.text(f"board      {event.name or 'unnamed'}, id {event.id}, SSCMA firmware {firmware}")
    if model is not None:
        name = "'{name}' {version}, ".format_map(model) if model["name"] else ""
        size = "" if model["size"] is None else f", {model['size']:,} bytes"
        place = "" if model["address"] is None else f" at 0x{model['address']:x}"
        output.text(f"model      {name}{event.algorithm}, number {model['id']}{size}{place}")
    shown = ", ".join(labels[:10]) + (", ..." if len(labels) > 10 else "")
    output.text(f"labels     {shown or 'none: classes are numbers'} (from: {event.labels_from})")
    if event.kind is not None and event.kind != CLASSIFIER:
        output.warn(
            f"the board's model is no classifier ({event.algorithm}): what it finds is listed by class, "
            "the highest score first"
        )
    if event.wanted_threshold is not None:
        output.talk(f"threshold {event.threshold} -> {event.wanted_threshold}; the board keeps it")


def predictions(output: Output, hello: "Hello") -> AbstractContextManager[Callable[["Prediction"], None]]:  # noqa: ARG001
    """Print a line for each prediction."""
    return nullcontext(lambda event: output.text(_line(event)))


def _line(event: "Prediction") -> str:
    shown = ", ".join(f"{result['label']} {result['score']:.0f}" for result in event.results[:_SHOWN])
    if len(event.results) > _SHOWN:
        shown += f", {len(event.results) - _SHOWN} more"
    if not shown:
        shown = "(no results)" if event.kind == "none" else "(nothing above the threshold)"
    times = ""
    if event.preprocess_ms is not None:
        times = (
            f"  pre {event.preprocess_ms:.0f} ms, invoke {event.invoke_ms:.0f} ms, "
            f"post {event.postprocess_ms:.0f} ms"
        )
    return f"[{event.seq + 1:5}] {shown:40}{times}"


def summary(output: Output, event: "Summary", confusion: bool) -> None:  # noqa: ARG001 (no labels)
    """Warn of what was lost, and print the numbers that end a run."""
    from edgekit.live.protocols.sscma import PERF

    if event.damaged_pictures:
        output.warn(f"{event.damaged_pictures} picture(s) were no whole JPEG and were not saved")
    if event.lost_lines:
        output.warn(f"{event.lost_lines} line(s) of the board could not be read: is the cable good?")
    output.text("")
    for name in PERF:
        found = getattr(event, name)
        if found["p50"] is not None:
            output.text(f"{name:12} " + ", ".join(f"{key} {value:.0f} ms" for key, value in found.items()))
    saved = f", {event.pictures} picture(s) saved" if event.pictures else ""
    output.text(
        f"{event.n} frames, {event.frames_per_second:.1f} frames/s{saved}, {event.restarts} restart(s)"
    )
