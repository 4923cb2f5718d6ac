"""RESIZE_BILINEAR to any size, with weights of ten bits. Rounding: once, ties away from zero."""

import numpy as np

from edgekit.graph.ir import Graph, Op
from edgekit.ops._resize import pixel_distance, resized
from edgekit.ops.step import Constant, Step

_BITS = 10


def lower(graph: Graph, op: Op) -> Step:
    """Return the kernel call; raises UnsupportedOpError with the reason if there is none."""
    source, target, corners, centers = resized(graph, op)
    rows = _between(source.shape[1], target.shape[1], corners, centers)
    columns = _between(source.shape[2], target.shape[2], corners, centers)
    return Step(
        ops=(op.index,),
        kind=op.kind,
        kernel="ek_resize_bilinear_s8",
        params_type="ek_resize_bilinear_params",
        params={
            "batches": source.shape[0],
            "input_height": source.shape[1],
            "input_width": source.shape[2],
            "channels": source.shape[3],
            "output_height": target.shape[1],
            "output_width": target.shape[2],
            "rows": Constant("rows", np.array(rows, np.int32)),
            "columns": Constant("columns", np.array(columns, np.int32)),
        },
        inputs=(source.index,),
        output=target.index,
        overlaps=(pixel_distance(source, _lower(rows), _lower(columns), in_turns=True),),
    )


def _between(source: int, target: int, corners: bool, centers: bool) -> list[tuple[int, int, int]]:
    """Return for each output position its lower and upper neighbour, and the upper one's weight in 1/1024.

    The weight is negative where half a pixel leaves the image, as in TFLite's integer arithmetic.
    """
    one = 1 << _BITS
    scale = (one * source + target // 2) // target
    if corners and target > 1:
        scale = (one * (source - 1) + (target - 1) // 2) // (target - 1)
    found = []
    for position in range(target):
        place = position * scale + (scale // 2 - one // 2 if centers else 0)
        lower = max(_truncated(place), 0)
        upper = min(_truncated(place + one - 1), source - 1)
        found.append((lower, upper, place - one * lower))
    return found


def _lower(neighbours: list[tuple[int, int, int]]) -> list[int]:
    return [lower for lower, _, _ in neighbours]


def _truncated(place: int) -> int:
    return place // (1 << _BITS) if place >= 0 else -(-place // (1 << _BITS))
