"""How `monitor` shows what a board with SSCMA firmware says."""

from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from edgekit.cli import _live
from edgekit.cli._output import SCHEMA, Output
from edgekit.percentiles import percentiles

if TYPE_CHECKING:
    from edgekit.board import Board
    from edgekit.device.sscma import SscmaDevice
    from edgekit.device.sscma_answers import Invocation, Prediction

SSCMA = "sscma"

_PERF = ("preprocess", "invoke", "postprocess")
_SHOWN = 3


@dataclass(slots=True)
class Tally:
    """What a run has shown so far."""

    n: int = 0
    seconds: float = 0.0
    """Between the first and the last prediction."""
    perf: dict[str, list[float]] = field(default_factory=lambda: {name: [] for name in _PERF})
    pictures: int = 0
    damaged_pictures: int = 0
    interrupted: bool = False

    @property
    def frames_per_second(self) -> float:
        """The rate at which predictions came."""
        return (self.n - 1) / self.seconds if self.n > 1 and self.seconds > 0 else 0.0


def greet(
    output: Output,
    board: "Board",
    device: "SscmaDevice",
    begun: "Invocation",
    labels: tuple[str, ...],
    origin: str,
) -> None:
    from edgekit.device.sscma_answers import ALGORITHMS, CLASSIFIER

    who, model = device.identity, device.model
    kind = begun.algorithm if begun.algorithm is not None or model is None else model.type
    algorithm = ALGORITHMS.get(kind or 0, "unknown algorithm")
    output.event(
        {
            "schema": SCHEMA,
            "type": "hello",
            "protocol": SSCMA,
            "board": board.id,
            "id": who.id,
            "name": who.name,
            "firmware": who.software,
            "hardware": who.hardware,
            "invoke_arguments": begun.arguments,
            "model": None
            if model is None
            else {
                "id": model.id,
                "algorithm": algorithm,
                "address": model.address,
                "size": model.size,
                "name": model.info.name,
                "version": model.info.version,
            },
            "labels": labels,
            "labels_from": origin,
            "threshold": begun.threshold,
        }
    )
    output.text(
        f"board      {who.name or 'unnamed'}, id {who.id}, SSCMA firmware {who.software or 'unknown'}"
    )
    if model is not None:
        name = f"'{model.info.name}' {model.info.version}, " if model.info.name else ""
        size = "" if model.size is None else f", {model.size:,} bytes"
        place = "" if model.address is None else f" at 0x{model.address:x}"
        output.text(f"model      {name}{algorithm}, number {model.id}{size}{place}")
    shown = ", ".join(labels[:10]) + (", ..." if len(labels) > 10 else "")
    output.text(f"labels     {shown or 'none: classes are numbers'} (from: {origin})")
    if kind is not None and kind != CLASSIFIER:
        output.warn(
            f"the board's model is no classifier ({algorithm}): what it finds is listed by class, "
            "the highest score first"
        )


def add(tally: Tally, prediction: "Prediction") -> None:
    tally.n += 1
    if prediction.perf is not None:
        perf = prediction.perf
        for name, value in zip(
            _PERF, (perf.preprocess_ms, perf.inference_ms, perf.postprocess_ms), strict=True
        ):
            tally.perf[name].append(value)


def _name(target: int, labels: tuple[str, ...]) -> str:
    return labels[target] if target < len(labels) else str(target)


def event(prediction: "Prediction", labels: tuple[str, ...], seq: int, saved: Path | None) -> dict[str, Any]:
    best = prediction.results[0] if prediction.results else None
    perf, picture = prediction.perf, prediction.picture
    return {
        "type": "prediction",
        "seq": seq,
        "count": prediction.count,
        "kind": prediction.kind,
        "index": None if best is None else best.target,
        "label": None if best is None else _name(best.target, labels),
        "score": None if best is None else best.score,
        "results": [
            {
                "index": result.target,
                "label": _name(result.target, labels),
                "score": result.score,
                **({"place": result.place} if result.place else {}),
            }
            for result in prediction.results
        ],
        "preprocess_ms": None if perf is None else perf.preprocess_ms,
        "invoke_ms": None if perf is None else perf.inference_ms,
        "postprocess_ms": None if perf is None else perf.postprocess_ms,
        "width": prediction.width,
        "height": prediction.height,
        "rotation": prediction.rotation,
        "picture": None
        if saved is None or picture is None
        else {
            "path": str(saved),
            "bytes": len(picture.jpeg),
            "width": picture.width,
            "height": picture.height,
        },
    }


def line(prediction: "Prediction", labels: tuple[str, ...], n: int) -> str:
    best = prediction.results[:_SHOWN]
    shown = ", ".join(f"{_name(r.target, labels)} {r.score:.0f}" for r in best)
    if len(prediction.results) > _SHOWN:
        shown += f", {len(prediction.results) - _SHOWN} more"
    if not shown:
        shown = "(no results)" if prediction.kind == "none" else "(nothing above the threshold)"
    perf = prediction.perf
    times = (
        ""
        if perf is None
        else f"  pre {perf.preprocess_ms:.0f} ms, invoke {perf.inference_ms:.0f} ms, "
        f"post {perf.postprocess_ms:.0f} ms"
    )
    return f"[{n:5}] {shown:40}{times}"


def summarise(output: Output, board: "Board", device: "SscmaDevice", tally: Tally) -> None:
    lost = device.losses.damaged + device.losses.too_long + device.damaged_events
    if tally.damaged_pictures:
        output.warn(f"{tally.damaged_pictures} picture(s) were no whole JPEG and were not saved")
    if lost:
        output.warn(f"{lost} line(s) of the board could not be read: is the cable good?")
    output.event(
        {
            "schema": SCHEMA,
            "type": "summary",
            "ok": not tally.interrupted,
            "error": None,
            "board": board.id,
            "n": tally.n,
            "unit": "milliseconds",
            **{name: _live.spread(tally.perf[name]) for name in _PERF},
            "frames_per_second": round(tally.frames_per_second, 2),
            "pictures": tally.pictures,
            "damaged_pictures": tally.damaged_pictures,
            "lost_lines": lost,
            "restarts": device.restarts,
            "warnings": output.warnings,
        }
    )
    output.text("")
    for name in _PERF:
        if (found := percentiles(tally.perf[name])) is not None:
            output.text(
                f"{name:12} min {found.min:.0f} ms, p50 {found.p50:.0f} ms, p95 {found.p95:.0f} ms, "
                f"max {found.max:.0f} ms"
            )
    saved = f", {tally.pictures} picture(s) saved" if tally.pictures else ""
    output.text(
        f"{tally.n} frames, {tally.frames_per_second:.1f} frames/s{saved}, {device.restarts} restart(s)"
    )
