"""Prepares an ONNX graph for onnx2tf: constants folded, awkward operators rewritten."""

from typing import Any

from edgekit.convert import from_onnx, onnx_ops, rewrites
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
    except ModuleNotFoundError as error:
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
    rewrites.rewrite(slim)
    return slim
