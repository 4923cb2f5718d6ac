"""Gives activations and scratch their places in one arena; what lives at the same time does not overlap.

The problem (dynamic storage allocation) is NP-hard; graphs of classifiers are small and mostly chains, where
first fit in a good order is optimal or close to it. Several orders are tried, then the best is improved by
placing whatever sticks out at the top earlier. It stops when the arena is as small as the busiest step
needs, which no plan can beat.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from itertools import accumulate

from edgekit.graph.ir import Graph
from edgekit.ops.step import Step

ALIGNMENT = 16
_IMPROVEMENTS = 64


@dataclass(frozen=True, slots=True)
class Storage:
    """One range of the arena: an activation with all its views, or the scratch of one step."""

    name: str
    """Name of the tensor that is written here first, or which step's scratch it is."""
    tensors: tuple[int, ...]
    """The tensors that live here; empty for scratch."""
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


@dataclass(frozen=True, slots=True)
class MemoryPlan:
    """Where everything lies. The arena must be aligned to 16 bytes, and so is every offset."""

    arena_bytes: int
    offsets: Mapping[int, int]
    """Offset by tensor, for the model's input and every step's output; a view has its source's offset."""
    scratch_offsets: Mapping[int, int]
    """Offset by step, for steps that need scratch."""
    storages: tuple[Storage, ...] = field(repr=False)
    steps: int
    lower_bound: int
    """What the busiest step needs: no plan without overlap can be smaller."""

    def alive(self, step: int) -> tuple[Storage, ...]:
        """Return everything whose content matters during `step`, the largest first."""
        return tuple(
            sorted((s for s in self.storages if s.alive(step)), key=lambda s: (-s.size, s.offset, s.name))
        )

    def live_bytes(self, step: int) -> int:
        """Return the bytes of everything whose content matters during `step`."""
        return sum(s.size for s in self.storages if s.alive(step))

    @property
    def peak_step(self) -> int:
        """The first step that needs the most bytes at a time."""
        return max(range(self.steps), key=self.live_bytes) if self.steps else 0


def plan(graph: Graph, steps: Sequence[Step]) -> MemoryPlan:
    """Return the smallest arena found for running `steps` in order.

    The model's input lives from the start until its last use; outputs of the model live until the end.

    Raises:
        ValueError: a step reads a tensor that nothing has written. `ops.lower` never makes such steps.
    """
    storages = _lifetimes(graph, steps)
    busiest, bound = _busiest(storages, max(len(steps), 1))
    placed = _best(storages, busiest, bound)
    offsets = {tensor: s.offset for s in placed for tensor in s.tensors}
    return MemoryPlan(
        arena_bytes=_end(placed),
        offsets=dict(sorted(offsets.items())),
        scratch_offsets={s.first: s.offset for s in placed if not s.tensors},
        storages=tuple(sorted(placed, key=lambda s: (s.first, s.offset, s.tensors))),
        steps=len(steps),
        lower_bound=bound,
    )


def _lifetimes(graph: Graph, steps: Sequence[Step]) -> list[Storage]:
    """Return the storages, not yet placed. Views join the storage of what they show."""
    end = max(len(steps) - 1, 0)
    owner = {index: index for index in graph.inputs}
    tensors = {index: [index] for index in graph.inputs}
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
            source = owner[step.inputs[0]]
            owner[step.output] = source
            tensors[source].append(step.output)
        else:
            owner[step.output] = step.output
            tensors[step.output] = [step.output]
            first[step.output] = last[step.output] = number
        if step.scratch_bytes:
            scratch.append(Storage(f"scratch of step {number}", (), step.scratch_bytes, number, number, 0))
    for index in graph.outputs:
        if index not in owner:
            raise ValueError(f"no step writes the model's output {index}")
        last[owner[index]] = end
    activations = [
        Storage(graph.tensor(i).name, tuple(views), graph.tensor(i).size, first[i], last[i], 0)
        for i, views in tensors.items()
    ]
    return activations + scratch


def _aligned(size: int) -> int:
    return -(-size // ALIGNMENT) * ALIGNMENT


def _end(placed: Sequence[Storage]) -> int:
    return max((s.offset + _aligned(s.size) for s in placed), default=0)


def _busiest(storages: Sequence[Storage], steps: int) -> tuple[int, int]:
    """Return the first step that needs the most memory, and how much that is."""
    changes = [0] * (steps + 1)
    for s in storages:
        changes[s.first] += _aligned(s.size)
        changes[s.last + 1] -= _aligned(s.size)
    live = list(accumulate(changes))
    return live.index(max(live)), max(live)


def _best(storages: list[Storage], busiest: int, bound: int) -> list[Storage]:
    """Try orders until one reaches the bound; of equal results the first stands."""
    best: list[Storage] = []
    order: list[Storage] = []
    for candidate in _orders(storages, busiest):
        placed = _first_fit(candidate)
        if not best or _end(placed) < _end(best):
            best, order = placed, candidate
        if _end(best) <= bound:
            return best
    placed = best
    for _ in range(_IMPROVEMENTS):
        top = max(range(len(placed)), key=lambda i: _end(placed[i : i + 1]))
        order = [order[top], *order[:top], *order[top + 1 :]]
        placed = _first_fit(order)
        if _end(placed) < _end(best):
            best = placed
        if _end(best) <= bound:
            break
    return best


def _orders(storages: list[Storage], busiest: int) -> list[list[Storage]]:
    """Return the storages in several orders, each unambiguous."""

    def length(s: Storage) -> int:
        return s.last - s.first + 1

    def distance(s: Storage) -> int:
        return 0 if s.alive(busiest) else min(abs(s.first - busiest), abs(s.last - busiest))

    return [
        sorted(storages, key=lambda s: (-s.size, s.first, s.last, s.tensors)),
        sorted(storages, key=lambda s: (-length(s), -s.size, s.first, s.tensors)),
        sorted(storages, key=lambda s: (-length(s) * s.size, s.first, s.last, s.tensors)),
        sorted(storages, key=lambda s: (distance(s), -s.size, s.first, s.last, s.tensors)),
        sorted(storages, key=lambda s: (distance(s), -length(s), -s.size, s.first, s.tensors)),
        sorted(storages, key=lambda s: (s.first, -s.size, s.last, s.tensors)),
        sorted(storages, key=lambda s: (-s.last, -s.size, s.first, s.tensors)),
    ]


def _first_fit(order: Sequence[Storage]) -> list[Storage]:
    """Place each storage at the lowest offset that is free for the whole of its life."""
    placed: list[Storage] = []
    for storage in order:
        size = _aligned(storage.size)
        offset = 0
        # Neighbours in time, by offset: the first gap between them that is large enough.
        for other in sorted(
            (o for o in placed if o.first <= storage.last and storage.first <= o.last),
            key=lambda o: o.offset,
        ):
            if other.offset - offset >= size:
                break
            offset = max(offset, other.offset + _aligned(other.size))
        placed.append(replace(storage, offset=offset))
    return placed
