"""RESHAPE: the same bytes under another shape. Rounding: none."""

import math

from edgekit.errors import ModelError
from edgekit.graph.ir import Graph, Op
from edgekit.ops import _checks
from edgekit.ops._view import lower_view
from edgekit.ops.step import Step


def lower(graph: Graph, op: Op) -> Step:
    """Return a free step; raises UnsupportedOpError with the reason if there is none."""
    source = _checks.operand(graph, op, 0)
    shape = _asked(graph, op)
    known = math.prod(size for size in shape if size != -1)
    if shape.count(-1) == 1 and known > 0:
        shape = [source.elements // known if size == -1 else size for size in shape]
    if min(shape, default=1) < 1 or math.prod(shape) != source.elements:
        raise ModelError(f"{_checks.describe(graph, op)}: {list(source.shape)} cannot become {shape}")
    return lower_view(graph, op, shape)


def _asked(graph: Graph, op: Op) -> list[int]:
    """Return the shape that the second operand states if it is a vector, else the option, as TFLite."""
    operand = _checks.optional_operand(graph, op, 1)
    if operand is not None and len(operand.shape) == 1:
        return _checks.integers(graph, op, 1)
    shape = op.options.get("new_shape", ())
    assert isinstance(shape, tuple)
    return list(shape)
