"""FULLY_CONNECTED by ESP-NN, which rounds twice where LiteRT's reference rounds once."""

from dataclasses import replace

import numpy as np

from edgekit.graph import fixed_point
from edgekit.graph.ir import Graph
from edgekit.kernels.esp_nn._common import constant, fitted, geometry_of, number, shifts_bytes, sizes_fit
from edgekit.ops.step import Constant, Param, Step


def adapt(graph: Graph, step: Step) -> Step | None:  # noqa: ARG001
    """Return the step for ESP-NN; None for more than one row, or one that is too long."""
    params: dict[str, Param] = dict(step.params)
    geometry = geometry_of(step)
    if not sizes_fit(geometry):
        return None
    high, low = (constant(step, name).values.tolist() for name in ("multiplier", "multiplier_low"))
    right = constant(step, "shift").values.tolist()
    # The portable kernel's multiplier is the real one to some 60 bits, of which ESP-NN takes the first 31.
    reals = [((h << 31) + lo) / 2 ** (31 + s) for h, lo, s in zip(high, low, right, strict=True)]
    found = [fixed_point.quantize_multiplier(real) for real in reals]
    params["multiplier"] = Constant("multiplier", np.array([m for m, _ in found], np.int32))
    params["multiplier_low"] = 0
    params["shift"] = Constant("shift", np.array([s for _, s in found], np.int8))
    wide = number(step, "channel_step") != 0
    scratch = shifts_bytes(geometry.output_channels) if wide else 0
    return fitted(replace(step, params=params), scratch)
