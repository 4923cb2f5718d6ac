"""ADD by ESP-NN."""

from edgekit.graph.ir import Graph
from edgekit.kernels.esp_nn._common import dense_size, fitted
from edgekit.ops.step import Step


def adapt(graph: Graph, step: Step) -> Step | None:  # noqa: ARG001
    """Return the step for ESP-NN; None where an operand is repeated."""
    return fitted(step) if dense_size(step) is not None else None
