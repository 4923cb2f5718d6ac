"""FULLY_CONNECTED. Rounding: once, ties away from zero.

LiteRT's reference multiplies the accumulator by the real scale in float64 and rounds that, for per-tensor
and per-channel weights alike; `fixed_point.fit_once` finds the integers that do the same.
"""

import numpy as np

from edgekit.errors import ModelError, UnsupportedOpError
from edgekit.graph import fixed_point
from edgekit.graph.ir import DType, Graph, Op, Quantization
from edgekit.ops import _checks
from edgekit.ops.geometry import Geometry
from edgekit.ops.overlap import row_distance
from edgekit.ops.step import Constant, Param, Step


def lower(graph: Graph, op: Op) -> Step:
    """Return the kernel call; raises UnsupportedOpError with the reason if there is none."""
    source, weights = _checks.operand(graph, op, 0), _checks.operand(graph, op, 1)
    target = _checks.result(graph, op)
    if str(op.options.get("weights_format", "DEFAULT")) != "DEFAULT":
        raise UnsupportedOpError(f"its weights are in the format {op.options['weights_format']}")
    quantization, out = _checks.activation(source), _checks.activation(target)
    values = _checks.constant(weights, DType.INT8)
    if len(weights.shape) != 2:
        raise ModelError(f"{_checks.describe(graph, op)}: weights {list(weights.shape)} must have rank 2")
    outputs, depth = weights.shape
    keep = bool(op.options.get("keep_num_dims", False))
    if source.elements % depth or (keep and source.shape[-1:] != (depth,)):
        raise ModelError(
            f"{_checks.describe(graph, op)}: weights {list(weights.shape)} do not take {list(source.shape)}"
        )
    batches = source.elements // depth
    _checks.expect_shape(graph, op, target, [*source.shape[:-1], outputs] if keep else [batches, outputs])
    scales = _checks.weight_scales(weights, 0)
    low, high = _checks.output_range(op, out)
    bias = _checks.optional_operand(graph, op, 2)
    folded = _checks.folded_bias(graph, op, bias, values, quantization.zero_point)
    geometry = Geometry(batches, (1, 1), depth, (1, 1), outputs)
    reach = np.abs(values.astype(np.int64)).sum(axis=1) * 128 + np.abs(folded.astype(np.int64))
    params: dict[str, Param] = {
        "batches": batches,
        "input_depth": depth,
        "output_depth": outputs,
        "channel_step": 1 if len(scales) > 1 else 0,
        "output_zero_point": out.zero_point,
        "activation_min": low,
        "activation_max": high,
    }
    constants = [Constant("weights", values), Constant("bias", folded)]
    limits = [int(reach.max())] if len(scales) == 1 else [int(value) for value in reach]
    constants += _multipliers(scales, limits, quantization, out, (low, high))
    return Step(
        ops=op.covers,
        kind=op.kind,
        kernel="ek_fully_connected_s8",
        params_type="ek_fully_connected_params",
        params=params | {item.role: item for item in constants},
        inputs=(source.index,),
        output=target.index,
        geometry=geometry,
        overlaps=(row_distance(geometry),),
        macs=target.elements * depth,
    )


def _multipliers(
    scales: tuple[float, ...],
    limits: list[int],
    source: Quantization,
    target: Quantization,
    bounds: tuple[int, int],
) -> list[Constant]:
    """Return multiplier, multiplier_low and shift, one each per scale."""
    largest = max(abs(bound - target.zero_point) for bound in bounds) + 1
    found = []
    for scale, limit in zip(scales, limits, strict=True):
        try:
            found.append(fixed_point.fit_once(source.scale * scale / target.scale, limit, largest))
        except ValueError as error:
            raise UnsupportedOpError(f"its scales cannot be matched: {error}") from error
    word = (1 << 31) - 1
    return [
        Constant("multiplier", np.array([m >> 31 for m, _ in found], np.int32)),
        Constant("multiplier_low", np.array([m & word for m, _ in found], np.int32)),
        Constant("shift", np.array([s - 31 for _, s in found], np.int8)),
    ]
