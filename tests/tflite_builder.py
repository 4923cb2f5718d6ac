"""Builds small .tflite files for tests, straight from the schema: no converter, no TensorFlow.

    from tflite_builder import Value, build, build_graph, Node

    data = build(
        "CONV_2D",
        inputs=[
            Value((1, 5, 5, 2), scales=(0.5,), zero_points=(3,)),
            Value((4, 3, 3, 2), scales=(0.1,) * 4, zero_points=(0,) * 4, data=weights),
            Value((4,), "int32", scales=(0.05,) * 4, zero_points=(0,) * 4, data=bias),
        ],
        outputs=[Value((1, 5, 5, 4), scales=(0.25,), zero_points=(-128,))],
        options={"padding": "SAME", "stride_w": 1, "stride_h": 1, "fused_activation_function": "RELU"},
    )

Options have the schema's names and enums are given by name, as in `edgekit.graph.ir.Op.options`; fields
that are not given keep the schema's defaults. Values without data are inputs of the model. Nothing is
checked: a test may build nonsense on purpose.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

OPTIONS_OF = {
    "ADD": "AddOptions",
    "ARG_MAX": "ArgMaxOptions",
    "AVERAGE_POOL_2D": "Pool2DOptions",
    "BATCH_MATMUL": "BatchMatMulOptions",
    "CONCATENATION": "ConcatenationOptions",
    "CONV_2D": "Conv2DOptions",
    "DEPTHWISE_CONV_2D": "DepthwiseConv2DOptions",
    "DEQUANTIZE": "DequantizeOptions",
    "EXPAND_DIMS": "ExpandDimsOptions",
    "FULLY_CONNECTED": "FullyConnectedOptions",
    "GATHER": "GatherOptions",
    "GELU": "GeluOptions",
    "LEAKY_RELU": "LeakyReluOptions",
    "MAX_POOL_2D": "Pool2DOptions",
    "MEAN": "ReducerOptions",
    "MUL": "MulOptions",
    "PAD": "PadOptions",
    "PADV2": "PadV2Options",
    "QUANTIZE": "QuantizeOptions",
    "RESHAPE": "ReshapeOptions",
    "RESIZE_BILINEAR": "ResizeBilinearOptions",
    "RESIZE_NEAREST_NEIGHBOR": "ResizeNearestNeighborOptions",
    "SHAPE": "ShapeOptions",
    "SLICE": "SliceOptions",
    "SOFTMAX": "SoftmaxOptions",
    "SPLIT": "SplitOptions",
    "SPLIT_V": "SplitVOptions",
    "SQUEEZE": "SqueezeOptions",
    "STRIDED_SLICE": "StridedSliceOptions",
    "SUB": "SubOptions",
    "TRANSPOSE": "TransposeOptions",
}
"""Kinds that have an option table; any other kind is written without one."""

ENUMS = {
    "padding": "Padding",
    "fused_activation_function": "ActivationFunctionType",
    "weights_format": "FullyConnectedOptionsWeightsFormat",
    "quantized_bias_type": "TensorType",
    "output_type": "TensorType",
    "out_type": "TensorType",
}

VERSIONS = {
    "CONV_2D": 6,
    "DEPTHWISE_CONV_2D": 6,
    "FULLY_CONNECTED": 9,
    "RESHAPE": 1,
    "PRELU": 1,
    "BATCH_MATMUL": 4,
}
"""Versions that allow int8 with per-channel weights and dilation; 2 for the kinds not named."""


@dataclass(frozen=True)
class Value:
    """A tensor: shape, element type, quantisation, and the data of a constant."""

    shape: tuple[int, ...]
    dtype: str = "int8"
    scales: Sequence[float] = ()
    zero_points: Sequence[int] = ()
    axis: int = 0
    data: "np.ndarray[Any, Any] | bytes | None" = None
    name: str = ""


@dataclass(frozen=True)
class Node:
    """An operator; inputs and outputs are indices into the list of values, -1 for an absent input."""

    kind: str
    inputs: Sequence[int]
    outputs: Sequence[int]
    options: Mapping[str, Any] = field(default_factory=dict)
    version: int | None = None
    custom_code: str | None = None


def build(
    kind: str,
    inputs: Sequence[Value | None],
    outputs: Sequence[Value],
    options: Mapping[str, Any] | None = None,
    *,
    version: int | None = None,
) -> bytes:
    """Return a model of one operator; an input of None is absent (-1)."""
    values = [v for v in inputs if v is not None] + list(outputs)
    places: list[int] = []
    for value in inputs:
        places.append(-1 if value is None else len([p for p in places if p >= 0]))
    first_output = len(values) - len(outputs)
    return build_graph(
        values,
        [Node(kind, places, list(range(first_output, len(values))), options or {}, version)],
        inputs=[p for p in places if p >= 0 and values[p].data is None],
        outputs=list(range(first_output, len(values))),
    )


def build_graph(
    values: Sequence[Value],
    nodes: Sequence[Node],
    inputs: Sequence[int],
    outputs: Sequence[int],
    metadata: Mapping[str, bytes] | None = None,
) -> bytes:
    """Return a model of one subgraph, with `nodes` in execution order."""
    import flatbuffers
    from ai_edge_litert import schema_py_generated as schema

    model = schema.ModelT()
    model.version = 3
    model.description = "edgekit test"
    model.buffers = [_buffer(schema, b"")]
    graph = schema.SubGraphT()
    graph.name = "main"
    graph.tensors = [_tensor(schema, model, value, i) for i, value in enumerate(values)]
    graph.inputs = list(inputs)
    graph.outputs = list(outputs)
    codes: list[tuple[str, int, str | None]] = []
    graph.operators = []
    for node in nodes:
        key = (node.kind, node.version or VERSIONS.get(node.kind, 2), node.custom_code)
        if key not in codes:
            codes.append(key)
        graph.operators.append(_operator(schema, node, codes.index(key)))
    model.operatorCodes = [_code(schema, *key) for key in codes]
    model.subgraphs = [graph]
    model.metadata = []
    for name, content in (metadata or {}).items():
        model.buffers.append(_buffer(schema, content))
        entry = schema.MetadataT()
        entry.name = name
        entry.buffer = len(model.buffers) - 1
        model.metadata.append(entry)
    builder = flatbuffers.Builder(1024)
    builder.Finish(model.Pack(builder), b"TFL3")
    return bytes(builder.Output())


def _buffer(schema: Any, content: bytes) -> Any:
    buffer = schema.BufferT()
    if content:
        buffer.data = np.frombuffer(content, np.uint8)
    return buffer


def _tensor(schema: Any, model: Any, value: Value, index: int) -> Any:
    tensor = schema.TensorT()
    tensor.name = value.name or f"tensor_{index}"
    tensor.shape = list(value.shape)
    tensor.type = getattr(schema.TensorType, value.dtype.upper())
    tensor.buffer = 0
    if value.data is not None:
        raw = value.data
        if not isinstance(raw, bytes):
            raw = np.ascontiguousarray(raw, np.dtype(value.dtype).newbyteorder("<")).tobytes()
        model.buffers.append(_buffer(schema, raw))
        tensor.buffer = len(model.buffers) - 1
    if len(value.scales):
        tensor.quantization = schema.QuantizationParametersT()
        tensor.quantization.scale = np.asarray(value.scales, np.float32)
        tensor.quantization.zeroPoint = np.asarray(value.zero_points, np.int64)
        tensor.quantization.quantizedDimension = value.axis
    return tensor


def _operator(schema: Any, node: Node, code: int) -> Any:
    operator = schema.OperatorT()
    operator.opcodeIndex = code
    operator.inputs = list(node.inputs)
    operator.outputs = list(node.outputs)
    table = OPTIONS_OF.get(node.kind)
    if table is not None:
        options = getattr(schema, f"{table}T")()
        for key, given in node.options.items():
            enum = ENUMS.get(key)
            is_name = enum is not None and isinstance(given, str)
            setattr(options, _camel(key), getattr(getattr(schema, enum or ""), given) if is_name else given)
        operator.builtinOptionsType = getattr(schema.BuiltinOptions, table)
        operator.builtinOptions = options
    return operator


def _code(schema: Any, kind: str, version: int, custom_code: str | None) -> Any:
    code = schema.OperatorCodeT()
    number = getattr(schema.BuiltinOperator, kind)
    code.builtinCode = number
    code.deprecatedBuiltinCode = min(number, 127)
    code.version = version
    code.customCode = custom_code
    return code


def _camel(name: str) -> str:
    first, *rest = name.split("_")
    return first + "".join(part.capitalize() for part in rest)
