"""Reads an ONNX classifier without trusting it, and fixes its shapes. The file itself is never written."""

import math
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from edgekit.convert import onnx_ops
from edgekit.convert.onnx_model import OnnxModel
from edgekit.errors import MissingExtraError, ModelError, UsageError
from edgekit.files import open_regular, read_regular

_FLOAT = 1
_EXTERNAL = 1
_MOST_BYTES = (1 << 31) - 1
"""What protobuf can hold. Many tensors may name the same bytes of a file, and each gets its own copy."""


def load(path: Path, *, size: tuple[int, int] | None = None) -> OnnxModel:
    """Read the ONNX model at `path`, with its external data when that lies in the same folder.

    Args:
        path: the file.
        size: (height, width), for a model that leaves them open.

    Raises:
        ModelError: damaged; not one float image input and one output; axes left open.
        UnsupportedOpError: listing every operator that cannot be converted.
        UsageError: `size` contradicts the model.
        MissingExtraError: onnx is not installed.
    """
    try:
        raw = read_regular(path, _MOST_BYTES)
    except OSError as error:
        raise ModelError(
            f"cannot read the model '{path}': {error.strerror or error}", "check the path"
        ) from error
    return parse(raw, path.name, folder=path.parent, size=size)


def parse(
    raw: bytes,
    name: str,
    *,
    folder: Path | None = None,
    size: tuple[int, int] | None = None,
    notes: tuple[str, ...] = (),
) -> OnnxModel:
    """Read a serialised ONNX model. `folder` is where external data may lie. Raises as `load`."""
    onnx = import_onnx()
    from google.protobuf.message import DecodeError  # type: ignore[import-untyped]

    try:
        proto = onnx.load_model_from_string(raw)
    except DecodeError as error:
        raise ModelError(
            f"'{name}' is no readable ONNX model: {error}", "export or download the model again"
        ) from error
    # Neither belongs to inference: `onnx_ops.check` lets no node call a function of the model's own.
    del proto.functions[:], proto.training_info[:]
    _read_external(proto, folder, name)
    _check_text(proto, name)
    onnx_ops.check(proto, name, simplified=False)
    _check_operands(proto, name)
    source, classes, channels_last = _fix_shapes(proto, name, size)
    _check(proto, name)
    shape = tuple(dim.dim_value for dim in source.type.tensor_type.shape.dim)
    return OnnxModel(
        proto=proto.SerializeToString(deterministic=True),
        name=name,
        input_name=source.name,
        input_shape=(shape[0], shape[1], shape[2], shape[3]),
        channels_last=channels_last,
        classes=classes,
        notes=notes,
    )


def import_onnx() -> Any:
    """Return the package onnx. Raises MissingExtraError."""
    try:
        import onnx
    except ModuleNotFoundError as error:
        raise MissingExtraError("onnx", "convert", "quantising a model") from error
    return onnx


def _check_text(proto: Any, name: str) -> None:
    """Raise ModelError if a name is not UTF-8; protobuf hands such names out as bytes."""
    graph = proto.graph
    named = (*graph.input, *graph.output, *graph.initializer, *graph.node)
    texts = [value.name for value in named]
    for node in graph.node:
        texts += [node.op_type, node.domain, *node.input, *node.output]
    if not all(isinstance(text, str) for text in texts):
        raise ModelError(f"'{name}' is damaged: a name in it is not text", "export or download it again")


def _check(proto: Any, name: str) -> None:
    import onnx

    try:
        onnx.checker.check_model(proto)
    except (onnx.checker.ValidationError, ValueError) as error:
        reason = str(error).strip().splitlines()[0]
        raise ModelError(f"'{name}' is not valid ONNX: {reason}", "export the model again") from error


