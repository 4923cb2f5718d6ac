"""RESIZE_NEAREST_NEIGHBOR to any size: the host finds where each pixel comes from. Rounding: none."""

import math

import numpy as np

from edgekit.graph.fixed_point import round_half_away
from edgekit.graph.ir import Graph, Op
from edgekit.ops._resize import pixel_distance, resized
from edgekit.ops.step import Constant, Step


def lower(graph: Graph, op: Op) -> Step:
    """Return the kernel call; raises UnsupportedOpError with the reason if there is none."""
    source, target, corners, centers = resized(graph, op)
    rows = _nearest(source.shape[1], target.shape[1], corners, centers)
    columns = _nearest(source.shape[2], target.shape[2], corners, centers)
    return Step(
        ops=(op.index,),
        kind=op.kind,
        kernel="ek_resize_nearest_neighbor_s8",
        params_type="ek_resize_nearest_neighbor_params",
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
        overlaps=(pixel_distance(source, rows, columns),),
    )


def _nearest(source: int, target: int, corners: bool, centers: bool) -> list[int]:
    """Return for each output position the input position that TFLite takes, in float32."""
    divisor = (source - 1, target - 1) if corners and target > 1 else (source, target)
    scale = np.float32(divisor[0]) / np.float32(divisor[1])
    offset = np.float32(0.5 if centers else 0.0)
    found = []
    for position in range(target):
        place = float((np.float32(position) + offset) * scale)
        index = round_half_away(place) if corners else math.floor(place)
        found.append(max(min(index, source - 1), 0))
    return found
