"""RESIZE_NEAREST_NEIGHBOR to any size: the host finds where each pixel comes from. Rounding: none."""

import numpy as np
from numpy.typing import NDArray

from edgekit.graph.ir import Graph, Op
from edgekit.ops._resize import pixel_distance, resize_step, resized
from edgekit.ops.step import Step


def lower(graph: Graph, op: Op) -> Step:
    """Return the kernel call; raises UnsupportedOpError with the reason if there is none."""
    source, target, corners, centers = resized(graph, op)
    rows = _nearest(source.shape[1], target.shape[1], corners, centers)
    columns = _nearest(source.shape[2], target.shape[2], corners, centers)
    return resize_step(op, source, target, rows, columns, pixel_distance(source, rows, columns))


def _nearest(source: int, target: int, corners: bool, centers: bool) -> NDArray[np.int64]:
    """Return for each output position the input position that TFLite takes, in float32."""
    divisor = (source - 1, target - 1) if corners and target > 1 else (source, target)
    scale = np.float32(divisor[0]) / np.float32(divisor[1])
    offset = np.float32(0.5 if centers else 0.0)
    places = ((np.arange(target).astype(np.float32) + offset) * scale).astype(np.float64)
    # None is below 0, so that ties away from zero are ties up.
    found = np.floor(places + 0.5 if corners else places).astype(np.int64)
    return np.clip(found, 0, source - 1)
