"""A RELU, RELU6 or RELU_N1_TO_1 behind an operator that can fuse it, with the same scale, becomes part of it.

With equal scales such an activation only bounds the values, which is what a fused one does.
"""

from dataclasses import replace

from edgekit.graph.ir import Graph, Op

_ACTIVATIONS = ("RELU", "RELU6", "RELU_N1_TO_1")
_FUSING = ("ADD", "CONV_2D", "DEPTHWISE_CONV_2D", "FULLY_CONNECTED", "MUL", "SUB")
_OPTION = "fused_activation_function"


def rewrite(graph: Graph) -> Graph:
    """Return the graph with those activations inside the operators before them."""
    reading = graph.readers()
    makers = {op.outputs[0]: op for op in graph.ops if len(op.outputs) == 1}
    fused: dict[int, Op] = {}
    dropped = set()
    for op in graph.ops:
        before = makers.get(op.inputs[0]) if op.kind in _ACTIVATIONS and graph.is_sound(op, 1) else None
        if before is None or before.kind not in _FUSING or before.options.get(_OPTION) != "NONE":
            continue
        middle, target = graph.tensor(op.inputs[0]), graph.tensor(op.outputs[0])
        if len(reading[middle.index]) != 1 or middle.index in graph.outputs:
            continue
        if middle.quantization != target.quantization or middle.shape != target.shape:
            continue
        dropped.add(before.index)
        fused[op.index] = replace(
            before,
            index=op.index,
            outputs=op.outputs,
            options={**before.options, _OPTION: op.kind},
            folded=before.covers,
        )
    return replace(graph, ops=tuple(fused.get(op.index, op) for op in graph.ops if op.index not in dropped))
