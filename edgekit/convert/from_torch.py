"""PyTorch models to ONNX in memory: state dicts with a builder, TorchScript, torch.export archives."""

import contextlib
import importlib
import io
import sys
import types
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from edgekit.convert import checkpoint, from_onnx
from edgekit.convert.model_kind import ModelKind
from edgekit.convert.onnx_model import OnnxModel
from edgekit.convert.silence import captured
from edgekit.errors import EdgekitError, MissingExtraError, ModelError, UsageError

_OPSET = 20  # the first that keeps GELU one operator


def load(
    path: Path,
    kind: ModelKind,
    *,
    builder: str | None = None,
    size: tuple[int, int] | None = None,
    channels: int | None = None,
) -> OnnxModel:
    """Read a PyTorch model and export it to ONNX.

    The caller has asked for trust already: PICKLED and EXPORTED run what their pickles say.

    Raises:
        ModelError: damaged, or the builder or the export fails.
        UsageError: the builder or the size is missing.
        MissingExtraError: torch is not installed.
    """
    try:
        with captured("importing torch"):
            import torch
    except ModuleNotFoundError as error:
        raise MissingExtraError("torch", "torch", f"reading {kind}") from error
    notes: tuple[str, ...] = ()
    match kind:
        case ModelKind.TORCHSCRIPT:
            module = _load_file(lambda: torch.jit.load(str(path), map_location="cpu"), path)
        case ModelKind.EXPORTED:
            module, own_size = _load_exported(path)
            if size is not None and own_size is not None and size != own_size:
                raise UsageError(
                    f"--size {_by(size)} contradicts '{path}', which was exported for {_by(own_size)}",
                    "leave --size out",
                )
            size = size or own_size
        case _:
            module, notes = _load_weights(path, kind, builder)
    if size is None:
        raise UsageError(
            f"'{path}' does not say the size of its input", "give the height and width: --size HxW"
        )
    shape = (1, channels or _channels(module), *size)
    return from_onnx.parse(_export(module, shape, path), path.name, notes=notes)


def _load_weights(path: Path, kind: ModelKind, builder: str | None) -> tuple[Any, tuple[str, ...]]:
    # Only what the user trusts may import modules that lie about in the current folder.
    with _current_folder_first() if kind is ModelKind.PICKLED else contextlib.nullcontext():
        content = checkpoint.read(path, kind)
    module = checkpoint.find_module(content)
    if module is not None and builder is None:
        return module.float(), ()
    if builder is None:
        raise UsageError(
            f"'{path}' holds weights only, not the network they belong to",
            "name the function that makes the network: --builder package.module:callable",
        )
    built = _build(builder)
    weights, key = checkpoint.find_weights(content if module is None else module.state_dict(), path)
    fitted = checkpoint.fit(weights, built.state_dict(), path, builder)
    # `fit` has compared names and shapes; only counters that inference does not use can be absent.
    built.load_state_dict(fitted, strict=False)
    return built, (f"the weights are those under '{key}' of the checkpoint",) if key else ()


def _build(builder: str) -> Any:
    """Call "package.module:callable" and return the torch module that it makes."""
    module_name, colon, name = builder.partition(":")
    if not colon or not module_name or not name:
        raise UsageError(
            f"--builder '{builder}' is not of the form package.module:callable",
            "such as --builder mynets.small:build",
        )
    from torch import nn

    try:
        with _current_folder_first(), captured(f"'{builder}'"):
            target: Any = importlib.import_module(module_name)
            for part in name.split("."):
                target = getattr(target, part)
            built = target if isinstance(target, nn.Module) else target()
    except ModuleNotFoundError as error:
        hint = f"modules are looked for in '{Path.cwd()}' and in what pip installed"
        raise UsageError(f"--builder '{builder}': there is no module '{error.name}'", hint) from error
    except Exception as error:  # the user's own code can raise anything
        raise ModelError(
            f"--builder '{builder}' failed: {type(error).__name__}: {error}",
            "it must be callable without arguments and return a torch.nn.Module",
        ) from error
    if not isinstance(built, nn.Module):
        raise ModelError(
            f"--builder '{builder}' returned a {type(built).__name__}, not a torch.nn.Module",
            "name a callable that makes and returns the network",
        )
    return built


@contextlib.contextmanager
def _current_folder_first() -> Iterator[None]:
    here = str(Path.cwd())
    sys.path.insert(0, here)
    try:
        yield
    finally:
        with contextlib.suppress(ValueError):
            sys.path.remove(here)


def _load_exported(path: Path) -> tuple[Any, tuple[int, int] | None]:
    """Read a torch.export archive; return its module and the height and width it was exported for."""
    import torch

    program = _load_file(lambda: torch.export.load(str(path)), path)
    module = program.module()
    # Such a module refuses to change between training and inference, which the exporter asks for.
    module.train = module.eval = types.MethodType(lambda self, _mode=False: self, module)
    user = set(program.graph_signature.user_inputs)
    shapes = [node.meta["val"].shape for node in program.graph.nodes if node.name in user]
    if len(shapes) == 1 and len(shapes[0]) == 4 and all(isinstance(side, int) for side in shapes[0][2:]):
        return module, (int(shapes[0][2]), int(shapes[0][3]))
    return module, None


def _by(size: tuple[int, int]) -> str:
    return f"{size[0]}x{size[1]}"


def _load_file(read: Any, path: Path) -> Any:
    try:
        with captured("torch"):
            return read()
    except Exception as error:  # torch's readers raise whatever the damage leads to
        reason = (str(error).strip().splitlines() or [type(error).__name__])[0]
        raise ModelError(
            f"'{path}' cannot be read by PyTorch: {reason}", "export or download it again"
        ) from error


def _channels(module: Any) -> int:
    """Return the input channels of the first convolution, if they are those of an image; else 3."""
    for value in (*module.parameters(), *module.buffers()):
        if value.dim() == 4:
            return 1 if value.shape[1] == 1 else 3
    return 3


def _export(module: Any, shape: tuple[int, ...], path: Path) -> bytes:
    import torch

    target = io.BytesIO()
    try:
        with captured("torch.onnx.export"), torch.no_grad():
            torch.onnx.export(
                module.eval(),
                (torch.zeros(shape),),
                target,
                input_names=["image"],
                output_names=["scores"],
                opset_version=_OPSET,
                dynamo=False,
            )
    except EdgekitError:
        raise
    except Exception as error:  # the model's own forward() runs here, and can raise anything
        reason = (str(error).strip().splitlines() or [""])[0]
        raise ModelError(
            f"exporting '{path}' to ONNX with the input {list(shape)} failed: "
            f"{type(error).__name__}: {reason}",
            "is --size right? Otherwise export the model to ONNX yourself",
        ) from error
    return target.getvalue()
