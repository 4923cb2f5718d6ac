"""PAD with the zero point, for up to four dimensions. Rounding: none.

A PAD in front of a convolution never comes here: `edgekit.graph.rewrites` folds it.
"""

from edgekit.errors import ModelError, UnsupportedOpError
from edgekit.graph.ir import Graph, Op
from edgekit.ops import _checks
from edgekit.ops.overlap import pad_distance
from edgekit.ops.step import Step

_RANK = 4


def lower(graph: Graph, op: Op) -> Step:
    """Return the kernel call; raises UnsupportedOpError with the reason if there is none."""
    return lower_pad(graph, op, _checks.activation(_checks.result(graph, op)).zero_point)


def lower_pad(graph: Graph, op: Op, value: int) -> Step:
    """Return the kernel call that pads with `value`; PADV2 uses it too."""
    source, target = _checks.operand(graph, op, 0), _checks.result(graph, op)
    _checks.activation(source)
    _checks.activation(target)
    _checks.same_quantization(source, target)
    rank = len(source.shape)
    if rank > _RANK:
        raise UnsupportedOpError(f"it pads {rank} dimensions, at most {_RANK} are possible")
    amounts = _checks.integers(graph, op, 1)
    _checks.expect_shape(graph, op, _checks.operand(graph, op, 1), [rank, 2])
    if any(not 0 <= amount <= _checks.MAX_ELEMENTS for amount in amounts):
        raise ModelError(f"{_checks.describe(graph, op)} pads by {amounts}")
    before, after = amounts[0::2], amounts[1::2]
    _checks.expect_shape(
        graph, op, target, [sum(sizes) for sizes in zip(before, source.shape, after, strict=True)]
    )
    missing = _RANK - rank
    sizes = (1,) * missing + source.shape
    front, behind = (tuple([0] * missing + list(amounts)) for amounts in (before, after))
    return Step(
        ops=(op.index,),
        kind=op.kind,
        kernel="ek_pad_s8",
        params_type="ek_pad_params",
        params={"input_size": sizes, "before": front, "after": behind, "value": value},
        inputs=(source.index,),
        output=target.index,
        overlaps=(pad_distance(sizes, front, behind),),
    )
