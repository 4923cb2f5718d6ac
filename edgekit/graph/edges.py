"""Models whose input or output is float32 or uint8 around an int8 core: their edges are taken off.

Converters put a QUANTIZE behind such an input and a DEQUANTIZE or QUANTIZE before such an output. The core
takes and gives int8, which is what a device exchanges with its host; the contract knows both scales.
"""

from dataclasses import replace

from edgekit.graph.ir import DType, Graph, Op, Tensor


def int8_core(graph: Graph) -> Graph:
    """Return the graph from its first int8 tensor to its last; what cannot come off without loss stays."""
    ops = list(graph.ops)
    inputs = tuple(_inner(graph, ops, index, behind=True) for index in graph.inputs)
    outputs = tuple(_inner(graph, ops, index, behind=False) for index in graph.outputs)
    if not ops:  # nothing but edges: there is no core
        return graph
    return replace(graph, ops=tuple(ops), inputs=inputs, outputs=outputs)


def _inner(graph: Graph, ops: list[Op], index: int, *, behind: bool) -> int:
    """Return the int8 tensor behind an input or before an output, and drop the operator between them."""
    outer = graph.tensor(index)
    beside = [op for op in ops if index in (op.inputs if behind else op.outputs)]
    if outer.dtype is DType.INT8 or len(beside) != 1 or index in (graph.outputs if behind else graph.inputs):
        return index
    op = beside[0]
    if len(op.inputs) != 1 or len(op.outputs) != 1:
        return index
    inner = graph.tensor((op.outputs if behind else op.inputs)[0])
    if op.kind not in (("QUANTIZE",) if behind else ("DEQUANTIZE", "QUANTIZE")) or not _is_edge(outer, inner):
        return index
    ops.remove(op)
    return inner.index


def _is_edge(outer: Tensor, inner: Tensor) -> bool:
    """Whether one can be had from the other without loss, whatever int8 values the inner one has."""
    if inner.dtype is not DType.INT8 or inner.is_constant or inner.shape != outer.shape:
        return False
    core = inner.quantization
    if core is None or core.per_channel:
        return False
    if outer.dtype is DType.FLOAT32:
        return True
    edge = outer.quantization
    return (
        outer.dtype is DType.UINT8
        and edge is not None
        and not edge.per_channel
        and edge.scale == core.scale
        and edge.zero_point == core.zero_point + 128
    )
