"""CONV_2D, grouped too. Rounding: twice (measured against LiteRT 2.3.0, held by tests/kernels)."""

import math

from edgekit.errors import ModelError
from edgekit.graph.ir import DType, Graph, Op, Tensor
from edgekit.graph.rewrite import covered
from edgekit.ops import _checks
from edgekit.ops._window import Window, window
from edgekit.ops.step import Constant, Param, Step


def lower(graph: Graph, op: Op) -> Step:
    """Return the kernel call; raises UnsupportedOpError with the reason if there is none."""
    source, weights = _checks.operand(graph, op, 0), _checks.operand(graph, op, 1)
    target = _checks.result(graph, op)
    if len(source.shape) != 4 or len(target.shape) != 4 or len(weights.shape) != 4:
        raise ModelError(f"{_checks.describe(graph, op)}: input, weights and output must have rank 4")
    quantization, out = _checks.activation(source), _checks.activation(target)
    values = _checks.constant(weights, DType.INT8)
    groups = _groups(graph, op, source, weights, target)
    geometry = window(graph, op, source, target, (weights.shape[1], weights.shape[2]))
    channels = target.shape[3]
    scales = _checks.weight_scales(weights, 0)
    low, high = _checks.output_range(op, out)
    params: dict[str, Param] = {
        "batches": source.shape[0],
        "input_height": source.shape[1],
        "input_width": source.shape[2],
        "input_channels": source.shape[3],
        "output_height": target.shape[1],
        "output_width": target.shape[2],
        "output_channels": channels,
        "filter_height": weights.shape[1],
        "filter_width": weights.shape[2],
        "groups": groups,
        "stride_height": geometry.stride[0],
        "stride_width": geometry.stride[1],
        "dilation_height": geometry.dilation[0],
        "dilation_width": geometry.dilation[1],
        "pad_top": geometry.pad_before[0],
        "pad_left": geometry.pad_before[1],
        "input_zero_point": quantization.zero_point,
        "output_zero_point": out.zero_point,
        "activation_min": low,
        "activation_max": high,
    }
    bias = _checks.optional_operand(graph, op, 2)
    folded = _checks.folded_bias(graph, op, bias, values, quantization.zero_point)
    constants = [Constant("weights", values), Constant("bias", folded)]
    constants += _checks.channel_multipliers(scales, quantization.scale, out.scale, channels)
    return Step(
        ops=covered(op),
        kind=op.kind,
        kernel="ek_conv_2d_s8",
        params_type="ek_conv_2d_params",
        params=params | {item.role: item for item in constants},
        inputs=(source.index,),
        output=target.index,
        scratch_bytes=_scratch_bytes(weights, groups, geometry),
        macs=target.elements * math.prod(weights.shape[1:]),
    )


def _groups(graph: Graph, op: Op, source: Tensor, weights: Tensor, target: Tensor) -> int:
    channels, per_group = source.shape[3], weights.shape[3]
    groups = channels // per_group
    if channels % per_group or target.shape[3] % groups or weights.shape[0] != target.shape[3]:
        raise ModelError(
            f"{_checks.describe(graph, op)}: weights {list(weights.shape)} do not lead from "
            f"{channels} channels to {target.shape[3]}"
        )
    return groups


def _scratch_bytes(weights: Tensor, groups: int, geometry: Window) -> int:
    """Two patches, or nothing where a patch is one pixel of the input itself."""
    if groups == 1 and geometry.filter_size == (1, 1) and not geometry.leaves_image:
        return 0
    return 2 * math.prod(weights.shape[1:])
