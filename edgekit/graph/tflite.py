"""Reads a .tflite file (schema version 3) into a `Graph`, trusting nothing in it.

Whatever is wrong with the file becomes a `ModelError` in a plain sentence. What is read is what the later
stages can rely on: one subgraph in execution order, static shapes, constants as long as their tensors,
quantisation that is finite and of the right length.
"""

import hashlib
import math
from collections.abc import Mapping
from pathlib import Path

from edgekit import install
from edgekit.errors import ModelError
from edgekit.graph import recognise, schema
from edgekit.graph.flatbuffer import FlatBuffer, Table, damaged
from edgekit.graph.ir import DType, Graph, Op, OptionValue, Quantization, Tensor

MAX_FILE_BYTES = 1 << 28
_MAX_TENSOR_BYTES = (1 << 31) - 1
_MAX_RANK = 8
_MAX_NAME = 1024


def read(path: Path) -> Graph:
    """Read the model at `path`; the graph is named after the file.

    Raises:
        ModelError: the file cannot be read, is not a .tflite, or is damaged.
    """
    return parse_file(read_bytes(path), path)


def parse_file(data: bytes, path: Path) -> Graph:
    """Read `data`, the content of `path`, whose name stands in every error. Raises ModelError."""
    try:
        return parse(data, path.stem)
    except ModelError as error:
        raise type(error)(f"'{path}': {error.message}", error.hint, error.details) from error


def read_bytes(path: Path) -> bytes:
    """Return the content of a model file, of at most 256 MiB. Raises ModelError if it cannot be read."""
    try:
        if path.is_dir():
            raise ModelError(f"'{path}' is a folder, not a model file", "name a .tflite file")
        with path.open("rb") as file:
            data = file.read(MAX_FILE_BYTES + 1)
    except OSError as error:
        raise ModelError(
            f"cannot read the model '{path}': {error.strerror or error}", "make one with `edgekit quantize`"
        ) from error
    except ValueError as error:
        raise ModelError(f"cannot read the model: {error}") from error
    if len(data) > MAX_FILE_BYTES:
        raise ModelError(f"'{path}' is larger than {MAX_FILE_BYTES} bytes; no microcontroller can hold it")
    return data


def parse(data: bytes, name: str = "model") -> Graph:
    """Read the model in `data`.

    Raises:
        ModelError: it is not a .tflite, is damaged, or holds what edgekit cannot represent (more than one
            subgraph, dynamic shapes, sparse or variable tensors, external buffers).
    """
    if data[4:8] != schema.IDENTIFIER:
        what, hint = recognise.describe(data)
        raise ModelError(f"this is not a .tflite model; it looks like {what}", hint)
    model = FlatBuffer(data).root()
    version = model.uint32(schema.ModelSlot.VERSION)
    if version != schema.VERSION:
        raise ModelError(f"'{name}' has TFLite schema version {version}; edgekit reads version 3")
    subgraphs = model.targets(schema.ModelSlot.SUBGRAPHS)
    if len(subgraphs) != 1:
        raise ModelError(
            f"'{name}' has {len(subgraphs)} subgraphs; edgekit reads models with one",
            "export the model without control flow (IF, WHILE)",
        )
    subgraph = model.buffer.table(subgraphs[0])
    buffers = _buffers(model)
    tensors = tuple(
        _tensor(table, index, buffers)
        for index, table in enumerate(subgraph.tables(schema.SubGraphSlot.TENSORS))
    )
    codes = tuple(_code(table) for table in model.tables(schema.ModelSlot.OPERATOR_CODES))
    operators = subgraph.tables(schema.SubGraphSlot.OPERATORS)
    graph = Graph(
        name=name,
        tensors=tensors,
        ops=tuple(_op(table, index, codes, len(tensors)) for index, table in enumerate(operators)),
        inputs=_indices(subgraph, schema.SubGraphSlot.INPUTS, len(tensors), "the model's inputs"),
        outputs=_indices(subgraph, schema.SubGraphSlot.OUTPUTS, len(tensors), "the model's outputs"),
        metadata=_metadata(model, buffers),
    )
    _check_order(graph)
    return graph


