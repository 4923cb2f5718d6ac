"""RESIZE_BILINEAR to any size, with weights of ten bits. Rounding: once, ties away from zero."""

import numpy as np
from numpy.typing import NDArray

from edgekit.errors import UnsupportedOpError
from edgekit.graph.ir import Graph, Op
from edgekit.ops._resize import pixel_distance, resize_step, resized
from edgekit.ops.step import Step

_BITS = 10


def lower(graph: Graph, op: Op) -> Step:
    """Return the kernel call; raises UnsupportedOpError with the reason if there is none."""
    source, target, corners, centers = resized(graph, op)
    rows = _between(source.shape[1], target.shape[1], corners, centers)
    columns = _between(source.shape[2], target.shape[2], corners, centers)
    return resize_step(
        op, source, target, rows, columns, pixel_distance(source, rows[:, 0], columns[:, 0], in_turns=True)
    )


def _between(source: int, target: int, corners: bool, centers: bool) -> NDArray[np.int64]:
    """Return for each output position its lower and upper neighbour, and the upper one's weight in 1/1024.

    The weight is negative where half a pixel leaves the image, as in TFLite's integer arithmetic.

    Raises:
        UnsupportedOpError: the step, rounded to 1/1024, adds up to more than the input, so that TFLite reads
            what lies behind it.
    """
    one = 1 << _BITS
    scale = (one * source + target // 2) // target
    if corners and target > 1:
        scale = (one * (source - 1) + (target - 1) // 2) // (target - 1)
    places = np.arange(target, dtype=np.int64) * scale + (scale // 2 - one // 2 if centers else 0)
    lower = np.maximum(_truncated(places), 0)
    upper = np.minimum(_truncated(places + one - 1), source - 1)
    if int(lower[-1]) >= source:
        raise UnsupportedOpError(f"from {source} to {target} pixels, it reads past the last of them")
    return np.stack([lower, upper, places - one * lower], axis=1)


def _truncated(places: NDArray[np.int64]) -> NDArray[np.int64]:
    """Return the places as whole pixels, rounded towards zero."""
    return np.where(places >= 0, places >> _BITS, -(-places >> _BITS))
