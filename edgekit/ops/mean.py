"""MEAN over any dimensions; over neighbours such as height and width by a kernel of its own.

Rounding: twice, with 1 / count folded into the multiplier by an integer division that truncates
(measured against LiteRT 2.3.0, held by tests/kernels).
"""

import math
from collections.abc import Sequence

from edgekit.errors import ModelError, UnsupportedOpError
from edgekit.graph import fixed_point
from edgekit.graph.ir import Graph, Op
from edgekit.ops import _checks
from edgekit.ops._strided import joined, row_major, walk_distance
from edgekit.ops.overlap import mean_distance
from edgekit.ops.step import Param, Step

_RANK = 3
_MAX_COUNT = 1 << 22
"""Elements in one mean: sums stay within 32 bits."""


def lower(graph: Graph, op: Op) -> Step:
    """Return the kernel call; raises UnsupportedOpError with the reason if there is none."""
    source, target = _checks.operand(graph, op, 0), _checks.result(graph, op)
    quantization, out = _checks.activation(source), _checks.activation(target)
    rank = len(source.shape)
    axes = _axes(graph, op, rank)
    keep = bool(op.options.get("keep_dims", False))
    expected = [1 if i in axes else size for i, size in enumerate(source.shape) if keep or i not in axes]
    _checks.expect_shape(graph, op, target, expected)
    # Dimensions of size 1 do not matter: the others must be kept, reduced, kept.
    reduced = [i in axes for i, size in enumerate(source.shape) if size > 1]
    sizes = [size for size in source.shape if size > 1]
    first = reduced.index(True) if True in reduced else len(reduced)
    last = first + reduced.count(True)
    neighbours = all(reduced[first:last])
    count = math.prod(size for size, is_reduced in zip(sizes, reduced, strict=True) if is_reduced)
    if count > _MAX_COUNT:
        raise UnsupportedOpError(f"it averages {count} elements, at most {_MAX_COUNT} are possible")
    real = quantization.scale / out.scale
    _checks.multiplier(real)
    multiplier, shift = fixed_point.mean_multiplier(real, count)
    if not -31 <= shift <= 30:
        raise UnsupportedOpError(f"its scales are out of range: {quantization.scale} to {out.scale}")
    params: dict[str, Param] = {
        "bias": -count * quantization.zero_point,
        "multiplier": multiplier,
        "shift": shift,
        "output_zero_point": out.zero_point,
    }
    if neighbours:
        outer, inner = math.prod(sizes[:first]), math.prod(sizes[last:])
        walk: dict[str, Param] = {"outer": outer, "reduced": count, "inner": inner}
        distance: int | None = mean_distance(outer, count, inner)
    else:
        walk, distance = _walk(sizes, reduced)
    return Step(
        ops=(op.index,),
        kind=op.kind,
        kernel="ek_mean_s8" if neighbours else "ek_mean_axes_s8",
        params_type="ek_mean_params" if neighbours else "ek_mean_axes_params",
        params=walk | params,
        inputs=(source.index,),
        output=target.index,
        overlaps=(distance,),
    )


def _walk(sizes: Sequence[int], reduced: Sequence[bool]) -> tuple[dict[str, Param], int | None]:
    """Return sizes and strides of the kept dimensions, then of the reduced ones, and the distance."""
    strides = row_major(sizes)
    params: dict[str, Param] = {}
    for name, wanted in (("kept", False), ("reduced", True)):
        axes = [i for i, is_reduced in enumerate(reduced) if is_reduced is wanted]
        dimensions = joined([sizes[i] for i in axes], [strides[i] for i in axes])
        if len(dimensions) > _RANK:
            raise UnsupportedOpError(
                f"it reduces in {len(dimensions)} dimensions apart, at most {_RANK} are possible"
            )
        dimensions = [(1, 0)] * (_RANK - len(dimensions)) + dimensions
        params[f"{name}_size"] = tuple(size for size, _ in dimensions)
        params[f"{name}_stride"] = tuple(stride for _, stride in dimensions)
        if not wanted:
            kept = dimensions
    return params, walk_distance(kept, 0, 1, math.prod(sizes))


def _axes(graph: Graph, op: Op, rank: int) -> set[int]:
    axes = set()
    for axis in _checks.integers(graph, op, 1):
        if not -rank <= axis < rank:
            raise ModelError(f"{_checks.describe(graph, op)}: axis {axis} of {rank} dimensions")
        axes.add(axis % rank)
    return axes
