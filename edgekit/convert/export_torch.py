"""The process in which PyTorch reads a model and exports it to ONNX, with the user's code in it.

What a builder, a trusted pickle or a network's own layers do to a process - exit, print, parse its arguments,
change its folder, leave threads behind - they do to this one. `edgekit.convert.from_torch` starts it.
"""

import contextlib
import importlib
import importlib.util
import io
import json
import os
import sys
import sysconfig
import threading
import time
import traceback
import types
import warnings
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeAlias

from edgekit.convert import checkpoint
from edgekit.convert.model_kind import ModelKind
from edgekit.errors import EdgekitError, MissingExtraError, ModelError, OutputError, UsageError

_MOST_SAID = 16 << 20
_WATCH_S = 0.2
_OPSET = 20  # the first that keeps GELU one operator
_INSTALLED = ("site-packages", "dist-packages")
_OURS = (str(Path(__file__).parents[1]) + os.sep, sysconfig.get_path("stdlib") + os.sep)

Told: TypeAlias = Callable[[str, str], object]
"""Told what is about to run, and how to say when that was: ("'net.py'", "it was imported")."""


@dataclass(frozen=True, slots=True)
class Request:
    """A PyTorch model, and what to know to export it."""

    path: Path
    kind: ModelKind
    builder: str | None = None
    size: tuple[int, int] | None = None
    """(height, width) of the input."""
    channels: int | None = None


def export(wanted: Request, told: Told = lambda _what, _when: None) -> tuple[bytes, tuple[str, ...]]:
    """Read a PyTorch model; return it as ONNX, and what reading it decided.

    The caller has asked for trust already: PICKLED, EXPORTED and TORCHSCRIPT run what their author wrote.

    Raises:
        ModelError: damaged, or the builder or the export fails.
        UsageError: the builder or the size is missing.
        MissingExtraError: torch is not installed.
    """
    path, size = wanted.path, wanted.size
    told("PyTorch", "it was imported")
    try:
        import torch
    except ImportError as error:
        raise MissingExtraError("torch", "torch", f"reading {wanted.kind}") from error
    notes: tuple[str, ...] = ()
    told(f"'{path}'", "it was read")
    match wanted.kind:
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
            module, notes = _load_weights(path, wanted.kind, wanted.builder, told)
    if size is None:
        raise UsageError(
            f"'{path}' does not say the size of its input", "give the height and width: --size HxW"
        )
    return _export(module, (1, wanted.channels or _channels(module), *size), path), notes


def _load_weights(
    path: Path, kind: ModelKind, builder: str | None, told: Told
) -> tuple[Any, tuple[str, ...]]:
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
    built = _build(builder, told)
    weights, key = checkpoint.find_weights(content if module is None else module.state_dict(), path)
    fitted = checkpoint.fit(weights, built.state_dict(), path, builder)
    # `fit` has compared names and shapes; only counters that inference does not use can be absent.
    built.load_state_dict(fitted, strict=False)
    return built, (f"the weights are those under '{key}' of the checkpoint",) if key else ()


def _build(builder: str, told: Told) -> Any:
    """Call "package.module:callable" and return the torch module that it makes."""
    module_name, colon, name = builder.partition(":")
    if not colon or not module_name or not name:
        raise UsageError(
            f"--builder '{builder}' is not of the form package.module:callable",
            "such as --builder mynets.small:build",
        )
    if module_name == "__main__":
        raise UsageError(
            f"--builder '{builder}' is in the program that runs, and is called by another one",
            "put it into a file of its own",
        )
    from torch import nn

    try:
        with _current_folder_first():
            file, target = _import(module_name, told)
            for part in name.split("."):
                target = getattr(target, part)
            built = target if isinstance(target, nn.Module) else target()
    except ModuleNotFoundError as error:
        hint = f"modules are looked for in '{Path.cwd()}' and in what pip installed"
        raise UsageError(
            f"--builder '{builder}': there is no module '{error.name}'{_place(error)}", hint
        ) from error
    except Exception as error:  # the user's own code can raise anything
        raise ModelError(
            f"--builder '{builder}' failed{_place(error)}: {type(error).__name__}: {error}",
            "it must be callable without arguments and return a torch.nn.Module",
        ) from error
    if not isinstance(built, nn.Module):
        raise ModelError(
            f"--builder '{builder}' returned a {type(built).__name__}, not a torch.nn.Module",
            "name a callable that makes and returns the network",
        )
    told(f"the network of '{file}'", "it was run")
    return built


