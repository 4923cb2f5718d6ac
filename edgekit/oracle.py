"""The reference that everything is compared with: LiteRT's reference kernels (BUILTIN_REF), one thread.

LiteRT's default kernels (XNNPACK) are not an oracle: they round otherwise, by up to 42 steps on ResNet-8.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from importlib.metadata import version
from typing import Any

import numpy as np
from numpy.typing import NDArray

from edgekit.errors import MissingExtraError, ModelError, UsageError
from edgekit.graph import tflite
from edgekit.graph.edges import int8_core
from edgekit.graph.ir import DType


class Oracle:
    """LiteRT's interpreter on one int8 model with one input and one output.

    Raises:
        MissingExtraError: ai-edge-litert is not installed.
        ModelError: LiteRT cannot read or run the model.
    """

    def __init__(self, model: bytes) -> None:
        # LiteRT refers to the model's bytes, so they must live as long as the interpreter.
        self._model = model
        self._interpreter = _interpreter(model, keep_all=False)
        self._tracer: Any = None
        source, target = _only(self._interpreter, "input"), _only(self._interpreter, "output")
        self._source, self._target = int(source["index"]), int(target["index"])
        self._edges = _edges(model, (source, target))
        self.input_shape: tuple[int, ...] = tuple(int(d) for d in source["shape"])
        """The model's input shape, batch included."""
        self.classes = int(np.prod(target["shape"]))
        """How many scores one frame gets."""

    @property
    def version(self) -> str:
        """Name and version of the reference: what a contract and a certificate say."""
        return oracle_version()

    def run(self, frames: NDArray[np.int8]) -> NDArray[np.int8]:
        """Return the int8 scores [N, classes] of int8 frames [N, ...input shape without the batch].

        Raises:
            UsageError: frames of another type or shape.
        """
        self._check(frames)
        scores = np.empty((len(frames), self.classes), np.int8)
        for row, frame in zip(scores, frames, strict=True):
            self._interpreter.set_tensor(self._source, _outward(frame[None], self._edges[0]))
            self._interpreter.invoke()
            row[:] = _inward(self._interpreter.get_tensor(self._target), self._edges[1]).reshape(-1)
        return scores

    def tensors(self, frame: NDArray[np.int8]) -> dict[int, NDArray[Any]]:
        """Return every tensor of the model after one frame [...input shape without the batch], by its index.

        Constants are among them. Indices are those of the file; LiteRT's own temporaries follow them.

        Raises:
            UsageError: a frame of another type or shape.
        """
        self._check(frame[None])
        if self._tracer is None:
            self._tracer = _interpreter(self._model, keep_all=True)
        self._tracer.set_tensor(self._source, _outward(frame[None], self._edges[0]))
        self._tracer.invoke()
        found: dict[int, NDArray[Any]] = {}
        for detail in _details(self._tracer, "tensor"):
            index = int(detail["index"])
            try:
                found[index] = self._tracer.get_tensor(index)
            except ValueError:
                # An operator's scratch memory has no values to show.
                continue
        return found

    def _check(self, frames: NDArray[np.int8]) -> None:
        if frames.dtype != np.int8 or frames.shape[1:] != self.input_shape[1:]:
            raise UsageError(
                f"frames are {frames.dtype} {list(frames.shape[1:])}, "
                f"the model takes int8 {list(self.input_shape[1:])}"
            )


def oracle_version() -> str:
    """Return the name and version of the installed reference. Raises MissingExtraError if there is none."""
    _module()
    return f"LiteRT {version('ai-edge-litert')} BUILTIN_REF"


def _module() -> Any:
    try:
        from ai_edge_litert import interpreter
    except ModuleNotFoundError as error:
        raise MissingExtraError("ai-edge-litert", "prove", "comparing with the reference kernels") from error
    return interpreter


def _interpreter(model: bytes, *, keep_all: bool) -> Any:
    litert = _module()
    try:
        interpreter = litert.Interpreter(
            model_content=model,
            experimental_op_resolver_type=litert.OpResolverType.BUILTIN_REF,
            experimental_preserve_all_tensors=keep_all,
            num_threads=1,
        )
        interpreter.allocate_tensors()
    except (ValueError, RuntimeError) as error:
        raise ModelError(f"LiteRT cannot run the model: {error}") from error
    return interpreter


def _details(interpreter: Any, word: str) -> Any:
    try:
        return getattr(interpreter, f"get_{word}_details")()
    except UnicodeDecodeError as error:
        raise ModelError("LiteRT cannot run the model: the name of a tensor is not UTF-8") from error


@dataclass(frozen=True, slots=True)
class _Edge:
    """How the file holds an input or output whose int8 values are exchanged."""

    dtype: Any
    scale: np.float32
    zero_point: int
    """Of the int8 values."""


def _edges(model: bytes, details: Sequence[Any]) -> tuple[_Edge, ...]:
    if all(detail["dtype"] is np.int8 for detail in details):
        return tuple(_Edge(np.int8, np.float32(1), 0) for _ in details)
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
    if edge.dtype is np.float32:
        return (values.astype(np.int32) - edge.zero_point).astype(np.float32) * edge.scale
    return values if edge.dtype is np.int8 else (values.astype(np.int16) + 128).astype(np.uint8)


def _inward(values: NDArray[Any], edge: _Edge) -> NDArray[np.int8]:
    """Return the int8 values behind the file's output."""
    if edge.dtype is np.float32:
        return (np.rint(values / edge.scale) + edge.zero_point).astype(np.int8)
    return values if edge.dtype is np.int8 else (values.astype(np.int16) - 128).astype(np.int8)


def _only(interpreter: Any, word: str) -> Any:
    details = _details(interpreter, word)
    if len(details) != 1 or details[0]["dtype"] not in (np.int8, np.uint8, np.float32):
        raise _not_int8(details, word)
    return details[0]


def _not_int8(details: Sequence[Any], word: str) -> ModelError:
    kinds = ", ".join(f"'{d['name']}' {np.dtype(d['dtype'])}" for d in details)
    return ModelError(
        f"the model's {word}s are {kinds or 'none'}; one int8 {word} is needed",
        "quantise it with `edgekit quantize MODEL.onnx --calibration DATA`",
    )