def _check_operands(proto: Any, name: str) -> None:
    """Raise ModelError if a node lacks an input: ONNX's check lets that pass, and ONNX Runtime reads it."""
    from onnx import defs

    versions = {entry.domain: entry.version for entry in proto.opset_import}
    for node in proto.graph.node:
        try:
            known = defs.get_schema(node.op_type, versions.get(node.domain, 0), node.domain).inputs
        except defs.SchemaError:
            continue  # ONNX's check refuses it
        for place, operand in enumerate(node.input if known else ()):
            optional = (
                known[min(place, len(known) - 1)].option == defs.OpSchema.FormalParameterOption.Optional
            )
            if not operand and not optional:
                raise ModelError(
                    f"'{name}' is not valid ONNX: input {place} of {node.op_type} '{node.name}' is missing",
                    "export the model again",
                )


def _fix_shapes(proto: Any, name: str, size: tuple[int, int] | None) -> tuple[Any, int, bool]:
    """Fix the batch to 1 and open sizes to `size`; return the input, the classes and the layout."""
    graph = proto.graph
    stored = {tensor.name for tensor in graph.initializer}
    inputs = [value for value in graph.input if value.name not in stored]
    _one(inputs, "input", name)
    _one(graph.output, "output", name)
    source = inputs[0]
    tensor = source.type.tensor_type
    if tensor.elem_type != _FLOAT:
        raise ModelError(
            f"the input '{source.name}' of '{name}' is not float32", "export the model with a float32 input"
        )
    dims = tensor.shape.dim
    if len(dims) != 4:
        raise ModelError(
            f"the input '{source.name}' of '{name}' has the shape {_shape(dims)}; "
            "edgekit quantises classifiers of images, [1, C, H, W]",
            "reshape the image inside the model",
        )
    channels_last = dims[1].dim_value not in (1, 3) and dims[3].dim_value in (1, 3)
    if not channels_last and dims[1].dim_value not in (1, 3):
        raise ModelError(
            f"the input '{source.name}' of '{name}' has the shape {_shape(dims)}; "
            "images have 1 or 3 channels",
            "export the model with the shape [1, C, H, W]",
        )
    given = _shape(dims)
    _fix_batch(dims[0], source.name, name)
    _fix_size((dims[1], dims[2]) if channels_last else (dims[2], dims[3]), source.name, given, name, size)
    return source, _fix_output(proto, name), channels_last


def _one(values: Any, word: str, name: str) -> None:
    if len(values) != 1:
        names = ", ".join(f"'{value.name}'" for value in values) or "none"
        raise ModelError(
            f"'{name}' has {len(values)} {word}s ({names}); edgekit takes classifiers with one {word}",
            "export the classifier alone",
        )


def _fix_batch(dim: Any, source: str, name: str) -> None:
    if dim.dim_value > 1:
        raise ModelError(
            f"the input '{source}' of '{name}' has a fixed batch of {dim.dim_value}",
            "export the model with a batch of 1",
        )
    dim.Clear()
    dim.dim_value = 1


def _fix_size(
    dims: tuple[Any, Any], source: str, given: str, name: str, size: tuple[int, int] | None
) -> None:
    found = tuple(dim.dim_value for dim in dims)
    if size is None and min(found) < 1:
        raise ModelError(
            f"the input '{source}' of '{name}' has the open shape {given}",
            "say its height and width with --size HxW, or export the model with a fixed size",
        )
    for dim, have, want in zip(dims, found, size or found, strict=True):
        if have > 0 and have != want:
            raise UsageError(
                f"--size {'x'.join(map(str, size or ()))} contradicts '{name}', "
                f"whose input has the fixed shape {given}",
                "leave --size out",
            )
        dim.Clear()
        dim.dim_value = want


