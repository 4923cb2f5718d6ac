"""AVERAGE_POOL_2D by ESP-NN."""

from edgekit.graph.ir import Graph
from edgekit.kernels.esp_nn._common import fitted, geometry_of, sizes_fit
from edgekit.ops.step import Step


def adapt(graph: Graph, step: Step) -> Step | None:  # noqa: ARG001
    """Return the step for ESP-NN; None unless channels come in fours, as on an ESP32-S3 they must."""
    geometry = geometry_of(step)
    return fitted(step) if geometry.input_channels % 4 == 0 and sizes_fit(geometry) else None
