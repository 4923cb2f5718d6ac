"""tflite-micro's interpreter on this machine: the oracle of the runtime `tflm`, and the measure of its arena.

It ends the whole process on some models and frames, so it runs in one of its own: `python -m
edgekit.tflite_micro`.
"""

import platform
import re
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache
from importlib.metadata import version
from importlib.util import find_spec
from typing import Any

import numpy as np
from numpy.typing import NDArray

from edgekit import install
from edgekit.child import Message, serve
from edgekit.errors import MissingExtraError, ModelError, OracleError, ToolError, UsageError
from edgekit.graph.ir import Graph
from edgekit.interpreter import Interpreter

_SLACK = 1 << 20
_MOST = 1 << 30
"""More than any board has: what a file from a stranger claims to need is not allocated unseen."""
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
        ToolError: its process cannot be started.
    """

    def __init__(self, model: bytes, graph: Graph) -> None:
        measure(model, graph)
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
            OracleError: tflite-micro has no answer for a frame, or does not survive it.
        """
        if frames.dtype != np.int8 or frames.shape[1:] != self.input_shape[1:]:
            raise UsageError(
                f"frames are {frames.dtype} {list(frames.shape[1:])}, "
                f"the model takes int8 {list(self.input_shape[1:])}"
            )
        scores = np.empty((len(frames), self.classes), np.int8)
        answers = self._interpreter.run([frame.tobytes() for frame in frames])
        for row, (_, body) in zip(scores, answers, strict=True):
            row[:] = np.frombuffer(body, np.int8)
        return scores

    def close(self) -> None:
        """End the interpreter's process; the next frame starts another one."""
        self._interpreter.close()


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
    except ModelError as error:
        raise ModelError(
            error.message,
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
    """Return what the interpreter says of a model; it is the same for all boards, and asked once."""
    interpreter = _interpreter(model, arena_bytes)
    try:
        # Some kernels refuse a model only when they run. Zeros may kill one that survives other frames.
        interpreter.run([bytes(interpreter.loaded["input_bytes"])])
    except OracleError as error:
        if interpreter.alive:
            raise ModelError(f"tflite-micro cannot run the model: {error.message}") from error
    finally:
        interpreter.close()
    return interpreter.words


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


def _interpreter(model: bytes, arena_bytes: int) -> Interpreter:
    return Interpreter("edgekit.tflite_micro", "tflite-micro", model, arena_bytes=arena_bytes)


_MADE: list[Any] = []
"""The interpreter, in its own process."""


def _answer(head: Mapping[str, Any], body: bytes) -> Message:
    """Do `load` with a model, and print what it has allocated; or `run` with `frames` of its input."""
    if head["do"] == "load":
        from tflite_micro import runtime

        _MADE[:] = [runtime.Interpreter.from_bytes(body, arena_size=head["arena_bytes"])]
        _MADE[0].print_allocations()
        source = _MADE[0].get_input_details(0)
        return {"input_bytes": int(np.prod(source["shape"])) * np.dtype(source["dtype"]).itemsize}, b""
    source, made = _MADE[0].get_input_details(0), []
    for values in np.frombuffer(body, source["dtype"]).reshape(head["frames"], *source["shape"]):
        _MADE[0].set_input(values, 0)
        _MADE[0].invoke()
        made.append(_MADE[0].get_output(0).tobytes())
    return {}, b"".join(made)


if __name__ == "__main__":
    serve(_answer)
