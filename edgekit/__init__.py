"""edgekit: an image classifier from PyTorch or ONNX to a microcontroller, proven bit for bit.

The public API is the straight line as functions; each is loaded when it is first used:

    edgekit.quantize("model.onnx", "calibration/", "model.tflite")
    model = edgekit.load_model("model.tflite")
    board = edgekit.load_board("host")
    image = edgekit.build_image(model, board)
    with edgekit.open_device(board, model=model, image=image) as device:
        for prediction in device.stream(frames):
            print(prediction.label)
"""

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from edgekit.board import Board
    from edgekit.board import load as load_board
    from edgekit.connection import open_device
    from edgekit.contract import Contract
    from edgekit.device.client import Device
    from edgekit.device.prediction import Prediction
    from edgekit.errors import EdgekitError
    from edgekit.firmware.options import Firmware
    from edgekit.inspection import inspect
    from edgekit.live.source import load_frames
    from edgekit.models import ContractFlags, Model, load_model
    from edgekit.pipeline import build_image, generate_project
    from edgekit.proof import Certificate, prove
    from edgekit.quantization import QuantizeReport, quantize

__version__ = "0.1.0"

__all__ = [
    "Board",
    "Certificate",
    "Contract",
    "ContractFlags",
    "Device",
    "EdgekitError",
    "Firmware",
    "Model",
    "Prediction",
    "QuantizeReport",
    "__version__",
    "build_image",
    "generate_project",
    "inspect",
    "load_board",
    "load_frames",
    "load_model",
    "open_device",
    "prove",
    "quantize",
]

# Public name to the module that has it, and its name there.
_HOMES = {
    "Board": ("board", "Board"),
    "Certificate": ("proof", "Certificate"),
    "Contract": ("contract", "Contract"),
    "ContractFlags": ("models", "ContractFlags"),
    "Device": ("device.client", "Device"),
    "EdgekitError": ("errors", "EdgekitError"),
    "Firmware": ("firmware.options", "Firmware"),
    "Model": ("models", "Model"),
    "Prediction": ("device.prediction", "Prediction"),
    "QuantizeReport": ("quantization", "QuantizeReport"),
    "build_image": ("pipeline", "build_image"),
    "generate_project": ("pipeline", "generate_project"),
    "inspect": ("inspection", "inspect"),
    "load_board": ("board", "load"),
    "load_frames": ("live.source", "load_frames"),
    "load_model": ("models", "load_model"),
    "open_device": ("connection", "open_device"),
    "prove": ("proof", "prove"),
    "quantize": ("quantization", "quantize"),
}


def __getattr__(name: str) -> Any:
    if name not in _HOMES:
        raise AttributeError(f"module 'edgekit' has no attribute '{name}'")
    from importlib import import_module

    module, inner = _HOMES[name]
    return getattr(import_module(f"edgekit.{module}"), inner)


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