def _import(name: str, told: Told) -> tuple[str, Any]:
    """Import the builder's module, under arguments that are its own: it has none. Return its file, too."""
    told(f"'{name}'", "it was looked for")  # which imports the packages that it is in
    found = importlib.util.find_spec(name)
    file = found.origin if found is not None and found.origin else name
    sys.argv[:] = [file]
    told(f"'{file}'", "it was imported")
    module = importlib.import_module(name)
    told(f"the builder in '{file}'", "it was called")
    return file, module


def _place(error: Exception) -> str:
    """Return " at 'FILE', line N", the last line of the user's own code that an exception went through."""
    for frame in reversed(traceback.extract_tb(error.__traceback__)):
        path = Path(frame.filename)
        if path.is_file() and not frame.filename.startswith(_OURS) and not {*path.parts} & {*_INSTALLED}:
            return f" at '{path}', line {frame.lineno}"
    return ""


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
        with torch.no_grad():
            torch.onnx.export(
                module.eval(),
                (torch.zeros(shape),),
                target,
                input_names=["image"],
                output_names=["scores"],
                opset_version=_OPSET,
                dynamo=False,
            )
    except Exception as error:  # the model's own forward() runs here, and can raise anything
        reason = (str(error).strip().splitlines() or [""])[0]
        raise ModelError(
            f"exporting '{path}' to ONNX with the input {list(shape)} failed{_place(error)}: "
            f"{type(error).__name__}: {reason}",
            "is --size right? Otherwise export the model to ONNX yourself",
        ) from error
    return target.getvalue()


def _answer(folder: Path, wanted: Request) -> dict[str, Any]:
    """Write model.onnx; return what edgekit.convert.from_torch is to know."""

    def told(what: str, when: str) -> None:
        (folder / "running.json").write_text(json.dumps([what, when]), "utf-8")

    def failed(error: EdgekitError) -> dict[str, Any]:
        return {"error": type(error).__name__, "message": error.message, "hint": error.hint}

    try:
        raw, notes = export(wanted, told)
    except EdgekitError as error:
        return failed(error)
    except KeyboardInterrupt:
        return {"interrupted": True}
    except Exception as error:
        if place := _place(error):  # a method of the user's network that is called in passing
            said = f"'{wanted.builder or wanted.path}' failed{place}: {type(error).__name__}: {error}"
            return failed(ModelError(said, "mend it there"))
        return {"bug": traceback.format_exc()}
    try:
        (folder / "model.onnx").write_bytes(raw)
    except OSError as error:
        return failed(OutputError(f"cannot write to '{folder}': {error}", "make room there, or set TMPDIR"))
    return {"notes": notes}


def _watch(parent: int, said: int) -> None:
    """End this process when the one that waits for its answer is gone: the user's code may never end.

    Nor may what it says fill the disk: it starts afresh where that is too much.
    """
    while os.getppid() == parent:
        time.sleep(_WATCH_S)
        with contextlib.suppress(OSError):  # closed by the user's code
            if os.fstat(said).st_size > _MOST_SAID:
                os.ftruncate(said, 0)
    os._exit(1)


def _serve(folder: Path) -> None:
    """Answer the request in a folder: model.onnx, then answer.json; all that is said goes to said.txt."""
    said = os.open(folder / "said.txt", os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
    for number, stream in ((1, sys.stdout), (2, sys.stderr)):
        os.dup2(said, number)
        assert isinstance(stream, io.TextIOWrapper)
        stream.reconfigure(encoding="utf-8", errors="replace")
    warnings.simplefilter("ignore")
    threading.Thread(target=_watch, args=(os.getppid(), os.dup(said)), daemon=True).start()
    asked = json.loads((folder / "request.json").read_text("utf-8"))
    sys.path[:], sys.argv[:] = asked["modules"], ["edgekit"]
    sys.dont_write_bytecode = True  # beside the user's modules
    size = asked["size"] and (asked["size"][0], asked["size"][1])
    wanted = Request(Path(asked["path"]), ModelKind(asked["kind"]), asked["builder"], size, asked["channels"])
    code: Any = 0
    try:
        answer = json.dumps(_answer(folder, wanted))
        (folder / "answer.json").write_text(answer, "utf-8")
    except SystemExit as stop:
        code = stop.code
        if code is not None and not isinstance(code, int):
            os.write(2, f"{code}\n".encode("utf-8", "replace"))
            code = 1
    except BaseException:
        traceback.print_exc()
        code = 1
    finally:
        # Threads that the user's code has left behind would keep the process for ever.
        os._exit((code or 0) & 0xFF)


if __name__ == "__main__":
    _serve(Path(sys.argv[1]))
