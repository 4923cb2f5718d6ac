"""Which activations share bytes, and for how long those matter."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from edgekit.graph.ir import Graph
from edgekit.ops.step import Step


@dataclass(frozen=True, slots=True)
class Storage:
    """One range of the arena: an activation with all its views and parts, or the scratch of one step."""

    name: str
    """Name of the first tensor that fills it, or which step's scratch it is."""
    tensors: Mapping[int, int]
    """The tensors that live here, and at which byte each begins; empty for scratch."""
    size: int
    """Bytes that are used; the range itself is rounded up to the alignment."""
    first: int
    """The first step during which the content matters; 0 for the model's input."""
    last: int
    """The last step during which it matters."""
    offset: int
    """Bytes from the start of the arena."""

    def alive(self, step: int) -> bool:
        """Whether the content matters during `step`."""
        return self.first <= step <= self.last


def lifetimes(graph: Graph, steps: Sequence[Step]) -> list[Storage]:
    """Return the storages, not yet placed. A step without a kernel joins those of its inputs.

    Raises:
        ValueError: a step reads a tensor that nothing has written, or writes one again, or shows one at two
            places.
    """
    end = max(len(steps) - 1, 0)
    owner = {index: index for index in graph.inputs}
    tensors = {index: {index: 0} for index in graph.inputs}
    first = dict.fromkeys(graph.inputs, 0)
    last = dict.fromkeys(graph.inputs, 0)
    scratch = []
    for number, step in enumerate(steps):
        for index in step.inputs:
            if index not in owner:
                raise ValueError(f"step {number} {step.kind} reads tensor {index}, which nothing has written")
            last[owner[index]] = number
        if step.output in owner:
            raise ValueError(f"step {number} {step.kind} writes tensor {step.output} a second time")
        if step.kernel is None:
            root = _show(step, owner, tensors)
            first[root] = min(first[owner[index]] for index in step.inputs)
            for index in tensors[root]:
                owner[index] = root
            last[root] = number
        else:
            owner[step.output] = step.output
            tensors[step.output] = {step.output: 0}
            first[step.output] = last[step.output] = number
        if step.scratch_bytes:
            scratch.append(Storage(f"scratch of step {number}", {}, step.scratch_bytes, number, number, 0))
    for index in graph.outputs:
        if index not in owner:
            raise ValueError(f"no step writes the model's output {index}")
        last[owner[index]] = end
    return [_storage(graph, held, first[i], last[i]) for i, held in tensors.items()] + scratch


def _show(step: Step, owner: Mapping[int, int], tensors: dict[int, dict[int, int]]) -> int:
    """Put the storages of a step's inputs side by side into one, and its output into that; return which."""
    root = owner[step.inputs[0]]
    held = tensors[root]
    places = step.places or (0,) * len(step.inputs)
    begin = held[step.inputs[0]] - places[0]
    for index, place in zip(step.inputs[1:], places[1:], strict=True):
        if owner[index] != root and index not in held:
            shift = begin + place - tensors[owner[index]][index]
            held.update({other: at + shift for other, at in tensors.pop(owner[index]).items()})
        if held[index] != begin + place:
            raise ValueError(f"{step.kind} shows tensor {index} at two places")
    held[step.output] = begin
    return root


def _storage(graph: Graph, held: Mapping[int, int], first: int, last: int) -> Storage:
    begin = min(held.values())
    size = max(at + graph.tensor(index).size for index, at in held.items()) - begin
    whole = next((index for index in held if graph.tensor(index).size == size), min(held))
    places = {index: at - begin for index, at in held.items()}
    return Storage(graph.tensor(whole).name, places, size, first, last, 0)
