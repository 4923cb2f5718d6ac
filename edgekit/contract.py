"""What host and device must agree on, and the digest by which they check it.

A contract travels inside the .tflite as the metadata entry `edgekit.contract` (canonical JSON, see
docs/reference/contract.md). The device never sees the formula of the preprocessing: it looks each raw
pixel up in `table`, whose bytes were computed once, here.
"""

import base64
import hashlib
import json
import math
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from enum import StrEnum
from typing import Any

from edgekit import install
from edgekit.errors import ModelError, UsageError
from edgekit.graph.ir import DType, Graph, Quantization
from edgekit.json_object import JsonObject
from edgekit.plain_text import is_plain
from edgekit.untrusted import parse_json

METADATA_NAME = "edgekit.contract"
SCHEMA = 1
MAX_CLASSES = 1 << 16


class Color(StrEnum):
    """Order of the channels that the model was trained on, and that travels on the wire."""

    RGB = "rgb"
    BGR = "bgr"
    GRAY = "gray"

    @property
    def channels(self) -> int:
        """How many channels a pixel has."""
        return 1 if self is Color.GRAY else 3


class Resize(StrEnum):
    """How an image of another size becomes one of the model's size."""

    SQUASH = "squash"
    CROP = "crop"
    PAD = "pad"


@dataclass(frozen=True, slots=True)
class Preprocess:
    """How a raw uint8 pixel becomes the model's real-valued input: (pixel / 255 - mean) / std by channel."""

    color: Color
    resize: Resize
    mean: tuple[float, ...]
    std: tuple[float, ...]


@dataclass(frozen=True, slots=True)
class Contract:
    """The agreement between host and device.

    `input_shape` is the model's, batch included ([1, H, W, C] for images). `preprocess` and `table` are
    None for a model whose input is not an image: it takes int8 tensors only. `table` holds one block of
    256 int8 values (as bytes) per channel.
    """

    input_shape: tuple[int, ...]
    input_scale: float
    input_zero_point: int
    output_shape: tuple[int, ...]
    output_scale: float
    output_zero_point: int
    labels: tuple[str, ...]
    oracle: str
    preprocess: Preprocess | None = None
    table: bytes | None = field(default=None, repr=False)
    implied: bool = False
    """True when the model carried no contract and this one was assumed. Not part of the digest."""

    @property
    def classes(self) -> int:
        """How many scores one prediction has."""
        return math.prod(self.output_shape)

    @property
    def input_bytes(self) -> int:
        """Bytes of one frame: pixels and int8 values take one byte each."""
        return math.prod(self.input_shape)

    @property
    def frame_shape(self) -> tuple[int, ...]:
        """The shape of one frame without the batch: (H, W, C) for images."""
        return self.input_shape[1:]

    def to_json(self) -> bytes:
        """Return the canonical JSON: sorted keys, no spaces, ASCII, shortest exact floats."""
        return json.dumps(_to_dict(self), sort_keys=True, separators=(",", ":"), allow_nan=False).encode(
            "ascii"
        )

    def digest(self) -> str:
        """Return the SHA-256 of the canonical JSON, in hex."""
        return hashlib.sha256(self.to_json()).hexdigest()


def pixel_table(preprocess: Preprocess, scale: float, zero_point: int) -> bytes:
    """Return quantise(normalise(pixel)) for all 256 pixels of each channel, one int8 byte each.

    The arithmetic is fixed: float64, in the order ((pixel / 255 - mean) / std) / scale, rounded half away
    from zero, plus the zero point, saturated. Other orders differ where entries are rounding ties, so the
    bytes and not the formula are what everything else uses.
    """
    values = bytearray()
    for mean, std in zip(preprocess.mean, preprocess.std, strict=True):
        for pixel in range(256):
            real = (pixel / 255.0 - mean) / std / scale
            # Far outside of int8 already, but still small enough to become an integer.
            size = min(abs(real), 1024.0)
            whole = math.floor(size)
            rounded = whole + (size - whole >= 0.5)
            values.append(max(-128, min(127, (rounded if real >= 0 else -rounded) + zero_point)) & 0xFF)
    return bytes(values)


def preprocessing(
    color: Color,
    *,
    resize: Resize = Resize.SQUASH,
    mean: Sequence[float] = (0.0,),
    std: Sequence[float] = (1.0,),
) -> Preprocess:
    """Return a preprocessing; one value of mean or std stands for all channels.

    Raises:
        UsageError: mean or std above 1: they are in units of 0..1.
    """
    return Preprocess(
        color, resize, _per_channel("mean", tuple(mean), color), _per_channel("std", tuple(std), color)
    )