def first_operators(data: bytes, count: int) -> bytes:
    """Return a model that `parse` reads, cut behind its first `count` operators, for an interpreter to run.

    Nothing makes its output then. Raises ModelError as `parse` does.
    """
    model = FlatBuffer(data).root()
    subgraph = model.buffer.table(model.targets(schema.ModelSlot.SUBGRAPHS)[0])
    place = subgraph.target(schema.SubGraphSlot.OPERATORS)
    return data[:place] + count.to_bytes(4, "little") + data[place + 4 :]


def _buffers(model: Table) -> tuple[bytes, ...]:
    """Return the content of all buffers, once each: tensors that share a buffer share its bytes."""
    found = []
    for index, table in enumerate(model.tables(schema.ModelSlot.BUFFERS)):
        if table.uint64(schema.BufferSlot.OFFSET) > 1 or table.uint64(schema.BufferSlot.SIZE) > 1:
            raise ModelError(
                f"buffer {index} of the model keeps its data outside the FlatBuffer",
                "convert the model again as one file below 2 GB",
            )
        found.append(table.blob(schema.BufferSlot.DATA))
    return tuple(found)


def _tensor(table: Table, index: int, buffers: tuple[bytes, ...]) -> Tensor:
    name = _name(table, schema.TensorSlot.NAME)
    what = f"tensor {index} '{name}'"
    number = table.int8(schema.TensorSlot.TYPE)
    dtype = schema.DTYPES.get(number)
    if dtype is None:
        known = schema.TENSOR_TYPES
        kind = known[number] if 0 <= number < len(known) else f"number {number}"
        raise ModelError(f"{what} has the element type {kind}, which edgekit cannot read")
    if table.place(schema.TensorSlot.SPARSITY):
        raise ModelError(f"{what} is sparse", "convert the model with dense weights")
    if table.int8(schema.TensorSlot.IS_VARIABLE):
        raise ModelError(f"{what} is a variable: the model keeps state between runs")
    if table.uint32(schema.TensorSlot.EXTERNAL_BUFFER):
        raise ModelError(f"{what} keeps its data in another file", "convert the model again as one file")
    shape = _shape(table, what)
    size = math.prod(shape) * dtype.size
    if size > _MAX_TENSOR_BYTES:
        raise ModelError(
            f"{what} of shape {list(shape)} needs {size} bytes; the limit is {_MAX_TENSOR_BYTES}"
        )
    place = table.uint32(schema.TensorSlot.BUFFER)
    if place >= len(buffers):
        raise damaged(f"{what} refers to buffer {place} of {len(buffers)}")
    data = buffers[place]
    if data and len(data) != size:
        raise damaged(f"{what} has {len(data)} bytes of data, its shape {list(shape)} needs {size}")
    return Tensor(index, name, shape, dtype, _quantization(table, what, dtype, shape), data or None)


def _name(table: Table, slot: int) -> str:
    """Return a name that may stand on a terminal: names come from strangers."""
    return "".join(c if c.isprintable() else "?" for c in table.string(slot)[:_MAX_NAME])


def _shape(table: Table, what: str) -> tuple[int, ...]:
    shape = table.int32s(schema.TensorSlot.SHAPE)
    if len(shape) > _MAX_RANK:
        raise ModelError(f"{what} has {len(shape)} dimensions; the limit is {_MAX_RANK}")
    signature = table.int32s(schema.TensorSlot.SHAPE_SIGNATURE)
    # Converters mark the batch as dynamic even where the file runs at batch 1; that one is harmless.
    dynamic = any(size < 0 for size in signature[1:]) or (signature[:1] == (-1,) and shape[:1] != (1,))
    if dynamic or any(size < 0 for size in shape):
        raise ModelError(
            f"{what} has the dynamic shape {list(signature or shape)[:_MAX_RANK]}",
            "export the model with fixed shapes and batch 1",
        )
    if 0 in shape:
        raise ModelError(f"{what} of shape {list(shape)} has no elements")
    return shape


