"""MUL of two activations, or of an activation and a constant, with broadcasting. Rounding: twice."""

import numpy as np

from edgekit.graph import fixed_point
from edgekit.graph.ir import Graph, Op, Quantization
from edgekit.ops import _checks
from edgekit.ops._binary import Scaling, lower_binary
from edgekit.ops.step import Step


def lower(graph: Graph, op: Op) -> Step:
    """Return the kernel call; raises UnsupportedOpError with the reason if there is none."""
    return lower_binary(graph, op, _scaling, _element)


def _scaling(first: Quantization, second: Quantization, out: Quantization) -> Scaling:
    # LiteRT multiplies and divides the scales in float32.
    real = np.float32(first.scale) * np.float32(second.scale) / np.float32(out.scale)
    multiplier, shift = _checks.multiplier(float(real))
    return {
        "input1_zero_point": first.zero_point,
        "input1_multiplier": 0,
        "input1_shift": 0,
        "input2_zero_point": second.zero_point,
        "input2_multiplier": 0,
        "input2_shift": 0,
        "output_zero_point": out.zero_point,
        "output_multiplier": multiplier,
        "output_shift": shift,
    }


def _element(fields: Scaling, value1: int, value2: int) -> int:
    product = (value1 - fields["input1_zero_point"]) * (value2 - fields["input2_zero_point"])
    return fixed_point.requantize_twice(product, fields["output_multiplier"], fields["output_shift"])
