"""What operators share that only move elements: the output walks over the input in steps of any size."""

from collections.abc import Sequence

from edgekit.errors import UnsupportedOpError
from edgekit.graph.ir import Op, Tensor
from edgekit.ops.step import Param, Step

RANK = 6


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
    params: dict[str, Param] = {"start": start}
    for i, (size, _) in enumerate(walk):
        params[f"size_{i}"] = size
    for i, (_, stride) in enumerate(walk):
        params[f"stride_{i}"] = stride
    return Step(
        ops=(op.index,),
        kind=op.kind,
        kernel="ek_strided_copy_s8",
        params_type="ek_strided_copy_params",
        params=params,
        inputs=(source.index,),
        output=target.index,
        overlaps=(_distance(walk, start, source.elements) if _ascends(walk) else None,),
    )


def _ascends(walk: Sequence[tuple[int, int]]) -> bool:
    """Whether the walk only goes forward: then no place is read after a lower one was written."""
    reach = 0
    for size, stride in reversed(walk):
        if size > 1 and stride <= reach:
            return False
        reach += max(size - 1, 0) * max(stride, 0)
    return True


def _distance(walk: Sequence[tuple[int, int]], start: int, elements: int) -> int:
    """Return the distance of a walk forward: what the second move reads must outlast the first one's writing.

    Later moves read further and further behind what is written. Neighbours are moved as one.
    """
    size, stride = walk[-1]
    moved, outer = (size, walk[:-1]) if stride == 1 or size == 1 else (1, walk)
    strides = [stride for size, stride in outer if size > 1]
    return max(moved - start - strides[-1], -elements) if strides else -elements
