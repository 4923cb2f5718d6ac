"""A whole network of the operators that no classifier family has: with these, every operator runs in one."""

import re
from pathlib import Path
from typing import Any

import documents
import numpy as np
from generated_c import check_against_oracle
from tflite_builder import Node, Value, build_graph

from edgekit import ops
from edgekit.graph import tflite

PAGE = documents.ROOT / "docs" / "reference" / "models.md"
FIRST: dict[str, Any] = {"scales": [0.1], "zero_points": [3]}
REST: dict[str, Any] = {"scales": [0.07], "zero_points": [-10]}
NONE = {"fused_activation_function": "NONE"}


def ints(*numbers: int) -> Value:
    return Value((len(numbers),), "int32", data=np.array(numbers, np.int32))


def network() -> bytes:
    slopes = np.random.default_rng(2).integers(-128, 128, (1, 1, 4)).astype(np.int8)
    values = {
        "image": Value((1, 6, 8, 4), **FIRST),
        "quantised": Value((1, 6, 8, 4), **REST),
        "slopes": Value((1, 1, 4), scales=[0.01], zero_points=[2], data=slopes),
        "bent": Value((1, 6, 8, 4), **REST),
        "last axis": Value((), "int32", data=np.array(3, np.int32)),
        "left": Value((1, 6, 8, 2), **REST),
        "right": Value((1, 6, 8, 2), **REST),
        "left6": Value((1, 6, 8, 2), **REST),
        "right1": Value((1, 6, 8, 2), **REST),
        "size": ints(12, 16),
        "smooth": Value((1, 12, 16, 2), **REST),
        "sharp": Value((1, 12, 16, 2), **REST),
        "whole": Value((1, 12, 16, 4), **REST),
        "parts": ints(5, 7),
        "rows axis": Value((), "int32", data=np.array(1, np.int32)),
        "upper": Value((1, 5, 16, 4), **REST),
        "lower": Value((1, 7, 16, 4), **REST),
        "second row": ints(0, 1, 0, 0),
        "start": ints(0, 0, 0, 0),
        "four rows": ints(1, 4, -1, -1),
        "upper4": Value((1, 4, 16, 4), **REST),
        "lower4": Value((1, 4, 16, 4), **REST),
        "unit": Value((1, 4, 16, 4), **REST),
        "flat": Value((4, 16, 4), **REST),
        "front": Value((), "int32", data=np.array(0, np.int32)),
        "again": Value((1, 4, 16, 4), **REST),
        "sum": Value((1, 4, 16, 4), **FIRST),
        "shape": ints(1, 256),
        "scores": Value((1, 256), **FIRST),
    }
    chain: list[tuple[str, str, str, dict[str, Any], int | None]] = [
        ("QUANTIZE", "image", "quantised", {}, 1),
        ("PRELU", "quantised,slopes", "bent", {}, None),
        ("SPLIT", "last axis,bent", "left,right", {"num_splits": 2}, None),
        ("RELU6", "left", "left6", {}, 1),
        ("RELU_N1_TO_1", "right", "right1", {}, 1),
        ("RESIZE_BILINEAR", "left6,size", "smooth", {"half_pixel_centers": True}, 3),
        ("RESIZE_NEAREST_NEIGHBOR", "right1,size", "sharp", {}, 3),
        ("CONCATENATION", "smooth,sharp", "whole", {"axis": 3, **NONE}, None),
        ("SPLIT_V", "whole,parts,rows axis", "upper,lower", {"num_splits": 2}, None),
        ("SLICE", "upper,second row,four rows", "upper4", {}, None),
        ("SLICE", "lower,start,four rows", "lower4", {}, None),
        ("RELU_0_TO_1", "upper4", "unit", {}, 1),
        ("SQUEEZE", "unit", "flat", {"squeeze_dims": [0]}, 1),
        ("EXPAND_DIMS", "flat,front", "again", {}, 1),
        ("ADD", "again,lower4", "sum", NONE, None),
        ("RESHAPE", "sum,shape", "scores", {"new_shape": [1, 256]}, None),
    ]
    places = {name: place for place, name in enumerate(values)}
    nodes = [
        Node(
            kind,
            [places[name] for name in inputs.split(",")],
            [places[name] for name in outputs.split(",")],
            options,
            version,
        )
        for kind, inputs, outputs, options, version in chain
    ]
    return build_graph(list(values.values()), nodes, [0], [places["scores"]])


def test_every_step_equals_reference(tmp_path: Path) -> None:
    check_against_oracle(network(), tmp_path, 20)


def test_with_the_families_every_operator_runs_in_a_network() -> None:
    families = set(re.findall(r"^\| `([A-Z0-9_]+)` \|", PAGE.read_text("utf-8"), re.MULTILINE))
    here = {op.kind for op in tflite.parse(network()).ops}
    assert families | here == set(ops.supported())
