"""DEPTHWISE_CONV_2D. Rounding: twice (measured against LiteRT 2.3.0, held by tests/kernels)."""

from edgekit.errors import ModelError
from edgekit.graph.ir import Graph, Op
from edgekit.graph.rewrites import covered
from edgekit.ops import _checks
from edgekit.ops._convolution import Convolution, convolution, parameters
from edgekit.ops._overlap import Image, window_distance
from edgekit.ops.step import Step


def lower(graph: Graph, op: Op) -> Step:
    """Return the kernel call; raises UnsupportedOpError with the reason if there is none."""
    found = convolution(graph, op)
    one, height, width, filters = found.weights.shape
    channels, outputs = found.source.shape[3], found.target.shape[3]
    if one != 1 or filters != outputs or outputs % channels:
        raise ModelError(f"{_checks.describe(graph, op)}: {found.misfit}")
    taps = height * width
    return Step(
        ops=covered(op),
        kind=op.kind,
        kernel="ek_depthwise_conv_2d_s8",
        params_type="ek_depthwise_conv_2d_params",
        params=parameters(
            graph, op, found, axis=3, channels={"depth_multiplier": outputs // channels}, groups={}
        ),
        inputs=(found.source.index,),
        output=found.target.index,
        overlaps=(_overlap(found, channels, outputs),),
        scratch_bytes=_scratch_bytes(found, channels),
        macs=found.target.elements * taps,
    )


def _scratch_bytes(found: Convolution, channels: int) -> int:
    """The columns that two neighbouring pixels see, by row of the filter, where they leave the image."""
    geometry = found.geometry
    if not geometry.leaves_image:
        return 0
    columns = (geometry.filter_size[1] - 1) * geometry.dilation[1] + 1
    if geometry.output_size[1] > 1:
        columns += geometry.stride[1]
    return geometry.filter_size[0] * columns * channels


def _overlap(found: Convolution, channels: int, outputs: int) -> int | None:
    """Two pixels at a time, channel by channel; before the last one, all others of both are written."""
    geometry, partial = found.geometry, None
    if outputs > 1:
        partial = (min(2, geometry.output_size[1]) - 1) * outputs + outputs - channels
    image = Image(found.source.shape[0], channels, outputs, block=2, partial=partial)
    return window_distance(geometry, image)
