"""CONV_2D, grouped too. Rounding: twice (measured against LiteRT 2.3.0, held by tests/kernels)."""

import math
from dataclasses import replace

from edgekit.errors import ModelError
from edgekit.graph.ir import Graph, Op
from edgekit.ops import _checks
from edgekit.ops._convolution import Convolution, convolution, parameters
from edgekit.ops.geometry import Geometry
from edgekit.ops.overlap import Walk, window_distance
from edgekit.ops.step import Step

_PAIR_BYTES = 4


def lower(graph: Graph, op: Op) -> Step:
    """Return the kernel call; raises UnsupportedOpError with the reason if there is none."""
    found = convolution(graph, op)
    groups = _groups(graph, op, found)
    geometry = replace(found.geometry, groups=groups)
    return Step(
        ops=op.covers,
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
        geometry=geometry,
        overlaps=(_overlap(geometry),),
        scratch_bytes=_scratch_bytes(found),
        macs=found.target.elements * math.prod(found.weights.shape[1:]),
    )


def _groups(graph: Graph, op: Op, found: Convolution) -> int:
    channels, outputs, per_group = found.source.shape[3], found.target.shape[3], found.weights.shape[3]
    groups = channels // per_group
    if channels % per_group or outputs % groups or found.weights.shape[0] != outputs:
        raise ModelError(f"{_checks.describe(graph, op)}: {found.misfit}")
    return groups


def _overlap(geometry: Geometry) -> int | None:
    """Two pixels at a time, gathered group by group; a filter of one pixel sees the input as one row."""
    if geometry.filter_size == geometry.stride == (1, 1) and geometry.input_size == geometry.output_size:
        row = (1, geometry.batches * math.prod(geometry.input_size))
        geometry = replace(geometry, batches=1, input_size=row, output_size=row)
    outputs, groups, partial = geometry.output_channels, geometry.groups, None
    if groups > 1:  # before the last group, of both pixels
        growth = (outputs - geometry.input_channels) // groups
        partial = (min(2, geometry.output_size[1]) - 1) * outputs + max(growth, growth * (groups - 1))
    return window_distance(geometry, Walk(block=2, partial=partial))


def _scratch_bytes(found: Convolution) -> int:
    """What two pixels of one group see, in ek_pair.h's pairs."""
    return _PAIR_BYTES * math.prod(found.weights.shape[1:])
