"""Shows what `quantize` made, to a person and to a machine."""

import math
from typing import TYPE_CHECKING, Any

from edgekit.cli._output import Output

if TYPE_CHECKING:
    from edgekit.quantization import QuantizeReport

_LABELS = 10
"""So many are shown: a folder's class names stand in alphabetical order, a model's outputs perhaps not."""


def render(output: Output, report: "QuantizeReport") -> None:
    """Print size, work, closeness, and accuracy of float and int8 side by side."""
    model = report.model
    kinds = ", ".join(f"{kind} {count}" for kind, count in model.operators.items())
    output.text(f"  {report.path}: {len(model.data):,} B (float {model.float_bytes:,} B)")
    output.text(f"  operators   {kinds}")
    output.text(f"  MACs        {'unknown' if model.macs is None else f'{model.macs:,}'}")
    labels = model.contract.labels
    more = f", ... ({len(labels)} in all)" if len(labels) > _LABELS else ""
    output.text(f"  labels      {', '.join(labels[:_LABELS])}{more}")
    closeness = "" if model.snr_db is None else f", SNR {model.snr_db:.1f} dB"
    output.text(f"  calibrated  on {model.images} images{closeness}")
    found = report.evaluation
    if found is None:
        return
    output.text(f"  on {found.n} images: agreement {100 * found.agreement:.2f} %, SNR {found.snr_db:.1f} dB")
    if found.top1_float is None:
        return
    output.text(f"\n  {'':8} {'float':>9} {'int8':>9}")
    output.text(f"  {'top-1':8} {_percent(found.top1_float)} {_percent(found.top1_int8)}")
    output.text(f"  {'top-5':8} {_percent(found.top5_float)} {_percent(found.top5_int8)}\n")


def fields(report: "QuantizeReport") -> dict[str, Any]:
    """Return the same for JSON."""
    model, found = report.model, report.evaluation
    return {
        "path": str(report.path),
        "bytes": len(model.data),
        "float_bytes": model.float_bytes,
        "ops": dict(model.operators),
        "macs": model.macs,
        "calibration_images": model.images,
        "snr_db": _finite(model.snr_db),
        "contract_digest": model.contract.digest(),
        "labels": list(model.contract.labels),
        "evaluation": None
        if found is None
        else {
            "n": found.n,
            "left_out": len(found.left_out),
            "agreement": found.agreement,
            "snr_db": _finite(found.snr_db),
            "top1": {"float": found.top1_float, "int8": found.top1_int8},
            "top5": {"float": found.top5_float, "int8": found.top5_int8},
            "drop_points": found.drop_points,
        },
    }


def _percent(share: float | None) -> str:
    return f"{'-':>9}" if share is None else f"{100 * share:7.2f} %"


def _finite(value: float | None) -> float | None:
    """JSON has no infinity: an error of zero is null."""
    return value if value is not None and math.isfinite(value) else None
