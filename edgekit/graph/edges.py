"""Models whose input or output is float32 or uint8 around an int8 core: their edges are taken off.

Converters put a QUANTIZE behind such an input and a DEQUANTIZE or QUANTIZE before such an output. The core
takes and gives int8, which is what a device exchanges with its host; the contract knows both scales.
"""

from dataclasses import replace

from edgekit.graph.ir import DType, Graph, Op, Tensor


def int8_core(graph: Graph) -> Graph:
    """Return the graph from its first int8 tensor to its last; what cannot come off without loss stays."""
    reading = graph.readers()
    making = {index: [op] for op in graph.ops for index in op.outputs}
    both = {*graph.inputs} & {*graph.outputs}
    dropped: dict[int, int] = {}

    def inner(index: int, beside: dict[int, list[Op]], *, behind: bool) -> int:
        """Return the int8 tensor behind an input or before an output; the operator between them goes."""
        found = beside.get(index, [])
        if index in both or len(found) != 1 or dropped.get(found[0].index, index) != index:
            return index
        inside = _inside(graph, index, found[0], behind)
        if inside != index:
            dropped[found[0].index] = index
        return inside

    inputs = tuple(inner(index, reading, behind=True) for index in graph.inputs)
    outputs = tuple(inner(index, making, behind=False) for index in graph.outputs)
    if len(dropped) == len(graph.ops):  # nothing but edges: there is no core
        return graph
    kept = tuple(op for op in graph.ops if op.index not in dropped)
    return replace(graph, ops=kept, inputs=inputs, outputs=outputs)


def _inside(graph: Graph, index: int, op: Op, behind: bool) -> int:
    """Return the int8 tensor on the other side of an operator next to an edge; the edge if it is to stay."""
    outer = graph.tensor(index)
    if outer.dtype is DType.INT8 or len(op.inputs) != 1 or len(op.outputs) != 1:
        return index
    other = graph.tensor((op.outputs if behind else op.inputs)[0])
    comes_off = op.kind in (("QUANTIZE",) if behind else ("DEQUANTIZE", "QUANTIZE"))
    return other.index if comes_off and _is_edge(outer, other) else index


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
