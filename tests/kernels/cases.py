"""Random models of every operator: how many of each are compared with the reference, and what makes them."""

import zlib
from collections.abc import Callable

import numpy as np
from kernels import models, movement, runner, unary, weightless

from edgekit.graph import tflite

Make = Callable[[np.random.Generator], bytes]

CASES: dict[str, tuple[int, Make]] = {
    "CONV_2D": (300, models.conv_2d),
    "DEPTHWISE_CONV_2D": (250, models.depthwise_conv_2d),
    "FULLY_CONNECTED": (300, models.fully_connected),
    "ADD": (300, weightless.add),
    "SUB": (200, weightless.sub),
    "MUL": (300, weightless.mul),
    "SQUARED_DIFFERENCE": (200, weightless.squared_difference),
    "MEAN": (200, weightless.mean),
    "AVERAGE_POOL_2D": (150, weightless.average_pool_2d),
    "MAX_POOL_2D": (150, weightless.max_pool_2d),
    "PAD": (100, weightless.pad),
    "SOFTMAX": (200, weightless.softmax),
    "PRELU": (150, movement.prelu),
    "BATCH_MATMUL": (200, movement.batch_matmul),
    "CONCATENATION": (150, movement.concatenation),
    "GATHER": (100, movement.gather),
    "PADV2": (100, movement.padv2),
    "RESIZE_BILINEAR": (150, movement.resize_bilinear),
    "RESIZE_NEAREST_NEIGHBOR": (150, movement.resize_nearest_neighbor),
    "SLICE": (100, movement.slice_),
    "STRIDED_SLICE": (200, movement.strided_slice),
    "TRANSPOSE": (150, movement.transpose),
}
SPLITS: dict[str, Make] = {"SPLIT": movement.split, "SPLIT_V": movement.split_v}
UNARY: dict[str, Make] = {
    "RELU": unary.relu,
    "RELU6": unary.relu6,
    "RELU_N1_TO_1": unary.relu_n1_to_1,
    "RELU_0_TO_1": unary.relu_0_to_1,
    "LEAKY_RELU": unary.leaky_relu,
    "HARD_SWISH": unary.hard_swish,
    "LOGISTIC": unary.logistic,
    "TANH": unary.tanh,
    "GELU": unary.gelu,
    "QUANTIZE": unary.quantize,
    "RSQRT": unary.rsqrt,
}
"""One table in common: one frame has every input."""
FREE = {"RESHAPE", "SQUEEZE", "EXPAND_DIMS"}
"""Without a kernel."""
KINDS: dict[str, Make] = {**{kind: make for kind, (_, make) in CASES.items()}, **SPLITS, **UNARY}


def rng_of(kind: str, salt: int = 0) -> np.random.Generator:
    """Return the generator of an operator's random models."""
    return np.random.default_rng(zlib.crc32(kind.encode()) + salt)


def case(kind: str, rng: np.random.Generator) -> runner.Case:
    """Return a random case of an operator; of a SPLIT, its first part."""
    model = KINDS[kind](rng)
    if kind not in UNARY:
        return runner.case(model, rng)
    graph = tflite.parse(model)
    quantization = graph.tensor(graph.inputs[0]).quantization
    assert quantization is not None
    # LiteRT ends a run of RSQRT at a value below zero.
    least = quantization.zero_point if kind == "RSQRT" else None
    return runner.Case(model, [[unary.every_input(least)]], "")
