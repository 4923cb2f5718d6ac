"""Which operators TensorFlow Lite Micro has, in the releases that boards are built with.

A model is refused here, before anything is generated, instead of on the board, where the same lack ends in
a line of log and no scores.
"""

from dataclasses import dataclass

from edgekit.errors import ProjectError, UnsupportedOpError
from edgekit.graph.ir import Graph, Op

NPU = "CUSTOM:ethos-u"
"""The operator that Vela puts in the place of all that runs on the Ethos-U."""
_NPU_METHOD = "AddEthosU"
_MAX_SLICED_RANK = 4

# The methods of MicroMutableOpResolver that register a builtin, without `Add`: esp-tflite-micro 1.4.0, which
# has those of tflite-micro of August 2026. Operators of its signal library are no builtins.
_METHOD_TEXT = """
    ABS:Abs ADD:Add ADD_N:AddN ARG_MAX:ArgMax ARG_MIN:ArgMin ASSIGN_VARIABLE:AssignVariable
    AVERAGE_POOL_2D:AveragePool2D BATCH_MATMUL:BatchMatMul BATCH_TO_SPACE_ND:BatchToSpaceNd
    BROADCAST_ARGS:BroadcastArgs BROADCAST_TO:BroadcastTo CALL_ONCE:CallOnce CAST:Cast CEIL:Ceil
    CONCATENATION:Concatenation CONV_2D:Conv2D COS:Cos CUMSUM:CumSum DEPTHWISE_CONV_2D:DepthwiseConv2D
    DEPTH_TO_SPACE:DepthToSpace DEQUANTIZE:Dequantize DIV:Div DYNAMIC_UPDATE_SLICE:DynamicUpdateSlice
    ELU:Elu EMBEDDING_LOOKUP:EmbeddingLookup EQUAL:Equal EXP:Exp EXPAND_DIMS:ExpandDims FILL:Fill
    FLOOR:Floor FLOOR_DIV:FloorDiv FLOOR_MOD:FloorMod FULLY_CONNECTED:FullyConnected GATHER:Gather
    GATHER_ND:GatherNd GREATER:Greater GREATER_EQUAL:GreaterEqual HARD_SWISH:HardSwish IF:If
    L2_NORMALIZATION:L2Normalization L2_POOL_2D:L2Pool2D LEAKY_RELU:LeakyRelu LESS:Less
    LESS_EQUAL:LessEqual LOG:Log LOGICAL_AND:LogicalAnd LOGICAL_NOT:LogicalNot LOGICAL_OR:LogicalOr
    LOGISTIC:Logistic LOG_SOFTMAX:LogSoftmax MAXIMUM:Maximum MAX_POOL_2D:MaxPool2D MEAN:Mean
    MINIMUM:Minimum MIRROR_PAD:MirrorPad MUL:Mul NEG:Neg NOT_EQUAL:NotEqual PACK:Pack PAD:Pad PADV2:PadV2
    PRELU:Prelu QUANTIZE:Quantize READ_VARIABLE:ReadVariable REDUCE_ALL:ReduceAll REDUCE_MAX:ReduceMax
    REDUCE_MIN:ReduceMin RELU:Relu RELU6:Relu6 RESHAPE:Reshape RESIZE_BILINEAR:ResizeBilinear
    RESIZE_NEAREST_NEIGHBOR:ResizeNearestNeighbor REVERSE_V2:ReverseV2 ROUND:Round RSQRT:Rsqrt
    SELECT_V2:SelectV2 SHAPE:Shape SIN:Sin SLICE:Slice SOFTMAX:Softmax SPACE_TO_BATCH_ND:SpaceToBatchNd
    SPACE_TO_DEPTH:SpaceToDepth SPLIT:Split SPLIT_V:SplitV SQRT:Sqrt SQUARE:Square
    SQUARED_DIFFERENCE:SquaredDifference SQUEEZE:Squeeze STRIDED_SLICE:StridedSlice SUB:Sub SUM:Sum
    SVDF:Svdf TANH:Tanh TRANSPOSE:Transpose TRANSPOSE_CONV:TransposeConv
    UNIDIRECTIONAL_SEQUENCE_LSTM:UnidirectionalSequenceLSTM UNPACK:Unpack VAR_HANDLE:VarHandle WHILE:While
    ZEROS_LIKE:ZerosLike
"""
_METHODS = {
    kind: f"Add{method}" for kind, _, method in (pair.partition(":") for pair in _METHOD_TEXT.split())
}

