"""Prepares an ONNX graph for onnx2tf: constants folded, awkward operators rewritten."""

from typing import Any

import numpy as np

from edgekit.convert import dense, from_onnx, onnx_ops
from edgekit.convert.onnx_model import OnnxModel
from edgekit.convert.silence import captured
from edgekit.errors import MissingExtraError, ModelError


def simplify(model: OnnxModel) -> Any:
    """Return a ModelProto that computes the same with fewer and simpler operators.

    Raises:
        UnsupportedOpError: listing every operator that cannot be converted.
        ModelError: onnxslim fails on the model.
        MissingExtraError: onnxslim is not installed.
    """
    onnx = from_onnx.import_onnx()
    try:
        import onnxslim
    except ImportError as error:
        raise MissingExtraError("onnxslim", "convert", "quantising a model") from error
    proto = onnx.load_model_from_string(model.proto)
    try:
        with captured("onnxslim"):
            slim = onnxslim.slim(proto)
    except Exception as error:  # whatever a converter raises on a model it cannot digest
        raise ModelError(
            f"simplifying '{model.name}' failed: {type(error).__name__}: {error}", "export the model again"
        ) from error
    onnx_ops.check(slim, model.name, simplified=True)
    _rewrite_hard_sigmoid(slim)
    dense.rewrite(slim)
    return slim


def _rewrite_hard_sigmoid(proto: Any) -> None:
    """Write clip(alpha x + beta, 0, 1) as (1/6) clip(6 alpha x + 6 beta, 0, 6).

    The clip then is a RELU6, which every runtime has; TFLite would make RELU_0_TO_1 of the original.
    """
    from onnx import helper

    graph = proto.graph
    nodes = list(graph.node)
    del graph.node[:]
    for number, node in enumerate(nodes):
        if node.op_type != "HardSigmoid":
            graph.node.append(node)
            continue
        given = {attribute.name: attribute.f for attribute in node.attribute}
        stem = f"{node.name or 'HardSigmoid'}_{number}"
        place = node.input[0]
        # torch's HardSigmoid has alpha = 1/6, which needs no multiplication.
        factor = 6.0 * given.get("alpha", 0.2)
        if abs(factor - 1.0) > 1e-6:
            graph.initializer.append(_scalar(f"{stem}_factor", factor))
            graph.node.append(helper.make_node("Mul", [place, f"{stem}_factor"], [f"{stem}_scaled"]))
            place = f"{stem}_scaled"
        for word, value in (
            ("offset", 6.0 * given.get("beta", 0.5)),
            ("low", 0.0),
            ("high", 6.0),
            ("sixth", 1 / 6),
        ):
            graph.initializer.append(_scalar(f"{stem}_{word}", value))
        graph.node.extend(
            [
                helper.make_node("Add", [place, f"{stem}_offset"], [f"{stem}_sum"], name=f"{stem}_Add"),
                helper.make_node(
                    "Clip",
                    [f"{stem}_sum", f"{stem}_low", f"{stem}_high"],
                    [f"{stem}_clip"],
                    name=f"{stem}_Clip",
                ),
                helper.make_node(
                    "Mul", [f"{stem}_clip", f"{stem}_sixth"], list(node.output), name=f"{stem}_Mul"
                ),
            ]
        )


def _scalar(name: str, value: float) -> Any:
    from onnx import numpy_helper

    return numpy_helper.from_array(np.asarray(value, np.float32), name)
