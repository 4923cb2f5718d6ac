"""Runs the original float model with ONNX Runtime: what the int8 model is compared with."""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from edgekit.contract import Preprocess
from edgekit.convert.onnx_model import OnnxModel
from edgekit.convert.silence import captured
from edgekit.errors import EdgekitError, MissingExtraError, ModelError


def session(proto: bytes, name: str) -> Any:
    """Return an ONNX Runtime session on one thread. Raises ModelError, MissingExtraError."""
    try:
        import onnxruntime
    except ModuleNotFoundError as error:
        raise MissingExtraError("onnxruntime", "convert", "running the float model") from error
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = 1
    options.inter_op_num_threads = 1
    options.log_severity_level = 4
    try:
        with captured("ONNX Runtime"):
            return onnxruntime.InferenceSession(proto, options, providers=["CPUExecutionProvider"])
    except Exception as error:
        raise _cannot_run(name, error) from error


def run(runner: Any, name: str, source: str, value: NDArray[np.float32]) -> NDArray[np.float32]:
    """Return the one output for one input of a session. Raises ModelError."""
    try:
        (result,) = runner.run(None, {source: value})
    except Exception as error:
        raise _cannot_run(name, error) from error
    return np.asarray(result, np.float32)


def scores(model: OnnxModel, inputs: NDArray[np.float32]) -> NDArray[np.float32]:
    """Return the float scores [N, classes] of normalised inputs [N, H, W, C].

    Raises:
        ModelError: ONNX Runtime cannot run the model.
    """
    runner = session(model.proto, model.name)
    found = np.empty((len(inputs), model.classes), np.float32)
    for row, value in zip(found, inputs, strict=True):
        frame = value if model.channels_last else value.transpose(2, 0, 1)
        result = run(runner, model.name, model.input_name, np.ascontiguousarray(frame)[None])
        row[:] = result.reshape(-1)
    return found


def normalise(pixels: NDArray[np.uint8], preprocess: Preprocess) -> NDArray[np.float32]:
    """Return (pixel / 255 - mean) / std of frames [..., C], computed in float64 and stored in float32."""
    mean, std = np.asarray(preprocess.mean), np.asarray(preprocess.std)
    # One value for each of the 256 pixels and each channel.
    table = ((np.arange(256)[:, None] / 255.0 - mean) / std).astype(np.float32)
    result: NDArray[np.float32] = np.stack([table[:, c][pixels[..., c]] for c in range(len(mean))], axis=-1)
    return result


def _cannot_run(name: str, error: Exception) -> EdgekitError | Exception:
    """Make a ModelError of what ONNX Runtime raised; its exceptions have only `Exception` in common."""
    if not type(error).__module__.startswith("onnxruntime") and not isinstance(
        error, RuntimeError | ValueError
    ):
        return error
    reason = str(error).strip().splitlines()[0]
    return ModelError(f"ONNX Runtime cannot run '{name}': {reason}", "export the model again")
