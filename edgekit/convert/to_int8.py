"""A Keras model to the bytes of an int8 .tflite, the same bytes each time."""

from collections.abc import Iterator
from typing import Any

import numpy as np
from numpy.typing import NDArray

from edgekit.convert.silence import captured, own_temporary_files
from edgekit.errors import ModelError


def to_int8(keras: Any, inputs: NDArray[np.float32], name: str) -> bytes:
    """Quantise a Keras model after training: int8 weights, activations, input and output.

    Weights of convolutions are quantised per channel, those of dense layers per tensor: runtimes differ in
    how they read per-channel dense layers. Ranges of activations are the extremes over `inputs`.

    Args:
        keras: the model, [1, H, W, C] -> [1, classes].
        inputs: normalised calibration inputs [N, H, W, C].
        name: what to call the model in messages.

    Raises:
        ModelError: TensorFlow cannot quantise it.
    """
    import tensorflow as tf

    def representative() -> Iterator[list[NDArray[np.float32]]]:
        for frame in inputs:
            yield [frame[None]]

    try:
        with captured("TensorFlow Lite's converter"), own_temporary_files():
            function = tf.function(lambda image: keras(image)).get_concrete_function(
                tf.TensorSpec((1, *inputs.shape[1:]), tf.float32, name="image")
            )
            # convert() changes its object, so that a second call gives other bytes: one object, one call.
            converter = tf.lite.TFLiteConverter.from_concrete_functions([function], keras)
            converter.optimizations = [tf.lite.Optimize.DEFAULT]
            converter.representative_dataset = representative
            converter.target_spec.supported_ops = [tf.lite.OpsSet.TFLITE_BUILTINS_INT8]
            converter.inference_input_type = tf.int8
            converter.inference_output_type = tf.int8
            converter._experimental_disable_per_channel_quantization_for_dense_layers = True
            return bytes(converter.convert())
    except Exception as error:  # TensorFlow raises RuntimeError, ValueError, ConverterError and others
        reason = str(error).strip().splitlines() or [type(error).__name__]
        raise ModelError(
            f"TensorFlow cannot quantise '{name}': {reason[0][:300]}",
            "run again with -v for its own words",
        ) from error


def float_scores(keras: Any, inputs: NDArray[np.float32]) -> NDArray[np.float32]:
    """Return what the Keras model computes [N, classes], to hold it against the ONNX model."""
    with captured("TensorFlow"), own_temporary_files():
        rows = [np.asarray(keras(frame[None])).reshape(-1) for frame in inputs]
    return np.stack(rows).astype(np.float32)
