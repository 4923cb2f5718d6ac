"""edgekit: an image classifier from PyTorch or ONNX to a microcontroller, proven bit for bit."""
