"""What SSCMA firmware's replies and events say, as typed values; what is missing or nonsense becomes None.

Firmware 1.0.x and 2.0 give the same facts different shapes; both are read here.
"""

import base64
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from edgekit.device.sscma_framing import parse_json, plain

ALGORITHMS = {
    1: "FOMO",
    2: "PFLD",
    3: "YOLOV5",
    4: "IMCLS",
    5: "YOLOV8_POSE",
    6: "YOLOV8",
    7: "NVIDIA_DET",
    8: "YOLO_WORLD",
    9: "YOLO11",
    10: "YOLO11_POSE",
    11: "YOLO11_SEG",
    12: "YOLOV8_SEG",
    13: "RTMDET",
}
CLASSIFIER = 4
MAX_LABELS = 1000
MAX_RESULTS = 1000
MAX_PICTURE_SIDE = 8192

_LABEL_CHARACTERS = 64
# In each kind of result: how many numbers an entry has; score and target are the last two.
_LENGTHS = {"classes": 2, "points": 4, "boxes": 6}


@dataclass(frozen=True, slots=True)
class DeviceIdentity:
    """What the firmware says of the board; empty where it does not say."""

    id: str
    name: str
    software: str
    """A date such as `2025.02.11`."""
    hardware: str
    at_api: str


@dataclass(frozen=True, slots=True)
class ModelInfo:
    """What SenseCraft stored beside the model: only as true as whoever wrote it."""

    name: str = ""
    version: str = ""
    labels: tuple[str, ...] | None = None


@dataclass(frozen=True, slots=True)
class ModelIdentity:
    """The model that is in use, as the firmware found it in flash."""

    id: int
    type: int | None
    address: int | None
    """In flash for 1.0.x, in the processor's address space for 2.0."""
    size: int | None
    """In bytes."""
    info: ModelInfo


@dataclass(frozen=True, slots=True)
class Invocation:
    """What the firmware says when it begins to run the model again and again."""

    arguments: int
    """How many `INVOKE` takes: 2 (firmware 2.0) or 3 (1.0.x)."""
    algorithm: int | None
    """A key of ALGORITHMS."""
    threshold: int | None
    """Results with scores above it are sent, 0 to 100."""


@dataclass(frozen=True, slots=True)
class Perf:
    """Milliseconds of one run, as the board measured them."""

    preprocess_ms: float
    inference_ms: float
    postprocess_ms: float


@dataclass(frozen=True, slots=True)
class Result:
    """One class above the threshold, or one thing that a detector found."""

    target: int
    """The class, from 0."""
    score: float
    """0 to 100."""
    place: tuple[float, ...] = ()
    """Pixels: x, y, width and height of a box, x and y of a point; empty for a class."""


@dataclass(frozen=True, slots=True)
class Picture:
    """A whole JPEG, with the size that stands in it."""

    jpeg: bytes
    width: int
    height: int


@dataclass(frozen=True, slots=True)
class Prediction:
    """The results of one frame."""

    count: int | None
    """The board's own number of the frame."""
    kind: str
    """`classes`, `boxes`, `points`, or `none` if the firmware sent none of these."""
    results: tuple[Result, ...]
    """The highest score first."""
    perf: Perf | None
    width: int | None
    height: int | None
    rotation: int | None
    """Degrees."""
    picture: Picture | None
    picture_is_damaged: bool
    """There was a picture, but it is no whole JPEG."""


def device_identity(id_: Any, name: Any, version: Any) -> DeviceIdentity:
    """Read the data of the replies to `ID?`, `NAME?` and `VER?`."""
    versions = _object(version)
    return DeviceIdentity(
        id=_text(id_),
        name=_text(name),
        software=_text(versions.get("software")),
        hardware=_text(versions.get("hardware")),
        at_api=_text(versions.get("at_api")),
    )


def model_identity(data: Any, info: ModelInfo) -> ModelIdentity | None:
    """Read the data of the reply to `MODEL?`; None if there is no model."""
    found = _first(data, "models")
    number = _integer(found.get("id"))
    if not number:  # 1.0.x answers with the id 0 if it has found none
        return None
    return ModelIdentity(
        number, _integer(found.get("type")), _integer(found.get("address")), _integer(found.get("size")), info
    )


def model_info(data: Any) -> ModelInfo:
    """Read the data of the reply to `INFO?`: JSON in base64, if SenseCraft wrote it."""
    stored = _object(data).get("info")
    if not isinstance(stored, str):
        return ModelInfo()
    try:
        found = _object(parse_json(base64.b64decode(stored, validate=True).decode("utf-8")))
    except ValueError:  # also binascii.Error and UnicodeDecodeError
        return ModelInfo()
    return ModelInfo(_text(found.get("name")), _text(found.get("version")), _labels(found.get("classes")))


