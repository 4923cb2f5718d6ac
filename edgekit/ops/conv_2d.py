"""CONV_2D, grouped too. Rounding: twice (measured against LiteRT 2.3.0, held by tests/kernels)."""

import math

from edgekit.errors import ModelError
from edgekit.graph.ir import Graph, Op
from edgekit.graph.rewrites import covered
from edgekit.ops import _checks
from edgekit.ops._convolution import Convolution, convolution, parameters
from edgekit.ops.step import Step


def lower(graph: Graph, op: Op) -> Step:
    """Return the kernel call; raises UnsupportedOpError with the reason if there is none."""
    found = convolution(graph, op)
    groups = _groups(graph, op, found)
    return Step(
        ops=covered(op),
        kind=op.kind,
        kernel="ek_conv_2d_s8",
        params_type="ek_conv_2d_params",
        params=parameters(
            graph,
            op,
            found,
            axis=0,
            channels={"output_channels": found.target.shape[3]},
            groups={"groups": groups},
        ),
        inputs=(found.source.index,),
        output=found.target.index,
        scratch_bytes=_scratch_bytes(found, groups),
        macs=found.target.elements * math.prod(found.weights.shape[1:]),
    )


def _groups(graph: Graph, op: Op, found: Convolution) -> int:
    channels, outputs, per_group = found.source.shape[3], found.target.shape[3], found.weights.shape[3]
    groups = channels // per_group
    if channels % per_group or outputs % groups or found.weights.shape[0] != outputs:
        raise ModelError(f"{_checks.describe(graph, op)}: {found.misfit}")
    return groups


def _scratch_bytes(found: Convolution, groups: int) -> int:
    """Two patches, or nothing where a patch is one pixel of the input itself."""
    if groups == 1 and found.geometry.filter_size == (1, 1) and not found.geometry.leaves_image:
        return 0
    return 2 * math.prod(found.weights.shape[1:])