def _fix_output(proto: Any, name: str) -> int:
    """Infer the shapes anew for a batch of 1, and return how many scores there are."""
    import onnx

    graph = proto.graph
    del graph.value_info[:]
    target = graph.output[0]
    declared = len(target.type.tensor_type.shape.dim)
    target.type.tensor_type.ClearField("shape")
    try:
        inferred = onnx.shape_inference.infer_shapes(proto, data_prop=True)
    except (onnx.shape_inference.InferenceError, RuntimeError, ValueError) as error:
        reason = str(error).strip().splitlines()[0]
        raise ModelError(f"the shapes inside '{name}' contradict each other: {reason}") from error
    dims = list(inferred.graph.output[0].type.tensor_type.shape.dim)
    shape = [dim.dim_value for dim in dims]
    # A reshape by computed sizes hides the output's shape here; running the model shows it later.
    if not dims or min(shape) < 1:
        shape = [1] * max(0, declared - 1) + _run_once(proto, name)[-1:]
    if shape[0] != 1 or max(shape) != math.prod(shape):
        raise ModelError(
            f"the output '{target.name}' of '{name}' has the shape {shape}; a classifier's is [1, classes]",
            "export the classifier alone, without detection or segmentation outputs",
        )
    target.type.tensor_type.shape.Clear()
    for value in shape:
        target.type.tensor_type.shape.dim.add().dim_value = value
    return int(max(shape))


def _run_once(proto: Any, name: str) -> list[int]:
    import numpy as np

    from edgekit.convert import float_model

    source = next(v for v in proto.graph.input if v.name not in {t.name for t in proto.graph.initializer})
    shape = [dim.dim_value for dim in source.type.tensor_type.shape.dim]
    runner = float_model.session(proto.SerializeToString(), name)
    scores = float_model.run(runner, name, source.name, np.zeros(shape, np.float32))
    return [int(size) for size in scores.shape]


def _shape(dims: Any) -> str:
    return "[" + ", ".join(str(d.dim_value or d.dim_param or "?") for d in dims) + "]"


def _read_external(proto: Any, folder: Path | None, name: str) -> None:
    """Bring weights that lie in other files into the model; they must lie in the model's own folder."""
    left = _MOST_BYTES
    for tensor in _tensors(proto):
        if tensor.data_location != _EXTERNAL:
            continue
        entries = {entry.key: entry.value for entry in tensor.external_data}
        location = entries.get("location", "")
        # Bytes are what protobuf makes of a text that is no UTF-8.
        if folder is None or not isinstance(location, str) or "\0" in location:
            raise ModelError(f"'{name}' keeps weights in another file, {location!r}")
        home = folder.resolve()
        path = (home / location).resolve()
        if not location or Path(location).is_absolute() or not path.is_relative_to(home) or path == home:
            raise ModelError(
                f"'{name}' keeps weights in '{location}', outside its own folder; edgekit does not follow it",
                "export the model with its weights beside it or inside",
            )
        try:
            offset, length = int(entries.get("offset", 0)), int(entries.get("length", -1))
            end = path.stat().st_size
            length = end - offset if length < 0 else length
            if offset < 0 or offset + length > end:
                raise ModelError(f"'{path}' ends before the weights '{tensor.name}' of '{name}'")
            left -= length
            if left < 0:
                raise ModelError(
                    f"'{name}' keeps more than 2 GiB of weights in other files", "choose a smaller network"
                )
            with open_regular(path) as file:
                file.seek(offset)
                tensor.raw_data = file.read(length)
        except (OSError, ValueError) as error:
            raise ModelError(
                f"cannot read the weights '{tensor.name}' of '{name}' from '{location}': {error}",
                "keep the model's data file beside it",
            ) from error
        del tensor.external_data[:]
        tensor.ClearField("data_location")


def _tensors(message: Any) -> Iterator[Any]:
    """Yield every tensor inside a message, wherever ONNX may one day allow one."""
    if message.DESCRIPTOR.name == "TensorProto":
        yield message
        return
    for field, value in message.ListFields():
        if field.message_type is not None:
            for inner in (value,) if hasattr(value, "ListFields") else value:
                yield from _tensors(inner)