def invocation(data: Any, arguments: int) -> Invocation:
    """Read the data of the reply to `INVOKE`."""
    algorithm = _object(_object(data).get("algorithm"))
    return Invocation(
        arguments,
        _integer(algorithm.get("type")),
        _integer(_object(algorithm.get("config")).get("tscore")),
    )


def prediction(data: Any) -> Prediction | None:
    """Read the data of an `INVOKE` event; None if it is not even an object."""
    if not isinstance(data, dict):
        return None
    kind = next((name for name in _LENGTHS if isinstance(data.get(name), list)), "none")
    entries = data[kind][:MAX_RESULTS] if kind in _LENGTHS else ()
    found = [_result(entry, _LENGTHS[kind]) for entry in entries]
    results = sorted((r for r in found if r is not None), key=lambda result: -result.score)
    resolution = data.get("resolution")
    sides = resolution if isinstance(resolution, list) and len(resolution) == 2 else [None, None]
    image = data.get("image")
    picture = _picture(image)
    return Prediction(
        count=_integer(data.get("count")),
        kind=kind,
        results=tuple(results),
        perf=_perf(data.get("perf")),
        width=_side(data.get("width", sides[0])),
        height=_side(data.get("height", sides[1])),
        rotation=_integer(data.get("rotation", data.get("rotate"))),
        picture=picture,
        picture_is_damaged=bool(image) and picture is None,
    )


def jpeg_size(data: bytes) -> tuple[int, int] | None:
    """Return the width and height that a whole JPEG names, None if it is none. Source: ITU-T T.81, B."""
    if not data.startswith(b"\xff\xd8\xff") or not data.endswith(b"\xff\xd9"):
        return None
    at = 2
    while at + 4 <= len(data) and data[at] == 0xFF:
        marker, length = data[at + 1], int.from_bytes(data[at + 2 : at + 4], "big")
        # SOF0 to SOF15 give the size; DHT, JPG and DAC lie among their numbers.
        if 0xC0 <= marker <= 0xCF and marker not in (0xC4, 0xC8, 0xCC):
            height, width = (int.from_bytes(data[at + i : at + i + 2], "big") for i in (5, 7))
            whole = length >= 8 and at + 2 + length < len(data)
            fits = 0 < width <= MAX_PICTURE_SIDE and 0 < height <= MAX_PICTURE_SIDE
            return (width, height) if whole and fits else None
        if length < 2:
            return None
        at += 2 + length
    return None


def _picture(image: Any) -> Picture | None:
    if not isinstance(image, str):
        return None
    try:
        jpeg = base64.b64decode(image, validate=True)
    except ValueError:  # also binascii.Error
        return None
    # An encoder's buffer may be longer than what it wrote.
    jpeg = jpeg[: jpeg.rfind(b"\xff\xd9") + 2]
    size = jpeg_size(jpeg)
    return None if size is None else Picture(jpeg, *size)


def _result(entry: Any, length: int) -> Result | None:
    if not isinstance(entry, list) or len(entry) != length:
        return None
    *place, score, target = entry
    numbers = _numbers([*place, score])
    target = _integer(target)
    if numbers is None or target is None:
        return None
    return Result(target, numbers[-1], tuple(numbers[:-1]))


def _perf(value: Any) -> Perf | None:
    numbers = _numbers(value) if isinstance(value, list) and len(value) == 3 else None
    return None if numbers is None or min(numbers) < 0 else Perf(*numbers)


def _numbers(values: Sequence[Any]) -> list[float] | None:
    """Return real numbers as floats; None if one of them is none, or is out of any sensible range."""
    if not all(type(value) in (int, float) and abs(value) < 1e9 for value in values):
        return None
    return [float(value) for value in values]


def _integer(value: Any) -> int | None:
    return value if type(value) is int and 0 <= value < 1 << 32 else None


def _side(value: Any) -> int | None:
    side = _integer(value)
    return side if side is not None and 0 < side <= MAX_PICTURE_SIDE else None


def _text(value: Any) -> str:
    """Return a text or a number as clean text."""
    return plain(str(value)) if type(value) in (str, int) else ""


def _object(value: Any) -> dict[str, Any]:
    return value if isinstance(value, dict) else {}


def _first(data: Any, key: str) -> dict[str, Any]:
    """Return the only entry of the list that 2.0 sends, or what 1.0.x sends without one."""
    found = _object(data)
    entries = found.get(key)
    return _object(entries[0]) if isinstance(entries, list) and entries else found


def _labels(value: Any) -> tuple[str, ...] | None:
    if not isinstance(value, list) or not 0 < len(value) <= MAX_LABELS:
        return None
    if not all(isinstance(label, str) for label in value):
        return None
    cleaned = (plain(label, _LABEL_CHARACTERS) for label in value)
    return tuple(label or str(index) for index, label in enumerate(cleaned))
