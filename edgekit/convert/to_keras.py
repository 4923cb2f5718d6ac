"""ONNX to a Keras model by onnx2tf, which is kept from the network, the user's files and terminal."""

import contextlib
import gc
import os
import random
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np

from edgekit import scratch
from edgekit.convert.onnx_model import OnnxModel
from edgekit.convert.silence import captured, own_temporary_files
from edgekit.errors import MissingExtraError, ModelError

# onnx2tf fetches a file of this name over the network unless it lies in the working folder. It feeds the
# images in it through each operator to see whether it chose the right layout.
_SAMPLE = "calibration_image_sample_data_20x128x128x3_float32.npy"
_MARGIN = 1e-3


def to_keras(model: OnnxModel, proto: Any) -> Any:
    """Return the tf_keras model [1, H, W, C] -> [1, classes] of a simplified ONNX graph.

    Raises:
        ModelError: onnx2tf fails on the model.
        MissingExtraError: onnx2tf, tensorflow or what they need is not installed.
    """
    onnx2tf = import_onnx2tf()
    import tf_keras

    # Keras numbers layers over the life of a process; fresh numbers make the same bytes each time.
    tf_keras.backend.clear_session()
    keep = {"keep_shape_absolutely_input_names": [model.input_name]} if model.channels_last else {}
    with own_temporary_files() as folder, contextlib.chdir(folder):
        noise = np.random.default_rng(0)
        np.save(_SAMPLE, noise.random((20, 128, 128, 3), dtype=np.float32))
        Path("model.onnx").write_bytes(proto.SerializeToString(deterministic=True))
        try:
            with captured("onnx2tf"), _contained():
                return onnx2tf.convert(
                    input_onnx_file_path="model.onnx",
                    output_folder_path="out",
                    not_use_onnxsim=True,
                    disable_model_save=True,
                    non_verbose=True,
                    **keep,
                )
        except SystemExit as error:
            raise _failed(model, "it gave up") from error
        except Exception as error:  # onnx2tf raises whatever the operator at hand raises
            place = getattr(error, "onnx_op_name", None)
            at = f"at '{place}': " if place else ""
            raise _failed(model, f"{at}{type(error).__name__}: {str(error).strip()[:300]}") from error


def import_onnx2tf() -> Any:
    """Import onnx2tf and TensorFlow without their chatter and side effects. Raises MissingExtraError."""
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
    os.environ.setdefault("TF_ENABLE_ONEDNN_OPTS", "0")
    try:
        with captured("importing TensorFlow"), _contained(), _no_collection(), _no_settings():
            import onnx2tf
    except ModuleNotFoundError as error:
        package = (error.name or str(error)).partition(".")[0]
        raise MissingExtraError(package, "convert", "quantising a model") from error
    return onnx2tf


@contextlib.contextmanager
def _contained() -> Iterator[None]:
    """Undo what onnx2tf does to the whole process: recursion limit, random seeds."""
    limit, state, numpy_state = sys.getrecursionlimit(), random.getstate(), np.random.get_state()
    try:
        yield
    finally:
        sys.setrecursionlimit(limit)
        random.setstate(state)
        np.random.set_state(numpy_state)


@contextlib.contextmanager
def _no_collection() -> Iterator[None]:
    """Pause the garbage collector: 10,000 modules' worth of objects hold no garbage, and it costs 1 s."""
    was = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if was:
            gc.enable()


@contextlib.contextmanager
def _no_settings() -> Iterator[None]:
    """Keep Keras from the home folder: it writes its settings there, and would convert by those it finds."""
    before = os.environ.get("KERAS_HOME")
    with scratch.folder() as folder:
        os.environ["KERAS_HOME"] = str(folder)
        try:
            yield
        finally:
            del os.environ["KERAS_HOME"]
            if before is not None:
                os.environ["KERAS_HOME"] = before


def _failed(model: OnnxModel, reason: str) -> ModelError:
    return ModelError(
        f"onnx2tf cannot convert '{model.name}': {reason}",
        "run again with -v for its own words; exporting with another opset often helps",
    )
