"""What RESHAPE, SQUEEZE and EXPAND_DIMS share: they cost nothing."""

from edgekit.errors import ModelError
from edgekit.graph.ir import Graph, Op
from edgekit.ops import _checks
from edgekit.ops.step import Step


def lower_view(graph: Graph, op: Op) -> Step:
    """Return a step without a kernel: the output is the input's bytes under another shape."""
    source, target = _checks.operand(graph, op, 0), _checks.result(graph, op)
    _checks.activation(source)
    _checks.activation(target)
    _checks.same_quantization(source, target)
    if len(op.inputs) > 1 and op.inputs[1] >= 0:
        _checks.integers(graph, op, 1)  # a shape that is only known at run time is refused
    if source.elements != target.elements:
        raise ModelError(
            f"{_checks.describe(graph, op)}: {list(source.shape)} cannot become {list(target.shape)}"
        )
    return Step(
        ops=(op.index,),
        kind=op.kind,
        kernel=None,
        params_type="",
        params={},
        inputs=(source.index,),
        output=target.index,
    )
