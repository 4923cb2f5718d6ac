"""Where TensorFlow Lite Micro's planner places tensors, to know what scratch buffers add to its arena.

The rule is the one of its GreedyMemoryPlanner: the largest buffer first, each at the lowest place that is
free for as long as it lives. Tests hold it to what tflite-micro's interpreter reports.
"""

from collections.abc import Sequence
from dataclasses import dataclass

from edgekit.graph.ir import Graph

_ALIGNMENT = 16


@dataclass(frozen=True, slots=True)
class _Buffer:
    bytes: int
    first: int
    last: int


def head_bytes(graph: Graph, scratch: Sequence[int]) -> int:
    """Return how many bytes of the arena tensors and scratch buffers take.

    Args:
        graph: the model.
        scratch: what each operator's kernel asks for, in bytes; 0 for nothing.
    """
    buffers = _tensors(graph)
    buffers += [_Buffer(_up(size), number, number) for number, size in enumerate(scratch) if size]
    placed: list[tuple[int, _Buffer]] = []
    # Of equals the planner takes the last first.
    for _, buffer in sorted(enumerate(buffers), key=lambda item: (-item[1].bytes, -item[0])):
        beside = sorted(
            (at, at + other.bytes)
            for at, other in placed
            if other.first <= buffer.last and buffer.first <= other.last
        )
        at = 0
        for begin, end in beside:
            if begin - at >= buffer.bytes:
                break
            at = max(at, end)
        placed.append((at, buffer))
    return max((at + buffer.bytes for at, buffer in placed), default=0)


def _tensors(graph: Graph) -> list[_Buffer]:
    """Return what lives from its maker to its last reader: inputs from the start, outputs to the end."""
    first = dict.fromkeys(graph.inputs, 0)
    last = dict.fromkeys(graph.inputs, 0)
    for number, op in enumerate(graph.ops):
        for index in op.outputs:
            first[index] = last[index] = number
        for index in op.inputs:
            if index in first:
                last[index] = number
    for index in graph.outputs:
        last[index] = len(graph.ops)
    return [_Buffer(_up(graph.tensor(index).size), first[index], last[index]) for index in sorted(first)]


def _up(value: int) -> int:
    return -(-value // _ALIGNMENT) * _ALIGNMENT
