"""The reference that everything is compared with: LiteRT's reference kernels (BUILTIN_REF), one thread.

LiteRT's default kernels (XNNPACK) are not an oracle: they round otherwise, by up to 42 steps on ResNet-8. Nor
is BUILTIN_REF where it reuses the memory of tensors, as it does by default: it can overwrite one that is read
again. And as some frames end the process that LiteRT runs in, that is a process of its own.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from importlib.metadata import version
from importlib.util import find_spec
from math import prod
from typing import Any

import numpy as np
from numpy.typing import NDArray

from edgekit.errors import MissingExtraError, ModelError, UsageError
from edgekit.graph import tflite
from edgekit.graph.edges import int8_core
from edgekit.graph.ir import DType
from edgekit.interpreter import Interpreter


class Oracle:
    """LiteRT's interpreter on one int8 model with one input and one output.

    Its process starts with it and ends with `close`, with the object, or with this process.

    Raises:
        MissingExtraError: ai-edge-litert is not installed.
        ModelError: LiteRT cannot read or run the model.
        ToolError: its process cannot be started.
    """

    def __init__(self, model: bytes) -> None:
        oracle_version()
        self._interpreter = Interpreter("edgekit.litert", "LiteRT", model)
        loaded = self._interpreter.loaded
        source, target = _only(loaded["input"], "input"), _only(loaded["output"], "output")
        self._edges = _edges(model, (source, target))
        self.input_shape: tuple[int, ...] = tuple(source["shape"])
        """The model's input shape, batch included."""
        self.classes = prod(target["shape"])
        """How many scores one frame gets."""

    @property
    def version(self) -> str:
        """Name and version of the reference: what a contract and a certificate say."""
        return oracle_version()

    def run(self, frames: NDArray[np.int8], *, reuse: bool = False) -> NDArray[np.int8]:
        """Return the int8 scores [N, classes] of int8 frames [N, ...input shape without the batch].

        Args:
            frames: what to run.
            reuse: let LiteRT reuse the memory of tensors, as it does by default and this oracle does not.

        Raises:
            UsageError: frames of another type or shape.
            OracleError: LiteRT has no answer for a frame, or does not survive it.
        """
        self._check(frames)
        source, target = self._edges
        answers = self._interpreter.run([_outward(frame, source).tobytes() for frame in frames], reuse=reuse)
        scores = np.empty((len(frames), self.classes), np.int8)
        for row, (_, body) in zip(scores, answers, strict=True):
            row[:] = _inward(np.frombuffer(body, target.dtype), target)
        return scores

    def tensors(self, frame: NDArray[np.int8]) -> dict[int, NDArray[Any]]:
        """Return every tensor of the model after one frame [...input shape without the batch], by its index.

        Constants are among them. Indices are those of the file; LiteRT's own temporaries follow them.

        Raises:
            UsageError: a frame of another type or shape.
            OracleError: LiteRT has no answer for the frame, or does not survive it.
        """
        self._check(frame[None])
        ((head, body),) = self._interpreter.run([_outward(frame, self._edges[0]).tobytes()], all=True)
        found: dict[int, NDArray[Any]] = {}
        at = 0
        for index, dtype, shape in head["tensors"]:
            found[index] = np.frombuffer(body, dtype, prod(shape), at).reshape(shape)
            at += found[index].nbytes
        return found

    def close(self) -> None:
        """End LiteRT's process; the next frame starts another one."""
        self._interpreter.close()

    def _check(self, frames: NDArray[np.int8]) -> None:
        if frames.dtype != np.int8 or frames.shape[1:] != self.input_shape[1:]:
            raise UsageError(
                f"frames are {frames.dtype} {list(frames.shape[1:])}, "
                f"the model takes int8 {list(self.input_shape[1:])}"
            )


def oracle_version() -> str:
    """Return the name and version of the installed reference. Raises MissingExtraError if there is none."""
    if find_spec("ai_edge_litert") is None:
        raise MissingExtraError("ai-edge-litert", "prove", "comparing with the reference kernels")
    return f"LiteRT {version('ai-edge-litert')} BUILTIN_REF"


@dataclass(frozen=True, slots=True)
class _Edge:
    """How the file holds an input or output whose int8 values are exchanged."""

    dtype: str
    """`int8`, `uint8` or `float32`."""
    scale: np.float32
    zero_point: int
    """Of the int8 values."""


def _edges(model: bytes, details: Sequence[Mapping[str, Any]]) -> tuple[_Edge, ...]:
    if all(detail["dtype"] == "int8" for detail in details):
        return tuple(_Edge("int8", np.float32(1), 0) for _ in details)
    core = int8_core(tflite.parse(model))
    found = []
    for detail, index, word in zip(
        details, (core.inputs[0], core.outputs[0]), ("input", "output"), strict=True
    ):
        tensor = core.tensor(index)
        if tensor.dtype is not DType.INT8 or tensor.quantization is None:
            raise _not_int8([detail], word)
        quantization = tensor.quantization
        found.append(_Edge(detail["dtype"], np.float32(quantization.scale), quantization.zero_point))
    return tuple(found)


def _outward(values: NDArray[np.int8], edge: _Edge) -> NDArray[Any]:
    """Return int8 values as the file's input takes them; its QUANTIZE gives them back exactly."""
    if edge.dtype == "float32":
        return (values.astype(np.int32) - edge.zero_point).astype(np.float32) * edge.scale
    return values if edge.dtype == "int8" else (values.astype(np.int16) + 128).astype(np.uint8)


def _inward(values: NDArray[Any], edge: _Edge) -> NDArray[np.int8]:
    """Return the int8 values behind the file's output."""
    if edge.dtype == "float32":
        return (np.rint(values / edge.scale) + edge.zero_point).astype(np.int8)
    return values if edge.dtype == "int8" else (values.astype(np.int16) - 128).astype(np.int8)


def _only(details: Sequence[Mapping[str, Any]], word: str) -> Mapping[str, Any]:
    if len(details) != 1 or details[0]["dtype"] not in ("int8", "uint8", "float32"):
        raise _not_int8(details, word)
    return details[0]


def _not_int8(details: Sequence[Mapping[str, Any]], word: str) -> ModelError:
    kinds = ", ".join(f"'{d['name']}' {d['dtype']}" for d in details)
    return ModelError(
        f"the model's {word}s are {kinds or 'none'}; one int8 {word} is needed",
        "quantise it with `edgekit quantize MODEL.onnx --calibration DATA`",
    )
