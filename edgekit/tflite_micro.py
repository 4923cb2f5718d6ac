"""tflite-micro's interpreter on this machine: the oracle of the runtime `tflm`, and the measure of its arena.

The interpreter ends the whole process on some models that it cannot run, so every model is first tried in a
process of its own: `python -m edgekit.tflite_micro MODEL ARENA_BYTES` runs it once on zeros and says what it
has used.
"""

import os
import platform
import re
import sys
import tempfile
from dataclasses import dataclass
from functools import lru_cache
from importlib.metadata import version
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from edgekit import install, process
from edgekit.errors import MissingExtraError, ModelError, ToolError, UsageError
from edgekit.graph.ir import Graph

_SLACK = 1 << 20
_MOST = 1 << 30
"""More than any board has: what a file from a stranger claims to need is not allocated unseen."""
_TIMEOUT_S = 120.0
_ALLOCATION = re.compile(r"Arena allocation (total|head|tail) (\d{1,12}) bytes")
_PURPOSE = "the runtime tflm"


@dataclass(frozen=True, slots=True)
class Allocation:
    """What the interpreter has taken of its arena, in bytes."""

    total: int
    head: int
    """Activations and scratch: the same on every machine that has the same kernels."""
    tail: int
    """The interpreter's own lists: about half as large where pointers have 32 bits."""


class TfliteMicro:
    """The interpreter with its reference kernels on one int8 model with one input and one output.

    Raises:
        MissingExtraError: tflite-micro is not installed.
        ModelError: it cannot run the model.
    """

    def __init__(self, model: bytes, graph: Graph) -> None:
        measure(model, graph)  # in a process of its own: what this one survives, so do we
        self._interpreter = _interpreter(model, _room(model, graph))
        source, target = graph.tensor(graph.inputs[0]), graph.tensor(graph.outputs[0])
        self.input_shape: tuple[int, ...] = source.shape
        """The model's input shape, batch included."""
        self.classes = target.elements
        """How many scores one frame gets."""

    @property
    def version(self) -> str:
        """Name and version of the reference: what a certificate says."""
        return tflite_micro_version()

    def run(self, frames: NDArray[np.int8]) -> NDArray[np.int8]:
        """Return the int8 scores [N, classes] of int8 frames [N, ...input shape without the batch].

        Raises:
            UsageError: frames of another type or shape.
        """
        if frames.dtype != np.int8 or frames.shape[1:] != self.input_shape[1:]:
            raise UsageError(
                f"frames are {frames.dtype} {list(frames.shape[1:])}, "
                f"the model takes int8 {list(self.input_shape[1:])}"
            )
        scores = np.empty((len(frames), self.classes), np.int8)
        for row, frame in zip(scores, frames, strict=True):
            self._interpreter.set_input(np.ascontiguousarray(frame[None]), 0)
            self._interpreter.invoke()
            row[:] = self._interpreter.get_output(0).reshape(-1)
        return scores


def tflite_micro_version() -> str:
    """Return the name and version of the installed interpreter. Raises MissingExtraError."""
    _check_installed()
    return f"tflite-micro {version('tflite-micro')} reference kernels"


def measure(model: bytes, graph: Graph) -> Allocation:
    """Return what the interpreter takes of its arena for a model, after one run, in a process of its own.

    Args:
        model: the .tflite, whose operators the interpreter must have.
        graph: the same, read.

    Raises:
        MissingExtraError: tflite-micro is not installed; ToolError where there is none to install.
        ModelError: the interpreter cannot run the model; its last words are in the message.
    """
    _check_installed()
    try:
        said = _tried(model, _room(model, graph))
    except ToolError as error:
        words = [line for line in error.message.splitlines()[1:] if not line.startswith((" ", "Trace"))]
        raise ModelError(
            "tflite-micro cannot run the model: " + ("; ".join(words[-4:]) or error.message),
            "use --runtime compiled if edgekit has kernels for it; `edgekit inspect MODEL` says so",
        ) from error
    found = {name: int(size) for name, size in _ALLOCATION.findall(said)}
    if found.keys() != {"total", "head", "tail"}:
        raise ToolError(
            "tflite-micro has not said how much of its arena it used",
            install.command("tflm"),
        )
    return Allocation(**found)


@lru_cache(maxsize=8)
def _tried(model: bytes, arena_bytes: int) -> str:
    """Return what the other process says of a model; it is the same for all boards, and asked once."""
    with tempfile.TemporaryDirectory(prefix="edgekit-") as folder:
        path = Path(folder) / "model.tflite"
        path.write_bytes(model)
        # -P: a file `numpy.py` in the user's folder is not what is meant.
        command = [sys.executable, "-P", "-m", "edgekit.tflite_micro", str(path), str(arena_bytes)]
        return process.run(command, env=_environment(), timeout_s=_TIMEOUT_S)


def _environment() -> dict[str, str]:
    """Return an environment in which the other process finds this very edgekit, installed or not."""
    folders = [str(Path(__file__).parents[1]), os.environ.get("PYTHONPATH", "")]
    return dict(os.environ) | {"PYTHONPATH": os.pathsep.join(filter(None, folders))}


def _check_installed() -> None:
    if find_spec("tflite_micro") is None:
        if (sys.platform, platform.machine()) != ("linux", "x86_64"):
            raise ToolError(
                f"{_PURPOSE} needs the Python package 'tflite-micro', made for Linux on x86-64 alone; "
                f"this is {platform.system()} on {platform.machine()}",
                "generate the firmware there, or use --runtime compiled",
            )
        raise MissingExtraError("tflite-micro", "tflm", _PURPOSE)


def _room(model: bytes, graph: Graph) -> int:
    """Return an arena that is large enough: all activations at once, and as much for lists as the file has.

    A multiple of 16: what is used depends by a few bytes on how the arena's end is aligned.
    """
    activations = sum(tensor.size for tensor in graph.tensors if not tensor.is_constant)
    return min(_SLACK + -(-2 * (len(model) + activations) // 16) * 16, _MOST)


def _interpreter(model: bytes, arena_bytes: int) -> Any:
    from tflite_micro import runtime

    return runtime.Interpreter.from_bytes(model, arena_size=arena_bytes)


def _try(path: Path, arena_bytes: int) -> None:
    """Run a model once on zeros, and let the interpreter write what it has allocated to stderr."""
    interpreter = _interpreter(path.read_bytes(), arena_bytes)
    source = interpreter.get_input_details(0)
    interpreter.set_input(np.zeros(source["shape"], source["dtype"]), 0)
    interpreter.invoke()
    interpreter.print_allocations()


if __name__ == "__main__":
    _try(Path(sys.argv[1]), int(sys.argv[2]))
