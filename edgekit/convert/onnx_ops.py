"""Which ONNX operators become int8 TFLite operators, and what could stand in for the others."""

from collections import Counter
from typing import Any

from edgekit.errors import UnsupportedOpError

# Converted one by one with the locked onnx2tf and TensorFlow; tests/convert holds a sample of them there.
_NAMES = """
    Abs Add AveragePool BatchNormalization Cast Celu Clip Concat Constant Conv Div Dropout Einsum Exp Expand
    Flatten Gather Gelu Gemm GlobalAveragePool GlobalMaxPool Greater HardSigmoid HardSwish Identity
    LayerNormalization LeakyRelu Less Log LogSoftmax MatMul Max MaxPool Mean Min Mish Mul PRelu Pad Pow
    Reciprocal ReduceMax ReduceMean ReduceMin Relu Reshape Resize Sigmoid Slice Softmax Softplus Softsign
    SpaceToDepth Split Sqrt Squeeze Sub Tanh Transpose Unsqueeze Where
"""
CONVERTIBLE = frozenset(_NAMES.split())
# What exporters compute shapes and masks with; simplifying leaves none of it when all sizes are fixed.
_SHAPE_NAMES = """
    And ConstantOfShape CumSum Equal Floor Ceil GatherElements GatherND GreaterOrEqual LessOrEqual Mod Neg
    NonZero Not OneHot Or Range ReduceProd ReduceSum ScatterND Shape Sign Size Sum Tile Trilu
"""
FOLDABLE = frozenset(_SHAPE_NAMES.split())
_INSTEAD = {
    "ArgMax": "leave it out and export the scores; edgekit sorts them itself",
    "DequantizeLinear": "export the float model; edgekit quantises it",
    "Elu": "train with ReLU or HardSwish",
    "Erf": "export with opset 20 or later, where GELU stays one operator",
    "GRU": "use convolutions over time; recurrent layers are not quantised",
    "GridSample": "use Resize, or resample before the model",
    "If": "trace the model, so that the branch is fixed",
    "InstanceNormalization": "train with BatchNormalization, which disappears into the convolutions",
    "LRN": "train with BatchNormalization, which disappears into the convolutions",
    "LSTM": "use convolutions over time; recurrent layers are not quantised",
    "Loop": "trace the model, so that the loop is unrolled",
    "Neg": "multiply by -1",
    "NonMaxSuppression": "export the classifier alone; detection is not supported",
    "QLinearConv": "export the float model; edgekit quantises it",
    "QuantizeLinear": "export the float model; edgekit quantises it",
    "RNN": "use convolutions over time; recurrent layers are not quantised",
    "ReduceL1": "use ReduceMean",
    "ReduceL2": "use ReduceMean",
    "ReduceSum": "use ReduceMean and multiply by the number of elements",
    "Scan": "trace the model, so that the loop is unrolled",
    "Selu": "train with ReLU or HardSwish",
    "Sum": "use Add",
    "TopK": "leave it out and export the scores; edgekit sorts them itself",
}
_OTHERWISE = "replace it in the model with convolutions, ReLU, pooling or additions"


def check(proto: Any, name: str, *, simplified: bool) -> None:
    """Raise UnsupportedOpError that lists every operator of the model that cannot become int8 TFLite.

    Before simplifying, operators that may fold into constants pass.
    """
    known = CONVERTIBLE if simplified else CONVERTIBLE | FOLDABLE
    found: Counter[str] = Counter()
    where: dict[str, str] = {}
    for node in proto.graph.node:
        if node.domain in ("", "ai.onnx") and node.op_type in known:
            continue
        kind = node.op_type if node.domain in ("", "ai.onnx") else f"{node.domain}.{node.op_type}"
        found[kind] += 1
        where.setdefault(kind, node.name or (node.output[0] if node.output else "?"))
    if not found:
        return
    lines = [
        f"  {kind} ({count}x, first at '{where[kind]}'): {_instead(kind)}"
        for kind, count in sorted(found.items())
    ]
    raise UnsupportedOpError(
        f"'{name}' has {len(found)} kind(s) of operators that cannot become int8 TFLite:\n"
        + "\n".join(lines),
        "change the model and export it again",
    )


def _instead(kind: str) -> str:
    if "." in kind:
        return "use operators of ONNX itself"
    return _INSTEAD.get(kind, _OTHERWISE)