def _per_channel(name: str, values: tuple[float, ...], color: Color) -> tuple[float, ...]:
    if any(value > 1 for value in values):
        converted = ",".join(f"{value / 255:.4g}" for value in values)
        raise UsageError(
            f"{name} {','.join(f'{value:g}' for value in values)} is not in units of 0..1",
            f"if these are units of 0..255, give --{name} {converted}",
        )
    return values * color.channels if len(values) == 1 else values


IDENTITY_TABLE = bytes((pixel - 128) & 0xFF for pixel in range(256))
"""pixel - 128: the table of a model that was trained on pixels in 0..1 at scale 1/255."""


def for_graph(
    graph: Graph,
    *,
    preprocess: Preprocess | None,
    labels: tuple[str, ...] | None,
    oracle: str,
) -> Contract:
    """Make the contract of an int8 graph with one input and one output.

    Args:
        graph: the model; its input and output must be int8 with per-tensor quantisation.
        preprocess: None for an input that is not an image.
        labels: None means 0..N-1.
        oracle: name and version of the reference that the model was checked against.

    Raises:
        ModelError: more than one input or output, or not int8.
        UsageError: as many labels as classes are needed, mean and std must match the channels.
    """
    source, target = check_classifier(graph)
    classes = math.prod(target.shape)
    labels = tuple(str(i) for i in range(classes)) if labels is None else labels
    if len(labels) != classes:
        raise UsageError(
            f"{len(labels)} labels were given, but the model has {classes} outputs",
            "give one label per output, in the order of the training set's classes",
        )
    check_labels(labels)
    quantization = source.quantization
    output_quantization = target.quantization
    assert quantization is not None
    assert output_quantization is not None
    table = None
    if preprocess is not None:
        check_preprocess(preprocess, source.shape)
        table = pixel_table(preprocess, quantization.scale, quantization.zero_point)
    return Contract(
        input_shape=source.shape,
        input_scale=quantization.scale,
        input_zero_point=quantization.zero_point,
        output_shape=target.shape,
        output_scale=output_quantization.scale,
        output_zero_point=output_quantization.zero_point,
        labels=labels,
        oracle=oracle,
        preprocess=preprocess,
        table=table,
    )


def check_labels(labels: Sequence[str]) -> None:
    """Raise UsageError for a label with line breaks, control characters or marks that turn text round."""
    for label in labels:
        if not is_plain(label):
            raise UsageError(
                f"the label {label!r} is not plain text",
                "give labels without line breaks, control characters and direction marks",
            )


def implied(graph: Graph) -> Contract:
    """Return the contract assumed for a third-party model: pixel - 128, labels 0..N-1.

    A model whose input is not [1, H, W, 1 or 3] takes int8 tensors only. Raises ModelError as `for_graph`.
    """
    source, _ = check_classifier(graph)
    channels = source.shape[-1] if len(source.shape) == 4 else 0
    preprocess, table = None, None
    if channels in (1, 3):
        color = Color.GRAY if channels == 1 else Color.RGB
        preprocess = Preprocess(color, Resize.SQUASH, (0.0,) * channels, (1.0,) * channels)
        table = IDENTITY_TABLE * channels
    made = for_graph(graph, preprocess=preprocess, labels=None, oracle="")
    return replace(made, table=table, implied=True)


def of(graph: Graph) -> Contract:
    """Return the contract inside the model, or the implied one.

    Raises ModelError if it contradicts the model.
    """
    raw = graph.metadata.get(METADATA_NAME)
    if raw is None:
        return implied(graph)
    contract = from_json(raw)
    source, target = check_classifier(graph)
    expected = (source.shape, _scalar(source.quantization), target.shape, _scalar(target.quantization))
    found = (
        contract.input_shape,
        (contract.input_scale, contract.input_zero_point),
        contract.output_shape,
        (contract.output_scale, contract.output_zero_point),
    )
    if expected != found:
        raise ModelError(
            f"the contract inside the model says {found}, but the model itself says {expected}",
            "quantise the model again; something has edited the file",
        )
    return contract


def check_classifier(graph: Graph) -> tuple[Any, Any]:
    """Return the one int8 input tensor and the one int8 output tensor.

    Raises ModelError if there is no such pair.
    """
    for word, indices in (("input", graph.inputs), ("output", graph.outputs)):
        if len(indices) != 1:
            names = ", ".join(f"'{graph.tensor(i).name}'" for i in indices[:4]) or "none"
            names += ", ..." if len(indices) > 4 else ""
            raise ModelError(
                f"the model has {len(indices)} {word}s ({names}); edgekit takes classifiers with one {word}",
                "export the classifier alone",
            )
        tensor = graph.tensor(indices[0])
        if tensor.dtype is not DType.INT8:
            raise ModelError(
                f"the model's {word} '{tensor.name}' is {tensor.dtype}, but int8 is needed",
                "quantise it with `edgekit quantize MODEL.onnx --calibration DATA`",
            )
        if tensor.quantization is None or tensor.quantization.per_channel:
            raise ModelError(
                f"the model's {word} '{tensor.name}' has no per-tensor quantisation",
                "quantise the model with int8 input and output",
            )
        if not tensor.shape or tensor.shape[0] != 1:
            raise ModelError(
                f"the model's {word} '{tensor.name}' has shape {list(tensor.shape)}; the batch must be 1",
                "export the model with a fixed batch of 1",
            )
    source, target = graph.tensor(graph.inputs[0]), graph.tensor(graph.outputs[0])
    if target.elements > MAX_CLASSES:
        raise ModelError(
            f"the model's output '{target.name}' has {target.elements} values; "
            f"edgekit takes classifiers of at most {MAX_CLASSES} classes",
            "export the classifier alone",
        )
    return source, target


