"""MUL by ESP-NN."""

from edgekit.graph.ir import Graph
from edgekit.kernels.esp_nn._common import dense_size, fitted
from edgekit.ops.step import Step

_AT_ONCE = 8
"""Products of one turn of the ESP32-S3's vector loop. It computes the rest one by one and wrongly: it rounds
negative results away from where they belong and, without a turn of the loop before, forgets to round."""


def adapt(graph: Graph, step: Step) -> Step | None:  # noqa: ARG001
    """Return the step for ESP-NN; None where an operand is repeated, or the size is no multiple of 8."""
    size = dense_size(step)
    return fitted(step) if size is not None and size % _AT_ONCE == 0 else None
