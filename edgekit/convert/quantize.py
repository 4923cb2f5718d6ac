"""An ONNX classifier and real images become an int8 .tflite that carries its contract."""

import importlib.util
import sys
from collections import Counter
from collections.abc import Callable, Mapping
from contextlib import closing
from dataclasses import dataclass, field
from types import MappingProxyType

import numpy as np
from numpy.typing import NDArray

from edgekit import contract, ops, quality
from edgekit.contract import Contract
from edgekit.convert import float_model, simplify, to_int8, to_keras
from edgekit.convert.evaluate import MOST_FAILURES
from edgekit.convert.onnx_model import OnnxModel
from edgekit.convert.recipe import Recipe
from edgekit.convert.rewrites import max_pool
from edgekit.data.frames import spread
from edgekit.data.randomness import looks_random, random_error
from edgekit.errors import (
    MissingExtraError,
    ModelError,
    OracleError,
    ToolError,
    UnsupportedOpError,
    UsageError,
)
from edgekit.graph import label_metadata, metadata, tflite
from edgekit.graph.ir import DType, Graph
from edgekit.oracle import Oracle, oracle_version
from edgekit.reference import Reference

# All that the conversion imports; onnx2tf declares almost none of what it needs.
_PACKAGES = (
    "onnx",
    "onnxruntime",
    "onnxslim",
    "tensorflow",
    "tf_keras",
    "onnx2tf",
    "onnx_graphsurgeon",
    "sng4onnx",
    "psutil",
    "h5py",
    "flatbuffers",
    "requests",
    "ai_edge_litert",
)
_ADDRESS_SPACE = 4 << 30
"""What it took on two cores was 2.5 GiB; each core more wants stacks for its threads."""
_CHECKED = 4
"""Frames by which the Keras model is held against the ONNX model."""
_TOLERANCE = 1e-3
"""Largest difference between the two, relative to the largest score. Good conversions differ by 1e-5."""
_MEASURED = 64
"""Frames over which the signal-to-noise ratio is taken."""
_NEARLY = 8
"""How far from 0 and 255 the extreme calibration pixels may be without a note."""
_POOR_DB = 15.0
"""Good conversions reach 20 to 45 dB; accuracy suffers below this."""


@dataclass(frozen=True, slots=True)
class QuantizedModel:
    """An int8 .tflite and what is known about it."""

    data: bytes = field(repr=False)
    """The file, with contract and labels inside."""
    contract: Contract
    graph: Graph = field(repr=False)
    float_bytes: int
    """Size of the float model it was made of."""
    operators: Mapping[str, int]
    """How often each TFLite operator occurs."""
    macs: int | None
    """Multiply-accumulates of one run; None when edgekit's own runtime lacks an operator."""
    images: int
    """How many images it was calibrated with."""
    snr_db: float | None
    """Power of the float scores over that of the int8 scores' error, on calibration images, in dB.

    None where the reference has no int8 scores; a note says why."""
    notes: tuple[str, ...] = ()
    """What the user should know."""


def quantize(
    model: OnnxModel,
    pixels: NDArray[np.uint8],
    recipe: Recipe,
    *,
    progress: Callable[[str], None] | None = None,
) -> QuantizedModel:
    """Quantise a model after training.

    The same model, pixels and recipe give the same bytes.

    Args:
        model: the float classifier.
        pixels: calibration images as the model's frames, uint8 [N, H, W, C].
        recipe: preprocessing, labels and options.
        progress: called with a few words as each step begins.

    Raises:
        UsageError: labels, mean, std, colour or frames do not fit the model.
        DataError: the calibration images are random numbers.
        UnsupportedOpError: listing every ONNX operator that cannot be converted.
        ModelError: a converter fails, or changes what the model computes.
        MissingExtraError: a package of the extra `convert` is not installed.
        ToolError: the process may take too little memory.
    """
    tell = progress or (lambda _: None)
    _check_packages()
    _check_memory()
    _check_request(model, pixels, recipe)
    oracle = oracle_version()
    chosen = pixels[spread(len(pixels), recipe.max_images)]
    if not recipe.allow_random and looks_random(chosen[:_MEASURED]):
        raise random_error("the calibration data")
    inputs = float_model.normalise(chosen, recipe.preprocess)
    tell("simplifying the graph")
    proto = simplify.simplify(model)
    max_pool.rewrite(proto, model, inputs)
    tell("loading TensorFlow")
    to_keras.import_onnx2tf()
    tell("converting the layers")
    keras = to_keras.to_keras(model, proto)
    measured = inputs[spread(len(inputs), _MEASURED)]
    expected = float_model.scores(model, measured)
    _check_conversion(to_int8.float_scores(keras, measured[:_CHECKED]), expected[:_CHECKED], model.name)
    tell(f"quantising with {len(inputs)} images")
    raw = to_int8.to_int8(keras, inputs, model.name)
    tell("comparing with the float model")
    graph = tflite.parse(raw, model.name)
    notes = (*model.notes, *_check_range(chosen), *_check_graph(graph))
    agreed = contract.for_graph(graph, preprocess=recipe.preprocess, labels=recipe.labels, oracle=oracle)
    ratio, found = _closeness(raw, agreed, chosen[spread(len(chosen), _MEASURED)], expected)
    whole = metadata.attach(raw, {contract.METADATA_NAME: agreed.to_json()})
    whole = label_metadata.attach_labels(whole, agreed.labels)
    return QuantizedModel(
        data=whole,
        contract=agreed,
        graph=tflite.parse(whole, model.name),
        float_bytes=len(model.proto),
        operators=MappingProxyType(dict(sorted(Counter(op.kind for op in graph.ops).items()))),
        macs=_macs(graph),
        images=len(inputs),
        snr_db=ratio,
        notes=(*notes, *found),
    )


