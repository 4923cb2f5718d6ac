"""DEPTHWISE_CONV_2D. Rounding: twice (measured against LiteRT 2.3.0, held by tests/kernels)."""

from edgekit.errors import ModelError
from edgekit.graph.ir import Graph, Op
from edgekit.graph.rewrites import covered
from edgekit.ops import _checks
from edgekit.ops._convolution import convolution, parameters
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
        scratch_bytes=taps * channels if found.geometry.leaves_image else 0,
        macs=found.target.elements * taps,
    )
