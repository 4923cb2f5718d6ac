"""Reads a model of any supported kind into ONNX in memory."""

from pathlib import Path

from edgekit.convert import from_onnx, from_torch, model_kind
from edgekit.convert.export_torch import Request
from edgekit.convert.model_kind import ModelKind
from edgekit.convert.onnx_model import OnnxModel
from edgekit.errors import ModelError, UsageError


def load_model(
    path: Path,
    *,
    builder: str | None = None,
    trust_pickle: bool = False,
    size: tuple[int, int] | None = None,
    channels: int | None = None,
) -> OnnxModel:
    """Read the model at `path`; its kind is found by its content.

    Args:
        path: an ONNX model, a PyTorch state dict or checkpoint, safetensors, TorchScript, or a
            torch.export archive.
        builder: "package.module:callable", which makes the module that a state dict belongs to; modules
            in the current folder are found too.
        trust_pickle: read files that can run code of their author's choice when they are read.
        size: (height, width) of the input. PyTorch's files do not say it; ONNX mostly does.
        channels: 1 or 3, for PyTorch; None takes what the first convolution has.

    Raises:
        ModelError: not a model, damaged, in need of trust, or not one image in and one row of scores out.
        UsageError: an argument is missing or contradicts the model.
        MissingExtraError: a package that this kind of model needs is not installed.
    """
    path = Path(path)
    found = model_kind.detect(path)
    if found.danger and not trust_pickle:
        raise ModelError(
            f"'{path}' is a file of the kind '{found.kind}', and {found.danger}: "
            "reading it could run code of its author's choice",
            "export a plain state dict or ONNX; or, if you trust its author, give --trust-pickle",
        )
    if found.kind is ModelKind.ONNX:
        if builder is not None:
            raise UsageError(f"'{path}' is ONNX, which needs no --builder", "leave --builder out")
        return from_onnx.load(path, size=size)
    return from_torch.load(Request(path, found.kind, builder, size, channels))
