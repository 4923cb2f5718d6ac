"""Rewrites from graph to graph that make a model cheaper and leave every output as it is.

One module each, with `rewrite(graph) -> Graph`. They work on the operators of a file; indices of tensors and
operators stay those of the file, so that a report or a trace can name them.
"""

from edgekit.graph.ir import Graph
from edgekit.graph.rewrites import activation, constants, flatten, float_pairs, padding


def rewritten(graph: Graph) -> Graph:
    """Return the graph after all rewrites, in the order in which one prepares the ground for the next."""
    for module in (constants, float_pairs, flatten, padding, activation):
        graph = module.rewrite(graph)
    return graph
