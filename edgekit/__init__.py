"""edgekit: an image classifier from PyTorch or ONNX to a microcontroller, proven bit for bit.

The public API is the straight line as functions, loaded when first used:

    model = edgekit.quantize("model.onnx", calibration="photos/", output="model.tflite")
    image = edgekit.build("model.tflite", board="host")
    with edgekit.Device.open(...) as device:
        for prediction in device.stream(frames): ...
"""

__version__ = "0.1.0"
