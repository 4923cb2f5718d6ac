"""DEPTHWISE_CONV_2D. Rounding: twice (measured against LiteRT 2.3.0, held by tests/kernels)."""

from dataclasses import replace

from edgekit.errors import ModelError
from edgekit.graph.ir import Graph, Op
from edgekit.ops import _checks
from edgekit.ops._convolution import convolution, parameters
from edgekit.ops.geometry import Geometry
from edgekit.ops.overlap import Walk, window_distance
from edgekit.ops.step import Step


def lower(graph: Graph, op: Op) -> Step:
    """Return the kernel call; raises UnsupportedOpError with the reason if there is none."""
    found = convolution(graph, op)
    one, height, width, filters = found.weights.shape
    channels, outputs = found.source.shape[3], found.target.shape[3]
    if one != 1 or filters != outputs or outputs % channels:
        raise ModelError(f"{_checks.describe(graph, op)}: {found.misfit}")
    geometry = replace(found.geometry, groups=channels)
    return Step(
        ops=op.covers,
        kind=op.kind,
        kernel="ek_depthwise_conv_2d_s8",
        params_type="ek_depthwise_conv_2d_params",
        params=parameters(
            graph, op, found, axis=3, channels={"depth_multiplier": outputs // channels}, groups={}
        ),
        inputs=(found.source.index,),
        output=found.target.index,
        geometry=geometry,
        overlaps=(_overlap(geometry),),
        scratch_bytes=_scratch_bytes(geometry),
        macs=found.target.elements * height * width,
    )


def _scratch_bytes(geometry: Geometry) -> int:
    """The columns that two neighbouring pixels see, by row of the filter, where they leave the image."""
    if not geometry.leaves_image:
        return 0
    columns = (geometry.filter_size[1] - 1) * geometry.dilation[1] + 1
    if geometry.output_size[1] > 1:
        columns += geometry.stride[1]
    return geometry.filter_size[0] * columns * geometry.input_channels


def _overlap(geometry: Geometry) -> int | None:
    """Two pixels at a time, channel by channel; before the last one, all others of both are written."""
    outputs, partial = geometry.output_channels, None
    if outputs > 1:
        partial = min(2, geometry.output_size[1]) * outputs - geometry.input_channels
    return window_distance(geometry, Walk(block=2, partial=partial))
