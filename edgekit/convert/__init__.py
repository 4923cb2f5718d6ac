"""Makes a trained classifier an int8 .tflite: read it (ONNX or PyTorch), quantise it, compare the two.

    model = load.load_model(path)                       -> OnnxModel
    made = quantize.quantize(model, frames, recipe)     -> QuantizedModel
    report = evaluate.evaluate(model, made.contract, reference, frames) -> Evaluation

Each heavy package is imported inside the function that needs it.
"""
