"""What operators share that only move elements: the output walks over the input in steps of any size."""

import math
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from edgekit.errors import UnsupportedOpError
from edgekit.graph.ir import Op, Tensor
from edgekit.ops.overlap import unit_distance
from edgekit.ops.step import Step

RANK = 6
_MAX_RUNS = 1 << 20
"""Walks of more runs than this get no claim: no microcontroller makes them."""


def row_major(shape: Sequence[int]) -> list[int]:
    """Return how many elements apart the neighbours along each dimension are."""
    strides, stride = [], 1
    for size in reversed(shape):
        strides.append(stride)
        stride *= size
    return strides[::-1]


def joined(sizes: Sequence[int], strides: Sequence[int]) -> list[tuple[int, int]]:
    """Return (size, stride) with dimensions joined that are one walk; those of size 1 vanish."""
    found: list[tuple[int, int]] = []
    for size, stride in zip(sizes, strides, strict=True):
        if size == 1:
            continue
        if found and found[-1][1] == stride * size:
            found[-1] = (found[-1][0] * size, stride)
        else:
            found.append((size, stride))
    return found


def strided_copy(
    op: Op, source: Tensor, target: Tensor, start: int, sizes: Sequence[int], strides: Sequence[int]
) -> Step:
    """Return the step that copies source[start + sum(i * stride)] in row-major order of `sizes`.

    Args:
        op: the operator that is lowered.
        source: what is read.
        target: what is written: as many elements as `sizes` hold.
        start: element of the source where the walk begins.
        sizes: of each dimension of the walk.
        strides: elements of the source between neighbours; may be negative.

    Raises:
        UnsupportedOpError: the walk has more than six dimensions after joining.
    """
    walk = joined(sizes, strides) or [(1, 1)]
    if len(walk) > RANK:
        raise UnsupportedOpError(
            f"it moves elements along {len(walk)} dimensions, at most {RANK} are possible"
        )
    walk = [(1, 0)] * (RANK - len(walk)) + walk
    return Step(
        ops=(op.index,),
        kind=op.kind,
        kernel="ek_strided_copy_s8",
        params_type="ek_strided_copy_params",
        params={
            "start": start,
            "size": tuple(size for size, _ in walk),
            "stride": tuple(stride for _, stride in walk),
        },
        inputs=(source.index,),
        output=target.index,
        overlaps=(_distance(walk, start, source),),
    )


def _places(walk: Sequence[tuple[int, int]]) -> NDArray[np.int64]:
    """Return the elements that a walk of (size, stride) comes to, in order, from 0 on."""
    found = np.zeros(1, np.int64)
    for size, stride in walk:
        found = (found[:, None] + np.arange(size, dtype=np.int64) * stride).reshape(-1)
    return found


def walk_distance(
    walk: Sequence[tuple[int, int]], start: int, unit: int, input_bytes: int, inside: int | None = None
) -> int | None:
    """Return `unit_distance` for a unit of output from each place of a walk; None if there are too many."""
    if math.prod(size for size, _ in walk) > _MAX_RUNS:
        return None
    return unit_distance(start + _places(walk), unit, input_bytes, inside)


def _distance(walk: Sequence[tuple[int, int]], start: int, source: Tensor) -> int | None:
    """Return how far the output may lie over the input: a run of neighbours is moved at once."""
    if walk[-1][1] == 1:
        return walk_distance(walk[:-1], start, walk[-1][0], source.size)
    return walk_distance(walk, start, 1, source.size)
