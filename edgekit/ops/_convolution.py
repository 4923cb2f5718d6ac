"""What CONV_2D and DEPTHWISE_CONV_2D share: their tensors, and all parameters but those of channels."""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from edgekit.errors import ModelError
from edgekit.graph.ir import DType, Graph, Op, Tensor
from edgekit.ops import _checks
from edgekit.ops._window import geometry
from edgekit.ops.geometry import Geometry
from edgekit.ops.step import Constant, Param


@dataclass(frozen=True, slots=True)
class Convolution:
    """The tensors of a convolution, all of rank 4, and its geometry."""

    source: Tensor
    weights: Tensor
    target: Tensor
    values: NDArray[np.generic]
    """Of the weights."""
    geometry: Geometry

    @property
    def misfit(self) -> str:
        """What to say when the weights do not fit the channels."""
        return (
            f"weights {list(self.weights.shape)} do not lead from "
            f"{self.source.shape[3]} channels to {self.target.shape[3]}"
        )


def convolution(graph: Graph, op: Op) -> Convolution:
    """Return the checked tensors; that their channels fit together is for the operator to check."""
    source, weights = _checks.operand(graph, op, 0), _checks.operand(graph, op, 1)
    target = _checks.result(graph, op)
    if len(source.shape) != 4 or len(target.shape) != 4 or len(weights.shape) != 4:
        raise ModelError(f"{_checks.describe(graph, op)}: input, weights and output must have rank 4")
    _checks.activation(source)
    _checks.activation(target)
    values = _checks.constant(weights, DType.INT8)
    found = geometry(graph, op, source, target, (weights.shape[1], weights.shape[2]))
    return Convolution(source, weights, target, values, found)


def parameters(
    graph: Graph,
    op: Op,
    found: Convolution,
    *,
    axis: int,
    channels: Mapping[str, int],
    groups: Mapping[str, int],
) -> dict[str, Param]:
    """Return the fields of the kernel's struct, in its order.

    Args:
        graph: the model, for messages.
        op: the operator.
        found: its tensors.
        axis: the dimension of the weights that runs over output channels.
        channels: fields that stand behind the image sizes.
        groups: fields that stand behind the filter's size.
    """
    quantization, out = _checks.quantized(found.source), _checks.quantized(found.target)
    shape = found.geometry
    scales = _checks.weight_scales(found.weights, axis)
    low, high = _checks.output_range(op, out)
    bias = _checks.optional_operand(graph, op, 2)
    rows = np.moveaxis(found.values, axis, 0)
    folded = _checks.folded_bias(graph, op, bias, rows, quantization.zero_point)
    constants = [Constant("weights", found.values), Constant("bias", folded)]
    constants += _checks.channel_multipliers(scales, quantization.scale, out.scale, len(rows))
    return {
        "batches": shape.batches,
        "input_height": shape.input_size[0],
        "input_width": shape.input_size[1],
        "input_channels": shape.input_channels,
        "output_height": shape.output_size[0],
        "output_width": shape.output_size[1],
        **channels,
        "filter_height": shape.filter_size[0],
        "filter_width": shape.filter_size[1],
        **groups,
        "stride_height": shape.stride[0],
        "stride_width": shape.stride[1],
        "dilation_height": shape.dilation[0],
        "dilation_width": shape.dilation[1],
        "pad_top": shape.pad_before[0],
        "pad_left": shape.pad_before[1],
        "input_zero_point": quantization.zero_point,
        "output_zero_point": out.zero_point,
        "activation_min": low,
        "activation_max": high,
        **{item.role: item for item in constants},
    }
