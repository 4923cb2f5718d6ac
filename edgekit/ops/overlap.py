"""How far a kernel's output may lie over its input: the distances of `Step.overlaps`, for any kernel.

All kernels write their output in ascending order. Let a kernel have written up to byte `end` of its output,
and read from then on no input byte before `need`. If the input begins d bytes behind the output's beginning,
nothing is lost as long as end <= need + d: the least distance is the largest end - need of the whole run.
At -input size there is no bound left: the whole input has been read before the first byte is written.

What a kernel has read when it writes is a property of its C, which says so in its first comment, and
tests/kernels/test_folders.py runs every kernel at exactly these distances.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from edgekit.ops.geometry import Geometry

_NEVER = 1 << 40
"""A need that never comes: no input byte is read any more."""
_MAX_PIXELS = 1 << 20
"""Longer rows and columns than this get no claim: no microcontroller holds them."""


@dataclass(frozen=True, slots=True)
class Walk:
    """How a kernel goes over the output's pixels, row by row."""

    block: int = 1
    """Neighbouring pixels of a row that the kernel works on together."""
    partial: int | None = None
    """While a block is written before all of its input has been read: the most bytes that are written, less
    those that are not needed any more, both from the block's first pixel on. None: all is read by then."""


def window_distance(geometry: Geometry, walk: Walk) -> int | None:
    """Return the distance of a kernel that goes over output pixels row by row; None if there is no claim."""
    height, width = geometry.output_size
    batches, pixel, made = geometry.batches, geometry.input_channels, geometry.output_channels
    if max(height, width, batches) > _MAX_PIXELS:
        return None
    row_bytes = geometry.input_size[1] * pixel
    input_bytes, output_bytes = geometry.input_size[0] * row_bytes, height * width * made
    rows, columns = _first_inside(geometry, 0), _first_inside(geometry, 1)
    row_starts = np.arange(height) * (width * made)
    candidates = []
    # What the rest of a row needs when a block has been written, and in the midst of it.
    down = _largest(row_starts, rows, rows * row_bytes)
    for written, wanted in _in_row(columns, made, walk):
        along = _largest(written, wanted, wanted * pixel)
        if along is not None and down is not None:
            candidates.append(along + down)
    # What the rows below need, and the images behind this one, when a row has been written.
    below = np.append(_least_from_here(rows)[1:], _NEVER)
    if columns.min() < _NEVER:
        needs = below * row_bytes + int(columns.min()) * pixel
        found = _largest(row_starts + width * made, below, needs)
        if found is not None:
            candidates.append(found)
    growth = output_bytes - input_bytes
    last = max(candidates, default=-_NEVER)
    inner = max(last, growth)  # where another image follows
    distance = max(last + (batches - 1) * growth, -batches * input_bytes)
    if batches > 1:
        distance = max(distance, inner, inner + (batches - 2) * growth)
    return distance


def _in_row(
    columns: NDArray[np.int64], pixel: int, walk: Walk
) -> list[tuple[NDArray[np.int64], NDArray[np.int64]]]:
    """Return (bytes of the row that are written, first column that is wanted from then on) by block."""
    starts = np.arange(0, len(columns), walk.block)
    ends = np.minimum(starts + walk.block, len(columns))
    later = np.append(_least_from_here(columns), _NEVER)
    found = [(ends * pixel, later[ends])]
    if walk.partial is not None:
        found.append((starts * pixel + walk.partial, later[starts]))
    return found


def _first_inside(geometry: Geometry, axis: int) -> NDArray[np.int64]:
    """Return for each output row or column the first input one inside the image that its window reads."""
    dilation = geometry.dilation[axis]
    start = np.arange(geometry.output_size[axis]) * geometry.stride[axis] - geometry.pad_before[axis]
    skipped = np.maximum(-(start // dilation), 0)
    found = start + skipped * dilation
    outside = (skipped >= geometry.filter_size[axis]) | (found >= geometry.input_size[axis])
    return np.where(outside, _NEVER, found).astype(np.int64)


def _least_from_here(values: NDArray[np.int64]) -> NDArray[np.int64]:
    """Return the least of each value and all behind it."""
    return np.minimum.accumulate(values[::-1])[::-1]


def _largest(ends: NDArray[np.int64], wanted: NDArray[np.int64], needs: NDArray[np.int64]) -> int | None:
    """Return the largest end - need where something is wanted at all."""
    there = wanted < _NEVER
    return int((ends - needs)[there].max()) if there.any() else None


def dense_distance(shapes: Sequence[int], elements: int) -> int | None:
    """Return 0 for an element-wise kernel's operand of the output's size, None if it is repeated."""
    size = 1
    for dimension in shapes:
        size *= dimension
    return 0 if size == elements else None


def unit_distance(
    reads: NDArray[np.int64], unit: int, input_bytes: int, inside: int | None = None
) -> int | None:
    """Return the distance of a kernel that writes its output unit by unit; None if there is no claim.

    Args:
        reads: for each unit the lowest input byte that it is made from.
        unit: bytes of a unit.
        input_bytes: of the whole input.
        inside: the most bytes of a unit that are written while its lowest byte is still needed, less those
            behind that byte that are not needed any more; None: a unit is read before it is written.
    """
    if len(reads) > _MAX_PIXELS:
        return None
    starts = np.arange(len(reads), dtype=np.int64) * unit
    distance = -input_bytes
    if len(reads) > 1:
        distance = max(distance, int((starts[1:] - _least_from_here(reads)[1:]).max()))
    if inside is not None:
        distance = max(distance, int((starts + inside - reads).max()))
    return distance


def last_group(count: int) -> int:
    """Return the size of the last group if `count` is worked on by fours, then one by one."""
    return 1 if count % 4 else 4


def mean_distance(outer: int, reduced: int, inner: int) -> int:
    """Return the distance of MEAN over [outer][reduced][inner], by four results and then one by one.

    When a group has been written, what stands behind it in the block's first row is needed, then the next
    block.
    """
    distance = -outer * reduced * inner
    if inner > last_group(inner):
        distance = max(distance, 0)
    if outer > 1:
        distance = max(distance, inner - reduced * inner)
    return distance


def row_distance(geometry: Geometry) -> int:
    """Return the distance of FULLY_CONNECTED: a row of input is needed until its last outputs are computed.

    Outputs are computed by fours, then one by one.
    """
    batches, inputs, outputs = geometry.batches, geometry.input_channels, geometry.output_channels
    written = outputs - last_group(outputs)
    growth = outputs - inputs
    distance = -batches * inputs
    if written > 0:
        distance = max(distance, written, written + (batches - 1) * growth)
    if batches > 1:
        distance = max(distance, growth, (batches - 1) * growth)
    return distance


def pad_distance(sizes: Sequence[int], before: Sequence[int], after: Sequence[int]) -> int:
    """Return the distance of PAD over four dimensions: the padding in front of the last input row.

    A row is copied byte by byte to where it never lies behind its source.
    """
    position = source = 0
    for size, first, last in zip(sizes[:3], before[:3], after[:3], strict=True):
        position = position * (first + size + last) + first + size - 1
        source = source * size + size - 1
    row = before[3] + sizes[3] + after[3]
    return position * row + before[3] - source * sizes[3]