def _closeness(
    raw: bytes, agreed: Contract, pixels: NDArray[np.uint8], expected: NDArray[np.float32]
) -> tuple[float | None, tuple[str, ...]]:
    """Return how near the int8 scores of frames are to the float ones, in dB, and notes for the user."""
    try:
        with closing(Oracle(raw)) as oracle:
            found = Reference(oracle, agreed, MOST_FAILURES).scores(pixels)
    except OracleError as error:
        return None, (f"int8 could not be compared with float on calibration images: {error.message}",)
    ran = np.delete(np.arange(len(pixels)), [error.frame for error in found.failed])
    real = quality.dequantise(found.scores[ran], agreed.output_scale, agreed.output_zero_point)
    ratio = quality.snr_db(expected[ran], real)
    notes = (f"the int8 scores are far from the float ones ({ratio:.1f} dB): see the accuracy",)
    return ratio, notes if ratio < _POOR_DB else ()


def _check_packages() -> None:
    """Find a missing package before TensorFlow's import has taken its seconds."""
    for package in _PACKAGES:
        if importlib.util.find_spec(package) is None:
            raise MissingExtraError(package, "convert", "quantising a model")


def _check_memory() -> None:
    """Refuse a limit of memory under which TensorFlow ends the process without a word, or waits for ever."""
    if sys.platform == "win32":
        return
    import resource

    allowed = resource.getrlimit(resource.RLIMIT_AS)[0]
    if allowed != resource.RLIM_INFINITY and allowed < _ADDRESS_SPACE:
        raise ToolError(
            f"there is not enough memory: TensorFlow reserves up to {_ADDRESS_SPACE >> 30} GiB of addresses, "
            f"and a limit leaves this process {allowed >> 20:,} MiB",
            "raise or remove the limit (`ulimit -v unlimited`); most of it is never used",
        )


def _check_request(model: OnnxModel, pixels: NDArray[np.uint8], recipe: Recipe) -> None:
    """Find every mistake of the user before anything slow begins."""
    shape = (*model.size, model.channels)
    color = recipe.preprocess.color
    if color.channels != model.channels:
        raise UsageError(
            f"color '{color}' has {color.channels} channel(s), but '{model.name}' takes {model.channels}",
            "choose --color gray for one channel, rgb or bgr for three",
        )
    if pixels.dtype != np.uint8 or pixels.shape[1:] != shape or len(pixels) == 0:
        raise UsageError(
            f"calibration frames are {pixels.dtype} {list(pixels.shape)}, "
            f"'{model.name}' needs uint8 {['N', *shape]}"
        )
    contract.check_preprocess(recipe.preprocess, (1, *shape))
    if recipe.labels is not None:
        if len(recipe.labels) != model.classes:
            raise UsageError(
                f"{len(recipe.labels)} labels were given, but '{model.name}' has {model.classes} outputs",
                "give one label per output, in the order of the training set's classes",
            )
        contract.check_labels(recipe.labels)


def _check_conversion(found: NDArray[np.float32], expected: NDArray[np.float32], name: str) -> None:
    largest = max(float(np.abs(expected).max()), 1e-6)
    error = float(np.abs(found - expected).max()) / largest
    if not error <= _TOLERANCE:
        raise ModelError(
            f"the conversion of '{name}' changes its scores by {100 * error:.2g} % of the largest one",
            "onnx2tf takes channels for width where there are as many: change the channels or --size",
        )


def _check_range(pixels: NDArray[np.uint8]) -> tuple[str, ...]:
    low, high = int(pixels.min()), int(pixels.max())
    if low <= _NEARLY and high >= 255 - _NEARLY:
        return ()
    return (f"calibration pixels span {low}..{high} only: darker and brighter ones will look like these",)


def _check_graph(graph: Graph) -> tuple[str, ...]:
    """Refuse float operators; note what costs time on a device or cannot be generated."""
    floats = sorted(
        {
            op.kind
            for op in graph.ops
            for index in (*op.inputs, *op.outputs)
            if index >= 0 and graph.tensor(index).dtype in (DType.FLOAT32, DType.FLOAT16)
        }
    )
    if floats:
        raise UnsupportedOpError(
            f"'{graph.name}' keeps float operators after quantisation: {', '.join(floats)}",
            "replace them in the model",
        )
    notes: list[str] = []
    transposes = sum(op.kind == "TRANSPOSE" for op in graph.ops)
    if transposes:
        notes.append(f"{transposes} TRANSPOSE operator(s) remain; shuffled channels and attention make them")
    try:
        ops.lower(graph)
    except UnsupportedOpError as error:
        notes.append(f"`edgekit generate` will refuse this model: {error.message}; {error.hint}")
    return tuple(notes)


def _macs(graph: Graph) -> int | None:
    try:
        return sum(step.macs for step in ops.lower(graph))
    except UnsupportedOpError:
        return None
