"""STRIDED_SLICE with constant bounds, of up to 8 dimensions. Rounding: none."""

from edgekit.errors import ModelError, UnsupportedOpError
from edgekit.graph.ir import Graph, Op
from edgekit.ops import _checks
from edgekit.ops._strided import row_major, strided_copy
from edgekit.ops.step import Step


def lower(graph: Graph, op: Op) -> Step:
    """Return the kernel call; raises UnsupportedOpError with the reason if there is none."""
    source, target = _checks.operand(graph, op, 0), _checks.result(graph, op)
    _checks.activation(source)
    _checks.activation(target)
    _checks.same_quantization(source, target)
    for mask in ("ellipsis_mask", "new_axis_mask"):
        if op.options.get(mask):
            raise UnsupportedOpError(f"it has an {mask}")
    rank = len(source.shape)
    bounds = [_checks.integers(graph, op, place) for place in (1, 2, 3)]
    if any(len(values) > rank or len(values) != len(bounds[0]) for values in bounds):
        raise ModelError(f"{_checks.describe(graph, op)}: bounds {bounds} of {rank} dimensions")
    start, sizes, steps, kept = 0, [], [], []
    strides = row_major(source.shape)
    for axis, whole in enumerate(source.shape):
        first, count, step, shrinks = _along(graph, op, bounds, axis, whole)
        start += first * strides[axis]
        sizes.append(count)
        steps.append(step * strides[axis])
        kept += [] if shrinks else [count]
    _checks.expect_shape(graph, op, target, kept)
    return strided_copy(op, source, target, start, sizes, steps)


def _along(
    graph: Graph, op: Op, bounds: list[list[int]], axis: int, whole: int
) -> tuple[int, int, int, bool]:
    """Return where the slice begins along one dimension, its size, its step, and whether it vanishes."""
    if axis >= len(bounds[0]):
        return 0, whole, 1, False
    begin, end, step = (values[axis] for values in bounds)
    if step == 0:
        raise ModelError(f"{_checks.describe(graph, op)}: its stride along dimension {axis} is 0")
    if _masked(op, "shrink_axis_mask", axis):
        # LiteRT lets a masked bound win here too.
        begin = 0 if _masked(op, "begin_mask", axis) else begin
        first = begin + whole if begin < 0 else begin
        if step < 0 or not 0 <= first < whole:
            raise ModelError(f"{_checks.describe(graph, op)}: {begin} is outside dimension {axis} of {whole}")
        return first, 1, 1, True
    if op.options.get("offset"):
        end += begin
    # Exactly Python's slices: bounds count from the end if negative, and are cut off at the tensor's.
    found = range(whole)[
        slice(
            None if _masked(op, "begin_mask", axis) else begin,
            None if _masked(op, "end_mask", axis) else end,
            step,
        )
    ]
    if not found:
        raise ModelError(f"{_checks.describe(graph, op)}: nothing is left of dimension {axis}")
    return found[0], len(found), step, False


def _masked(op: Op, name: str, axis: int) -> bool:
    mask = op.options.get(name, 0)
    assert isinstance(mask, int)
    return bool(mask >> axis & 1)
