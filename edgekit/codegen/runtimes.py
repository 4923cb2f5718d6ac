"""Turns a model into C for the runtime of its board: the one place that knows which there are."""

from edgekit.board import Board, Runtime
from edgekit.codegen import generator, tflm
from edgekit.codegen.generator import GeneratedModel
from edgekit.contract import Contract
from edgekit.graph.ir import Graph


def generate(
    model: bytes, graph: Graph, contract: Contract, board: Board, *, stored: bool = False
) -> GeneratedModel:
    """Return the C of a model for a board.

    Args:
        model: the int8 .tflite.
        graph: its int8 core.
        contract: the graph's contract.
        board: decides the runtime, and what that needs to know.
        stored: keep the model in a flash partition of its own, where the runtime can.

    Raises:
        UnsupportedOpError: listing every operator that cannot be run.
        ModelError: the runtime cannot run the model.
        DoesNotFitError: an NPU's tensors need more memory than the board leaves them.
        MissingExtraError: the runtime is tflm, and tflite-micro or Vela is not installed.
    """
    if board.build.runtime is Runtime.TFLM:
        return tflm.generate(model, graph, contract, board, stored=stored)
    return generator.generate(graph, contract, folders=board.build.kernels)
