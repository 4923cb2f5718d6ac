"""Gives activations and scratch their places in one arena.

What lives at the same time does not overlap, with one exception: the output of a step may lie over an input
that dies there, at the distance that the step states (`Step.overlaps`). `_placement` finds the places.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from itertools import accumulate

from edgekit.codegen._placement import Problem, Rule, place
from edgekit.codegen.storage import Storage, lifetimes
from edgekit.graph.ir import Graph
from edgekit.ops.step import Step

ALIGNMENT = 16
"""Of the arena and of every place in it: what vector kernels and word-wise copies like."""
_MOST_PAIRS = 400_000
"""Pairs that live at the same time; with more, hundreds of tensors are alive at once, and nothing helps."""


@dataclass(frozen=True, slots=True)
class MemoryPlan:
    """Where everything lies. The arena must be aligned to 16 bytes, and so is every offset."""

    arena_bytes: int
    offsets: Mapping[int, int]
    """Offset by tensor, for the model's input and every step's output, views included."""
    scratch_offsets: Mapping[int, int]
    """Offset by step, for steps that need scratch."""
    storages: tuple[Storage, ...] = field(repr=False)
    needs: tuple[int, ...] = field(repr=False)
    """By step, the least that it needs: all that is alive, its output over its inputs as far as allowed."""

    @property
    def steps(self) -> int:
        """How many steps there are."""
        return len(self.needs)

    @property
    def lower_bound(self) -> int:
        """What the busiest step needs with every overlap that it allows: no plan can be smaller."""
        return max(self.needs, default=0)

    @property
    def largest_live(self) -> int:
        """The largest sum of what is alive at one step, as if nothing could overlap."""
        return self.live_bytes(self.peak_step)

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
        """The first step with the largest sum of what is alive, as if nothing could overlap."""
        return max(range(self.steps), key=self.live_bytes) if self.steps else 0

    @property
    def bottleneck_step(self) -> int:
        """The first step that needs the most memory with its overlaps: what the arena cannot go below."""
        return self.needs.index(self.lower_bound) if self.needs else 0


def plan(graph: Graph, steps: Sequence[Step]) -> MemoryPlan:
    """Return the smallest arena found for running `steps` in order.

    The model's input lives from the start until its last use; outputs of the model live until the end.

    Raises:
        ValueError: a step reads a tensor that nothing has written. `ops.lower` never makes such steps.
    """
    storages = lifetimes(graph, steps)
    overlaps = _overlaps(graph, steps, storages)
    needs = _needs(storages, overlaps, len(steps))
    bound = max((_aligned(s.size) for s in storages), default=0)
    bound = max(bound, *needs) if needs else bound
    problem = _problem(storages, overlaps)
    if problem is None:
        offsets = _one_after_another(storages)
    else:
        offsets = place(problem, bound, needs.index(bound) if bound in needs else 0)
    placed = [replace(s, offset=offset) for s, offset in zip(storages, offsets, strict=True)]
    places = {tensor: s.offset + at for s in placed for tensor, at in s.tensors.items()}
    return MemoryPlan(
        arena_bytes=max((s.offset + _aligned(s.size) for s in placed), default=0),
        offsets=dict(sorted(places.items())),
        scratch_offsets={s.first: s.offset for s in placed if not s.tensors},
        storages=tuple(sorted(placed, key=lambda s: (s.first, s.offset, tuple(s.tensors)))),
        needs=tuple(needs),
    )


def _aligned(size: int) -> int:
    return -(-size // ALIGNMENT) * ALIGNMENT


def _overlaps(graph: Graph, steps: Sequence[Step], storages: Sequence[Storage]) -> dict[tuple[int, int], int]:
    """Return by (input storage, output storage) how far the input must begin behind the output's beginning.

    Only an input that dies at the step may be overwritten, and never one that is a result of the model. A
    storage that the step reads twice, perhaps as two views, must allow it both times. Where a step reads a
    part of a storage, the storage begins so much earlier. What a step writes into a part of one lies over
    nothing.
    """
    owner = {tensor: number for number, s in enumerate(storages) for tensor in s.tensors}
    kept = {owner[index] for index in graph.outputs}
    found: dict[tuple[int, int], int] = {}
    for number, step in enumerate(steps):
        target = owner[step.output]
        if step.kernel is None or graph.tensor(step.output).size != storages[target].size:
            continue
        refused = set()
        for index, distance in zip(step.inputs, step.overlaps, strict=bool(step.overlaps)):
            source = owner[index]
            if distance is None or source in kept or storages[source].last != number:
                refused.add(source)
                continue
            pair = (source, target)
            apart = _aligned(distance - storages[source].tensors[index])
            found[pair] = max(apart, found.get(pair, apart))
        for source in refused:
            found.pop((source, target), None)
    return found


def _one_after_another(storages: Sequence[Storage]) -> list[int]:
    """Return places that share nothing."""
    return list(accumulate((_aligned(s.size) for s in storages), initial=0))[:-1]


def _problem(storages: Sequence[Storage], overlaps: Mapping[tuple[int, int], int]) -> Problem | None:
    """Return the rules between all storages that are alive at the same time; None if they are too many."""
    count = 0
    sizes = [_aligned(s.size) for s in storages]
    rules: list[list[Rule]] = [[] for _ in storages]
    active: list[int] = []
    for one in sorted(range(len(storages)), key=lambda i: (storages[i].first, i)):
        active = [i for i in active if storages[i].last >= storages[one].first]
        count += len(active)
        if count > _MOST_PAIRS:
            return None
        for other in active:
            below, above = sizes[one], sizes[other]  # no touching
            if (one, other) in overlaps:  # one is the input
                above = min(above, overlaps[one, other])
            if (other, one) in overlaps:  # one is the output
                below = min(below, overlaps[other, one])
            if below + above > 0:
                rules[one].append(Rule(other, below, above))
                rules[other].append(Rule(one, above, below))
        active.append(one)
    return Problem(sizes, [s.first for s in storages], [s.last for s in storages], rules)


def _needs(storages: Sequence[Storage], overlaps: Mapping[tuple[int, int], int], steps: int) -> list[int]:
    """Return for each step the least that it needs.

    With one input under its output the extent of the two is known exactly; of several inputs, which do not
    touch each other, the output saves at most as much as lies over them.
    """
    changes = [0] * (steps + 1)
    for s in storages:
        if steps:
            changes[s.first] += _aligned(s.size)
            changes[s.last + 1] -= _aligned(s.size)
    live, needs = 0, []
    over: dict[int, list[int]] = {}
    for source, target in overlaps:
        over.setdefault(target, []).append(source)
    makers = {storages[target].first: target for target in over}
    for number in range(steps):
        live += changes[number]
        saved = 0
        if number in makers:
            target = makers[number]
            out = _aligned(storages[target].size)
            read = [_aligned(storages[source].size) for source in over[target]]
            extent = max(out, sum(read))
            if len(read) == 1:
                shift = max(overlaps[over[target][0], target], 0)
                extent = min(out + read[0], max(out, shift + read[0]))
            saved = out + sum(read) - extent
        needs.append(live - saved)
    return needs