def from_json(raw: bytes) -> Contract:
    """Read a contract, trusting nothing in it. Raises ModelError naming the field that is wrong."""
    try:
        root = parse_json(raw)
    except ValueError as error:
        raise ModelError(f"the model's contract cannot be read: {error}") from error
    reader = JsonObject(root, "contract")
    if reader.integer("schema", 1, 1 << 16) != SCHEMA:
        raise ModelError(
            f"the model's contract has schema {reader.value['schema']}, this edgekit reads schema {SCHEMA}",
            f"upgrade edgekit: {install.newer()}",
        )
    source, target = reader.child("input"), reader.child("output")
    preprocess, table = None, None
    input_shape = source.shape("shape")
    if reader.value.get("preprocess") is not None:
        inner = reader.child("preprocess")
        preprocess = Preprocess(
            color=Color(inner.choice("color", [c.value for c in Color])),
            resize=Resize(inner.choice("resize", [r.value for r in Resize])),
            mean=inner.numbers("mean"),
            std=inner.numbers("std"),
        )
        try:
            check_preprocess(preprocess, input_shape)
        except UsageError as error:
            raise ModelError(f"{inner.path}: {error.message}") from error
        table = inner.base64("table", 256 * preprocess.color.channels)
    contract = Contract(
        input_shape=input_shape,
        input_scale=source.number("scale"),
        input_zero_point=source.integer("zero_point", -128, 127),
        output_shape=target.shape("shape"),
        output_scale=target.number("scale"),
        output_zero_point=target.integer("zero_point", -128, 127),
        labels=reader.strings("labels"),
        oracle=reader.string("oracle"),
        preprocess=preprocess,
        table=table,
    )
    if len(contract.labels) != contract.classes:
        raise ModelError(f"contract.labels has {len(contract.labels)} entries for {contract.classes} outputs")
    for text in (*contract.labels, contract.oracle):
        if not is_plain(text):
            raise ModelError(f"contract: {text!r} is not plain text")
    return contract


def _to_dict(contract: Contract) -> dict[str, Any]:
    preprocess = None
    if contract.preprocess is not None:
        preprocess = {
            "color": contract.preprocess.color.value,
            "resize": contract.preprocess.resize.value,
            "mean": list(contract.preprocess.mean),
            "std": list(contract.preprocess.std),
            "table": base64.b64encode(contract.table or b"").decode("ascii"),
        }
    return {
        "schema": SCHEMA,
        "input": {
            "shape": list(contract.input_shape),
            "dtype": "int8",
            "scale": contract.input_scale,
            "zero_point": contract.input_zero_point,
        },
        "output": {
            "shape": list(contract.output_shape),
            "dtype": "int8",
            "scale": contract.output_scale,
            "zero_point": contract.output_zero_point,
        },
        "preprocess": preprocess,
        "labels": list(contract.labels),
        "oracle": contract.oracle,
    }


def _scalar(quantization: Quantization | None) -> tuple[float, int] | None:
    return None if quantization is None else (quantization.scale, quantization.zero_point)


def check_preprocess(preprocess: Preprocess, shape: tuple[int, ...]) -> None:
    """Raise UsageError if colour, mean and std do not fit a model's input shape [1, H, W, C]."""
    channels = preprocess.color.channels
    if len(shape) != 4 or shape[3] != channels:
        raise UsageError(
            f"color '{preprocess.color}' has {channels} channel(s), but the model's input is {list(shape)}",
            "choose --color gray for one channel, rgb or bgr for three",
        )
    for name, values in (("mean", preprocess.mean), ("std", preprocess.std)):
        if len(values) != channels:
            raise UsageError(
                f"{name} has {len(values)} value(s) for {channels} channel(s)",
                "give one value per channel, or one for all",
            )
    if any(not math.isfinite(v) for v in preprocess.mean) or any(
        not (math.isfinite(v) and v > 0) for v in preprocess.std
    ):
        raise UsageError(
            f"mean {preprocess.mean} must be finite and std {preprocess.std} above 0",
            "give the values that the model was trained with, in units of 0..1",
        )
