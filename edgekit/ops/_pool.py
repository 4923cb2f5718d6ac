"""What AVERAGE_POOL_2D and MAX_POOL_2D share."""

from dataclasses import replace

from edgekit.errors import UnsupportedOpError
from edgekit.graph.ir import Graph, Op
from edgekit.ops import _checks
from edgekit.ops._window import geometry
from edgekit.ops.overlap import Walk, window_distance
from edgekit.ops.step import Step

_MAX_PIXELS = 1 << 22
"""Pixels of a filter: sums stay within 32 bits."""


def lower_pool(graph: Graph, op: Op, kernel: str, *, written_first: bool) -> Step:
    """Return the call of a pooling kernel; raises UnsupportedOpError with the reason if there is none.

    Args:
        graph: the model.
        op: the operator.
        kernel: the C function.
        written_first: whether it writes all channels of a pixel before it has read any, not one by one.
    """
    source, target = _checks.operand(graph, op, 0), _checks.result(graph, op)
    _checks.activation(source)
    out = _checks.activation(target)
    _checks.same_quantization(source, target)
    filter_size = (_checks.option(op, "filter_height"), _checks.option(op, "filter_width"))
    shape = replace(geometry(graph, op, source, target, filter_size), groups=source.shape[3])
    _checks.expect_shape(graph, op, target, [*target.shape[:3], source.shape[3]])
    if filter_size[0] * filter_size[1] > _MAX_PIXELS:
        raise UnsupportedOpError(f"its filter of {filter_size[0]} x {filter_size[1]} is too large")
    low, high = _checks.output_range(op, out)
    channels = source.shape[3]
    one_by_one = 0 if channels > 1 else None
    walk = Walk(partial=channels if written_first else one_by_one)
    return Step(
        ops=op.covers,
        kind=op.kind,
        kernel=kernel,
        params_type="ek_pool_2d_params",
        params={
            "batches": source.shape[0],
            "input_height": source.shape[1],
            "input_width": source.shape[2],
            "channels": source.shape[3],
            "output_height": target.shape[1],
            "output_width": target.shape[2],
            "filter_height": filter_size[0],
            "filter_width": filter_size[1],
            **shape.params(),
            "activation_min": low,
            "activation_max": high,
        },
        inputs=(source.index,),
        output=target.index,
        geometry=shape,
        overlaps=(window_distance(shape, walk),),
    )
