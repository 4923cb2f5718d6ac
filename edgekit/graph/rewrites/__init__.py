"""Rewrites from graph to graph that make a model cheaper and leave every output as it is.

One module each, with `rewrite(graph) -> Graph`. They work on the operators of a file; indices of tensors and
operators stay those of the file, so that a report or a trace can name them.
"""

from dataclasses import replace

from edgekit.graph.ir import Graph, Op, OptionValue

EXPLICIT_PADDING = "edgekit.explicit_padding"
"""Option of a window: (top, bottom, left, right) rows and columns around its image."""
FOLDED_OPS = "edgekit.folded_ops"
"""Option of an operator: indices of the operators before it that it does the work of."""
THROUGH_FLOAT = "edgekit.through_float"
"""Option of a QUANTIZE from int8 to int8 that stands for a DEQUANTIZE and a QUANTIZE."""


def rewritten(graph: Graph) -> Graph:
    """Return the graph after all rewrites, in the order in which one prepares the ground for the next."""
    from edgekit.graph.rewrites import activation, constants, flatten, float_pairs, padding

    for module in (constants, float_pairs, flatten, padding, activation):
        graph = module.rewrite(graph)
    return graph


def covered(op: Op) -> tuple[int, ...]:
    """Return the indices of the operators of the file that this one stands for, its own last."""
    before = op.options.get(FOLDED_OPS, ())
    assert isinstance(before, tuple)
    return (*before, op.index)


def readers(graph: Graph) -> dict[int, list[Op]]:
    """Return the operators that read each tensor, in order."""
    found: dict[int, list[Op]] = {}
    for op in graph.ops:
        for index in op.inputs:
            found.setdefault(index, []).append(op)
    return found


def is_sound(graph: Graph, op: Op, inputs: int) -> bool:
    """Whether an operator has that many inputs and one output, all of them tensors of the graph."""
    places = (*op.inputs, *op.outputs)
    return (
        len(op.inputs) == inputs and len(op.outputs) == 1 and all(0 <= i < len(graph.tensors) for i in places)
    )


def with_options(op: Op, folded: tuple[int, ...], **changes: OptionValue) -> Op:
    """Return an operator that also does the work of `folded`, with more options."""
    before = op.options.get(FOLDED_OPS, ())
    assert isinstance(before, tuple)
    return replace(op, options={**op.options, FOLDED_OPS: (*folded, *before), **changes})
