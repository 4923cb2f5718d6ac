"""SOFTMAX by ESP-NN, which computes the exponentials that the portable kernel reads from a table."""

from dataclasses import replace

from edgekit.graph import fixed_point
from edgekit.graph.ir import Graph
from edgekit.kernels.esp_nn._common import fitted, number
from edgekit.ops.step import Step


def adapt(graph: Graph, step: Step) -> Step | None:
    """Return the step for ESP-NN, with a struct of its own and scratch for the exponentials of a row."""
    beta = graph.ops[step.ops[-1]].options["beta"]
    quantization = graph.tensor(step.inputs[0]).quantization
    assert isinstance(beta, int | float)
    assert quantization is not None
    multiplier, shift, smallest = fixed_point.softmax_scaling(float(beta), quantization.scale)
    depth = number(step, "depth")
    changed = replace(
        step,
        params_type="ek_softmax_esp_nn_params",
        params={
            "rows": number(step, "rows"),
            "depth": depth,
            "multiplier": multiplier,
            "shift": shift,
            "smallest": max(smallest, -256),
        },
    )
    return fitted(changed, 4 * depth)