_REPLACEMENTS = {
    "GELU": "RELU, RELU6 or HARD_SWISH",
    "RELU_0_TO_1": "RELU6 and a factor",
    "RELU_N1_TO_1": "TANH or RELU6",
}


@dataclass(frozen=True, slots=True)
class Library:
    """One release of TensorFlow Lite Micro that a board's SDK brings."""

    name: str
    """As board files name it: build.facts.tflm_library."""
    source: str
    """Where its list of operators was read."""
    lacks: frozenset[str] = frozenset()
    """Builtins of the list above that it does not have."""

    @property
    def operators(self) -> tuple[str, ...]:
        """All builtins that it can run, sorted."""
        return tuple(sorted(set(_METHODS) - self.lacks))


_LIBRARIES = (
    Library(
        "esp-tflite-micro 1.4.0",
        "espressif/esp-tflite-micro 99f49e1, tensorflow/lite/micro/micro_mutable_op_resolver.h",
    ),
    Library(
        "tflmtag2412_u55tag2411",
        "HimaxWiseEyePlus/Seeed_Grove_Vision_AI_Module_V2 d3265e2, EPII_CM55M_APP_S/library/inference/"
        "tflmtag2412_u55tag2411/tensorflow/lite/micro/micro_mutable_op_resolver.h",
        frozenset({"DYNAMIC_UPDATE_SLICE", "REDUCE_ALL", "REDUCE_MIN", "REVERSE_V2"}),
    ),
)


def library(name: str) -> Library:
    """Return a known release by its name. Raises ProjectError naming all that are known."""
    for known in _LIBRARIES:
        if known.name == name:
            return known
    raise ProjectError(
        f"'{name}' is no release of TensorFlow Lite Micro whose operators are known",
        f"in the board file, tflm_library may be {', '.join(known.name for known in _LIBRARIES)}",
    )


def check(graph: Graph, release: Library) -> None:
    """Raise UnsupportedOpError if the release lacks operators of the graph; all of them are listed."""
    refused = [(op, reason) for op in graph.ops if (reason := _problem(graph, op, release))]
    if not refused:
        return
    lines = [f"{release.name} cannot run {len(refused)} of the model's {len(graph.ops)} operators:"]
    lines += [f"  operator {op.index} {op.kind} '{_output(graph, op)}': {reason}" for op, reason in refused]
    advice = sorted(
        {f"{op.kind} by {_REPLACEMENTS[op.kind]}" for op, _ in refused if op.kind in _REPLACEMENTS}
    )
    replace = f"replace {', '.join(advice)}; " if advice else ""
    raise UnsupportedOpError(
        "\n".join(lines),
        f"{replace}supported are {', '.join(release.operators)}",
        {"operators": sorted({op.kind for op, _ in refused}), "library": release.name},
    )


def methods(graph: Graph) -> tuple[str, ...]:
    """Return the resolver's methods that register exactly the graph's operators, each once, sorted."""
    return tuple(sorted({_NPU_METHOD if op.kind == NPU else _METHODS[op.kind] for op in graph.ops}))


def _problem(graph: Graph, op: Op, release: Library) -> str:
    if op.kind == NPU:
        return "the model has been through Vela already; give the model that it was made from"
    if op.kind not in _METHODS:
        return "TensorFlow Lite Micro has no kernel for it"
    if op.kind in release.lacks:
        return f"{release.name} is older than its kernel"
    if op.kind == "STRIDED_SLICE" and op.inputs and op.inputs[0] >= 0:
        rank = len(graph.tensor(op.inputs[0]).shape)
        if rank > _MAX_SLICED_RANK:
            return f"it slices {rank} dimensions, and at most {_MAX_SLICED_RANK} can be"
    return ""


def _output(graph: Graph, op: Op) -> str:
    return graph.tensor(op.outputs[0]).name if op.outputs else "?"
