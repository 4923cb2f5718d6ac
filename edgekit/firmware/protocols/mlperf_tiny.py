"""The MLPerf Tiny device protocol: what firmware says of itself and of its scores."""

import math
import re
import struct
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from edgekit.errors import UsageError
from edgekit.firmware.protocols import Protocol

if TYPE_CHECKING:
    from edgekit.contract import Contract

MODELS = ("ad01", "ic01", "kws01", "sww01", "vww01")
"""The benchmark's names for its models."""

_BY_INPUT: dict[tuple[int, ...], str] = {
    (1, 32, 32, 3): "ic01",
    (1, 96, 96, 3): "vww01",
    (1, 49, 10, 1): "kws01",
}
# Nothing that C, the runner (which looks for the closing bracket) or a terminal would misread.
_VENDOR = re.compile(r"[A-Za-z0-9](?:[A-Za-z0-9 ._+-]{0,30}[A-Za-z0-9])?")


@dataclass(frozen=True, slots=True)
class MlperfTiny(Protocol):
    """What the firmware answers to `name` and `profile`, and to `results`."""

    name = "mlperf_tiny"
    baud = 115200
    cannot = {  # noqa: RUF012 (annotated in Protocol)
        "debug": (
            "the MLPerf Tiny protocol cannot ask for the steps that a debug build records",
            "leave out --debug, or use --protocol edgekit",
        ),
        "camera": ("the MLPerf Tiny protocol knows no camera", "leave out --camera"),
    }
    stored_model = False  # the firmware has texts of one model's scores
    speaks_first = True

    model: str | None = None
    """One of MODELS; None for the one whose input has the shape of the model's."""
    vendor: str = "edgekit"
    """Up to 32 letters, digits and ` ._+-`."""

    def model_for(self, contract: "Contract") -> str:
        """Return the benchmark's name for a model.

        Raises:
            UsageError: no benchmark has an input of this shape, or a name is not allowed.
        """
        model = self.model or _BY_INPUT.get(contract.input_shape)
        if model is None:
            raise UsageError(
                f"no MLPerf Tiny model has the input {list(contract.input_shape)}",
                f"say with --mlperf-model which one the firmware should name: {', '.join(MODELS)}",
            )
        if model not in MODELS:
            raise UsageError(f"'{model}' is no MLPerf Tiny model", f"choose one of {', '.join(MODELS)}")
        if not _VENDOR.fullmatch(self.vendor):
            raise UsageError(
                f"'{self.vendor}' cannot be a vendor's name",
                "use up to 32 letters, digits, spaces and . _ + -",
            )
        return model

    def context(self, contract: "Contract") -> Mapping[str, Any]:
        """Return the names, and the text of each score. Raises UsageError."""
        names = {"model": self.model_for(contract), "vendor": self.vendor}
        return {"mlperf": names, "scores": score_texts(contract.output_scale, contract.output_zero_point)}


PROTOCOL = MlperfTiny


def score_texts(scale: float, zero_point: int) -> tuple[str, ...]:
    """Return all 256 int8 scores, from -128 on, as C's `%0.3f` shows their real values.

    A real value is the float32 product of (score - zero point) and scale, and is rounded to thousandths as
    it stands, ties to even: what a device computes that dequantises in single precision.

    Raises:
        UsageError: the scale is so large that a score is no float32.
    """
    narrow = _to_float32(scale)
    texts = []
    for score in range(-128, 128):
        # Exact in float64: at most 9 times 24 bits.
        value = _to_float32((score - zero_point) * narrow)
        if not math.isfinite(value):
            raise UsageError(f"the model's output scale {scale:g} is too large to show its scores")
        texts.append(f"{value:.3f}")
    return tuple(texts)


def _to_float32(value: float) -> float:
    try:
        rounded: float = struct.unpack("<f", struct.pack("<f", value))[0]
    except OverflowError:
        return math.inf
    return rounded
