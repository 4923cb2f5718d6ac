"""PRELU with constant slopes. Rounding: twice, with a multiplier of its own below zero."""

import numpy as np

from edgekit.graph.ir import DType, Graph, Op
from edgekit.ops import _checks
from edgekit.ops._broadcast import broadcast
from edgekit.ops.step import Constant, Step


def lower(graph: Graph, op: Op) -> Step:
    """Return the kernel call; raises UnsupportedOpError with the reason if there is none."""
    source, slopes = _checks.operand(graph, op, 0), _checks.operand(graph, op, 1)
    target = _checks.result(graph, op)
    quantization, slope = _checks.activation(source), _checks.quantized(slopes)
    out = _checks.activation(target)
    _checks.expect_shape(graph, op, target, source.shape)
    values = _checks.constant(slopes, DType.INT8)
    # LiteRT divides in float64 above zero, and multiplies the two scales in float32 below.
    above = _checks.multiplier(quantization.scale / out.scale)
    product = np.float32(quantization.scale) * np.float32(slope.scale)
    below = _checks.multiplier(float(product) / out.scale)
    return Step(
        ops=(op.index,),
        kind=op.kind,
        kernel="ek_prelu_s8",
        params_type="ek_binary_params",
        params={
            "constant": Constant("slopes", values),
            "constant_place": 1,
            **broadcast(graph, op, [source, slopes], target),
            "input1_zero_point": quantization.zero_point,
            "input1_multiplier": above[0],
            "input1_shift": above[1],
            "input2_zero_point": slope.zero_point,
            "input2_multiplier": below[0],
            "input2_shift": below[1],
            "output_zero_point": out.zero_point,
            "output_multiplier": 0,
            "output_shift": 0,
            "activation_min": -128,
            "activation_max": 127,
        },
        inputs=(source.index,),
        output=target.index,
        overlaps=(0,),
    )
