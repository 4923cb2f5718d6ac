"""What unary operators share: the host computes the outputs of all inputs, the device looks them up."""

from collections.abc import Callable

import numpy as np

from edgekit.errors import UnsupportedOpError
from edgekit.graph.ir import Graph, Op, Quantization
from edgekit.graph.lookup import Table
from edgekit.ops import _checks
from edgekit.ops.step import Constant, Step


def lower_lookup(graph: Graph, op: Op, table: Callable[[Quantization, Quantization], Table]) -> Step:
    """Return the step of an element-wise operator.

    Args:
        graph: the model.
        op: an operator whose output has the shape of its first input.
        table: from the quantisations of input and output to the outputs int8[256]; raises ValueError
            for what it cannot compute.
    """
    source, target = _checks.operand(graph, op, 0), _checks.result(graph, op)
    quantization, out = _checks.activation(source), _checks.activation(target)
    _checks.expect_shape(graph, op, target, source.shape)
    try:
        values = table(quantization, out)
    except ValueError as error:
        raise UnsupportedOpError(f"its scales are out of range: {error}") from error
    return Step(
        ops=op.covers,
        kind=op.kind,
        kernel="ek_lookup_s8",
        params_type="ek_lookup_params",
        # Indexed by the input's byte, which counts 0, ..., 127, -128, ..., -1.
        params={"size": source.elements, "table": Constant("table", np.roll(values, -128))},
        inputs=(source.index,),
        output=target.index,
        overlaps=(0,),
    )
