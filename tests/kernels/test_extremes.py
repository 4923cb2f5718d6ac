"""Scales that no converter writes and that are accepted: the same bits as LiteRT, and nothing undefined."""

import zlib
from collections.abc import Callable
from pathlib import Path
from typing import Any

import flatbuffers
import numpy as np
import pytest
from ai_edge_litert import schema_py_generated as schema
from kernels import models, movement, runner, unary, weightless

from edgekit.errors import UnsupportedOpError

MAKERS: dict[str, Callable[[np.random.Generator], bytes]] = {
    "CONV_2D": models.conv_2d,
    "DEPTHWISE_CONV_2D": models.depthwise_conv_2d,
    "ADD": weightless.add,
    "SUB": weightless.sub,
    "MUL": weightless.mul,
    "SQUARED_DIFFERENCE": weightless.squared_difference,
    "MEAN": weightless.mean,
    "PRELU": movement.prelu,
    "BATCH_MATMUL": movement.batch_matmul,
    "RELU6": unary.relu6,
    "LEAKY_RELU": unary.leaky_relu,
    "HARD_SWISH": unary.hard_swish,
    "GELU": unary.gelu,
    "QUANTIZE": unary.quantize,
    "RSQRT": unary.rsqrt,
}
OCTAVES = (6, 14, 31, 60)
"""Scales lie so many octaves around 1."""
COUNT = 15
"""Accepted models for each of them."""


def stretched(content: bytes, rng: np.random.Generator, octaves: int, zero_points: tuple[int, ...]) -> bytes:
    """Return a model with other scales, powers of two and their neighbours often, and other zero points.

    What is constant keeps its zero points, which are 0 for weights.
    """
    model: Any = schema.ModelT.InitFromPackedBuf(content, 0)
    for tensor in model.subgraphs[0].tensors:
        found = tensor.quantization
        if found is None or found.scale is None or tensor.type != schema.TensorType.INT8:
            continue
        scale = np.float32(2.0 ** rng.uniform(-octaves, octaves))
        if rng.random() < 0.5:
            scale = np.float32(2.0 ** round(float(np.log2(scale))))
        if rng.random() < 0.2:
            scale = np.nextafter(scale, np.float32(0))
        found.scale = np.full(len(found.scale), scale)
        if model.buffers[tensor.buffer].data is None:
            found.zeroPoint = np.full(1, models.pick(rng, zero_points), np.int64)
    builder = flatbuffers.Builder(1024)
    builder.Finish(model.Pack(builder), b"TFL3")
    return bytes(builder.Output())


@pytest.mark.parametrize("kind", MAKERS)
def test_extreme_scales_equal_the_reference(kind: str, tmp_path: Path) -> None:
    rng = np.random.default_rng(zlib.crc32(kind.encode()))
    # LiteRT ends a run of RSQRT at a value below zero.
    zero_points = (-128,) if kind == "RSQRT" else (-128, 127, 0, 5)
    cases: list[runner.Case] = []
    for octaves in OCTAVES:
        accepted = 0
        while accepted < COUNT:
            model = stretched(MAKERS[kind](rng), rng, octaves, zero_points)
            try:
                runner.lower(model)
            except UnsupportedOpError:
                continue
            accepted += 1
            cases.append(runner.case(model, rng, f"{octaves} octaves"))
    assert runner.compare(cases, tmp_path) == []