def _quantization(table: Table, what: str, dtype: DType, shape: tuple[int, ...]) -> Quantization | None:
    inner = table.table(schema.TensorSlot.QUANTIZATION)
    if inner is None:
        return None
    if inner.uint8(schema.QuantizationSlot.DETAILS_TYPE):
        raise ModelError(f"{what} has blockwise or custom quantisation, which edgekit cannot read")
    scales = inner.float32s(schema.QuantizationSlot.SCALE)
    zero_points = inner.int64s(schema.QuantizationSlot.ZERO_POINT)
    if not scales:
        return None
    if len(zero_points) != len(scales):
        raise damaged(f"{what} has {len(scales)} scales and {len(zero_points)} zero points")
    axis = inner.int32(schema.QuantizationSlot.QUANTIZED_DIMENSION)
    if len(scales) == 1:
        axis = axis if 0 <= axis < len(shape) else 0
    elif not 0 <= axis < len(shape) or shape[axis] != len(scales):
        raise damaged(f"{what} of shape {list(shape)} has {len(scales)} scales along dimension {axis}")
    for scale in scales:
        if not (math.isfinite(scale) and scale > 0):
            raise damaged(f"{what} has the scale {scale}; scales are above 0")
    low, high = _RANGES.get(dtype, (-(1 << 31), (1 << 31) - 1))
    for zero_point in zero_points:
        if not low <= zero_point <= high:
            raise damaged(f"{what} has the zero point {zero_point}, outside the range of {dtype}")
    return Quantization(scales, zero_points, axis)


_RANGES = {DType.INT8: (-128, 127), DType.UINT8: (0, 255), DType.INT16: (-(1 << 15), (1 << 15) - 1)}


def _code(table: Table) -> tuple[str, int]:
    """Return the operator's name and version."""
    number = max(
        table.int8(schema.CodeSlot.DEPRECATED_BUILTIN_CODE), table.int32(schema.CodeSlot.BUILTIN_CODE)
    )
    version = table.int32(schema.CodeSlot.VERSION, 1)
    if not 0 <= number < len(schema.BUILTINS):
        raise ModelError(
            f"the model uses the builtin operator number {number}, which this edgekit does not know",
            f"upgrade edgekit: {install.newer()}",
        )
    kind = schema.BUILTINS[number]
    if kind == "CUSTOM":
        name = table.string(schema.CodeSlot.CUSTOM_CODE)[:64]
        safe = "".join(c if c.isascii() and (c.isalnum() or c in "_-.") else "_" for c in name)
        kind = f"CUSTOM:{safe}"
    return kind, version


def _op(table: Table, index: int, codes: tuple[tuple[str, int], ...], tensors: int) -> Op:
    place = table.uint32(schema.OperatorSlot.OPCODE_INDEX)
    if place >= len(codes):
        raise damaged(f"operator {index} refers to operator code {place} of {len(codes)}")
    kind, version = codes[place]
    what = f"operator {index} {kind}"
    if table.uint64(schema.OperatorSlot.LARGE_CUSTOM_OPTIONS_OFFSET) > 1:
        raise ModelError(f"{what} keeps its options outside the FlatBuffer")
    return Op(
        index=index,
        kind=kind,
        version=version,
        inputs=_indices(table, schema.OperatorSlot.INPUTS, tensors, f"the inputs of {what}", optional=True),
        outputs=_indices(table, schema.OperatorSlot.OUTPUTS, tensors, f"the outputs of {what}"),
        options=_options(table, kind, what),
    )


