"""ADD by ESP-NN."""

from edgekit.graph.ir import Graph
from edgekit.kernels.esp_nn._common import number
from edgekit.ops.step import Step


def adapt(graph: Graph, step: Step) -> Step | None:  # noqa: ARG001
    """Return the step for ESP-NN; None where an operand is repeated."""
    outer = [number(step.params, f"size_{i}") for i in range(3)]
    strides = [number(step.params, f"input{i}_stride_3") for i in (1, 2)]
    return step if outer == [1, 1, 1] and strides == [1, 1] else None
