"""What `monitor` does when the board runs Seeed's SSCMA firmware."""

import os
import time
from dataclasses import dataclass, field
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING, Any

from edgekit.cli import _live, _options
from edgekit.cli._output import SCHEMA, Output
from edgekit.percentiles import percentiles

if TYPE_CHECKING:
    from edgekit.board import Board
    from edgekit.device.sscma import SscmaDevice
    from edgekit.device.sscma_answers import Invocation, Prediction
    from edgekit.pipeline import ContractFlags

SSCMA = "sscma"

_OURS = ("picture", "threshold")
_CAMERA = "the board's own camera is the only source of frames"
_FIRMWARE = "the firmware prepares the frames itself"
_OTHERS = {
    "source": ("--source", _CAMERA),
    "fps": ("--fps", "the board runs as fast as it can"),
    "confusion": ("--confusion", f"{_CAMERA}, and they have no labels"),
    "iterations": ("--performance", "each result brings its times anyway"),
    "mean": ("--mean", _FIRMWARE),
    "std": ("--std", _FIRMWARE),
    "color": ("--color", _FIRMWARE),
    "resize": ("--resize", _FIRMWARE),
}

_PERF = ("preprocess", "invoke", "postprocess")
_SHOWN = 3


@dataclass(slots=True)
class _Tally:
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


@dataclass(frozen=True, slots=True)
class _Pictures:
    """Where pictures go: one file that is replaced, or a folder that gets one file per picture."""

    path: Path
    is_folder: bool

    def save(self, number: int, jpeg: bytes) -> Path:
        """Write one picture whole. Its name is ours, never the device's. Raises OutputError."""
        from edgekit import files

        path = self.path / f"frame-{number:06}.jpg" if self.is_folder else self.path
        files.write_whole(path, jpeg)
        return path


def check_options(protocol: str) -> None:
    """Raise UsageError if an option was given that means nothing with this protocol."""
    from edgekit.errors import UsageError

    for parameter, (flag, reason) in _OTHERS.items() if protocol == SSCMA else ():
        if _options.is_named(parameter):
            raise UsageError(f"{flag} is not for --protocol {SSCMA}: {reason}", f"leave out {flag}")
    for parameter in _OURS if protocol != SSCMA else ():
        if _options.is_named(parameter):
            raise UsageError(f"--{parameter} needs --protocol {SSCMA}")


def monitor(
    output: Output,
    board: "Board",
    *,
    port: str | None,
    model: Path | None,
    flags: "ContractFlags",
    count: int | None,
    picture: str | None,
    threshold: int | None,
    timeout_s: float,
) -> None:
    """Watch what a board makes of its own camera's frames."""
    from edgekit.device.sscma import SscmaDevice
    from edgekit.errors import UsageError

    if port is None and board.emulator is not None:
        raise UsageError(
            f"'{board.id}' is a virtual board, and no Seeed firmware runs on it",
            "name a board that has it, such as --board xiao_esp32s3, or the port of one with --port",
        )
    pictures = None if picture is None else _pictures(picture)
    given = _given_labels(model, flags)
    with SscmaDevice.open(
        port or "auto", serial=board.serial, timeout_s=timeout_s, on_note=_options.noted(output)
    ) as device:
        begun = device.invoke(pictures=pictures is not None, threshold=threshold)
        labels, origin = _labels(device, given, flags)
        _greet(output, board, device, begun, labels, origin)
        if threshold is not None:
            output.talk(f"threshold {begun.threshold} -> {threshold}; the board keeps it")
        tally = _stream(output, device, labels, pictures, count)
        _summarise(output, board, device, tally)
    if tally.interrupted:
        raise KeyboardInterrupt


def _pictures(text: str) -> _Pictures:
    """Return where pictures go, having checked that they can go there. Raises OutputError."""
    from edgekit import files

    path = Path(text)
    is_folder = path.is_dir() or text.endswith(("/", os.sep))
    files.check_writable(path / "frame.jpg" if is_folder else path)
    return _Pictures(path, is_folder)


def _given_labels(model: Path | None, flags: "ContractFlags") -> tuple[str, ...] | None:
    """Return what the user said on the command line: the labels, or a model that holds them."""
    from edgekit import pipeline

    if _options.is_named("labels"):
        return flags.labels
    if model is not None and _options.is_named("model"):
        return pipeline.load_model(model).contract.labels
    return None


def _labels(
    device: "SscmaDevice", given: tuple[str, ...] | None, flags: "ContractFlags"
) -> tuple[tuple[str, ...], str]:
    """Return the names of the classes, and where they are from.

    What stands on the command line comes first: the board's own names stay behind when a model is written
    to its flash by another way than SenseCraft. edgekit.toml comes last: it describes this folder's model.
    """
    if given is not None:
        return given, "command line"
    stored = None if device.model is None else device.model.info.labels
    if stored is not None:
        return stored, "board"
    if flags.labels is not None:
        return flags.labels, "edgekit.toml"
    return (), "numbers"


def _greet(
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


def _stream(
    output: Output,
    device: "SscmaDevice",
    labels: tuple[str, ...],
    pictures: _Pictures | None,
    count: int | None,
) -> _Tally:
    """Show predictions until there are enough of them or the user ends the run."""
    tally = _Tally()
    try:
        first = 0.0
        for prediction in islice(device.predictions(), count):
            now = time.monotonic()
            first = first or now
            tally.seconds = now - first
            saved = None
            if pictures is not None and prediction.picture is not None:
                saved = pictures.save(tally.pictures + 1, prediction.picture.jpeg)
                tally.pictures += 1
            tally.damaged_pictures += prediction.picture_is_damaged
            _add(tally, prediction)
            output.event(_event(prediction, labels, tally.n - 1, saved))
            if output.verbosity >= 0:
                output.text(_line(prediction, labels, tally.n))
    except KeyboardInterrupt:
        tally.interrupted = True
    return tally


def _add(tally: _Tally, prediction: "Prediction") -> None:
    tally.n += 1
    if prediction.perf is not None:
        perf = prediction.perf
        for name, value in zip(
            _PERF, (perf.preprocess_ms, perf.inference_ms, perf.postprocess_ms), strict=True
        ):
            tally.perf[name].append(value)


def _name(target: int, labels: tuple[str, ...]) -> str:
    return labels[target] if target < len(labels) else str(target)


def _event(prediction: "Prediction", labels: tuple[str, ...], seq: int, saved: Path | None) -> dict[str, Any]:
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


def _line(prediction: "Prediction", labels: tuple[str, ...], n: int) -> str:
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


def _summarise(output: Output, board: "Board", device: "SscmaDevice", tally: _Tally) -> None:
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
