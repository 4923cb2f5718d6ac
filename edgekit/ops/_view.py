"""What RESHAPE, SQUEEZE and EXPAND_DIMS share: they cost nothing."""

from collections.abc import Sequence

from edgekit.graph.ir import Graph, Op
from edgekit.ops import _checks
from edgekit.ops.step import Step


def lower_view(graph: Graph, op: Op, expected: Sequence[int]) -> Step:
    """Return a step without a kernel: the output is the input's bytes under the shape `expected`."""
    source, target = _checks.operand(graph, op, 0), _checks.result(graph, op)
    _checks.activation(source)
    _checks.activation(target)
    _checks.same_quantization(source, target)
    # TFLite computes the shape anew, and what reads the output sees that one, not the file's.
    _checks.expect_shape(graph, op, target, expected)
    return Step(
        ops=op.covers,
        kind=op.kind,
        kernel=None,
        params_type="",
        params={},
        inputs=(source.index,),
        output=target.index,
    )