def _indices(table: Table, slot: int, tensors: int, what: str, *, optional: bool = False) -> tuple[int, ...]:
    found = table.int32s(slot)
    for index in found:
        if not (0 <= index < tensors or (optional and index == -1)):
            raise damaged(f"{what} name tensor {index} of {tensors}")
    return found


def _options(table: Table, kind: str, what: str) -> Mapping[str, OptionValue]:
    """Return all fields of the operator's option table; fields that are absent have the schema's defaults."""
    if kind.startswith("CUSTOM:"):
        raw = table.blob(schema.OperatorSlot.CUSTOM_OPTIONS)
        return {"custom_options_sha256": hashlib.sha256(raw).hexdigest()}
    expected = schema.OPTIONS.get(kind)
    if expected is None:
        return {}
    number = table.uint8(schema.OperatorSlot.BUILTIN_OPTIONS_TYPE)
    if number not in (0, expected.number):
        raise damaged(f"{what} carries the options of another operator (table {number})")
    options = table.table(schema.OperatorSlot.BUILTIN_OPTIONS) if number else None
    if options is None:
        return {option.name: option.default for option in expected.fields}
    return {option.name: _option(options, option, what) for option in expected.fields}


def _option(table: Table, option: schema.Option, what: str) -> OptionValue:
    match option.kind:
        case schema.Kind.BOOL:
            return bool(table.uint8(option.slot, int(bool(option.default))))
        case schema.Kind.INT:
            assert isinstance(option.default, int)
            return table.int32(option.slot, option.default)
        case schema.Kind.FLOAT:
            value = table.float32(option.slot)
            if not math.isfinite(value):
                raise damaged(f"{what} has {option.name} {value}")
            return value
        case schema.Kind.INTS:
            values = table.int32s(option.slot)
            if len(values) > _MAX_RANK:
                raise damaged(f"{what} has {len(values)} entries in {option.name}")
            return values
        case schema.Kind.ENUM:
            number = table.int8(option.slot)
            if not 0 <= number < len(option.choices):
                raise damaged(f"{what} has {option.name} {number}, which the schema does not know")
            return option.choices[number]


def _metadata(model: Table, buffers: tuple[bytes, ...]) -> Mapping[str, bytes]:
    found: dict[str, bytes] = {}
    for table in model.tables(schema.ModelSlot.METADATA):
        name = _name(table, schema.MetadataSlot.NAME)
        place = table.uint32(schema.MetadataSlot.BUFFER)
        if place >= len(buffers):
            raise damaged(f"the metadata '{name}' refers to buffer {place} of {len(buffers)}")
        found[name] = buffers[place]
    return found


def _check_order(graph: Graph) -> None:
    """Raise ModelError unless every tensor is made once, and before it is used."""
    if not graph.ops:
        raise ModelError(f"'{graph.name}' has no operators")
    made: set[int] = set()
    for index in graph.inputs:
        _make(graph, index, made, "the model's input list")
    for op in graph.ops:
        what = f"operator {op.index} {op.kind}"
        # Vela lists the NPU's scratch memory, which nobody makes, among its operator's inputs.
        for index in () if op.kind == "CUSTOM:ethos-u" else op.inputs:
            if index >= 0 and index not in made and not graph.tensor(index).is_constant:
                raise damaged(f"{what} reads tensor {index} '{graph.tensor(index).name}' before it is made")
        for index in op.outputs:
            _make(graph, index, made, what)
    for index in graph.outputs:
        if index not in made:
            raise damaged(f"no operator makes the model's output '{graph.tensor(index).name}'")


def _make(graph: Graph, index: int, made: set[int], what: str) -> None:
    tensor = graph.tensor(index)
    if tensor.is_constant:
        raise damaged(f"{what} writes to the constant tensor {index} '{tensor.name}'")
    if index in made:
        raise damaged(f"{what} makes tensor {index} '{tensor.name}' a second time")
    made.add(index)
