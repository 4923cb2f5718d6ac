"""LOGISTIC. Rounding: once, from float32, when LiteRT makes its table."""

from edgekit.errors import UnsupportedOpError
from edgekit.graph import lookup
from edgekit.graph.ir import Graph, Op, Quantization
from edgekit.ops._lookup import lower_lookup
from edgekit.ops.step import Step


def lower(graph: Graph, op: Op) -> Step:
    """Return the kernel call; raises UnsupportedOpError with the reason if there is none."""
    return lower_lookup(graph, op, _table)


def _table(source: Quantization, target: Quantization) -> lookup.Table:
    if (target.scale, target.zero_point) != (1 / 256, -128):
        raise UnsupportedOpError(
            f"its output has scale {target.scale:g} and zero point {target.zero_point}, "
            "TFLite asks for 1/256 and zero point -128"
        )
    return lookup.from_float(source, target, lookup.logistic)
