"""Makes a trained classifier an int8 .tflite: read it (ONNX or PyTorch), quantise it, compare the two.

    model = load.load_model(path)                       -> OnnxModel
    made = quantize.quantize(model, frames, recipe)     -> QuantizedModel
    report = evaluate.evaluate(model, made.contract, reference, frames) -> Evaluation

Each heavy package is imported inside the function that needs it.
"""

import os

# Read when ONNX Runtime is first imported: by us, onnx2tf, onnxslim, PyTorch or a child. Without it, that
# library writes an id of this machine into the home folder and reports to its vendor what runs.
os.environ["ORT_DISABLE_TELEMETRY"] = "1"
