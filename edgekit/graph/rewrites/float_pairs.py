"""A DEQUANTIZE whose values are only quantised again becomes one QUANTIZE from int8 to int8, or nothing."""

from dataclasses import replace

from edgekit.graph.ir import DType, Graph, Op


def rewrite(graph: Graph) -> Graph:
    """Return the graph without those pairs, and without QUANTIZE between equal scales."""
    reading = graph.readers()
    ops: list[Op] = []
    renamed: dict[int, int] = {}
    dropped: dict[int, Op] = {}
    for op in graph.ops:
        op = replace(op, inputs=tuple(renamed.get(index, index) for index in op.inputs))
        if _only_quantised_again(graph, op, reading):
            dropped[op.outputs[0]] = op
            continue
        before = dropped.get(op.inputs[0]) if op.inputs else None
        if before is not None:
            folded = (before.index, *op.folded)
            op = replace(op, inputs=before.inputs, folded=folded, through_float=True)
        if _is_identity(graph, op):
            renamed[op.outputs[0]] = op.inputs[0]
            continue
        ops.append(op)
    return replace(graph, ops=tuple(ops))


def _only_quantised_again(graph: Graph, op: Op, reading: dict[int, list[Op]]) -> bool:
    if op.kind != "DEQUANTIZE" or not graph.is_sound(op, 1) or op.outputs[0] in graph.outputs:
        return False
    found = reading.get(op.outputs[0], [])
    source = graph.tensor(op.inputs[0])
    return (
        bool(found)
        and source.dtype is DType.INT8
        and not source.is_constant
        and all(other.kind == "QUANTIZE" and graph.is_sound(other, 1) for other in found)
    )


def _is_identity(graph: Graph, op: Op) -> bool:
    if op.kind != "QUANTIZE" or not graph.is_sound(op, 1) or op.outputs[0] in graph.outputs:
        return False
    source, target = graph.tensor(op.inputs[0]), graph.tensor(op.outputs[0])
    return (
        source.dtype is target.dtype is DType.INT8
        and not source.is_constant
        and source.quantization == target.quantization
        and source.shape == target.shape
    )
