"""Makes copies of whole runs of bytes free: slices of one run, and inputs that follow each other in a whole.

A slice whose elements lie one after the other in its input needs no copy: it is read where it lies. Inputs of
a CONCATENATION that lie one after the other in its output need none either: each is written there at once.
No output of any step changes by that, as each byte is still written once, and nothing else lies there until
it has been read for the last time:

- A slice only reads. What it reads keeps its storage for as long as the slice is read.
- A part of a whole is a storage of its own, with nothing else in it, before it is put into the larger one;
  there it touches no other part. The larger one belongs to all of them from the first writing to the last
  reading of any.

Bytes then matter for longer, which can cost more memory than the copy. So this is done only where the arena
does not grow by it.
"""

from collections.abc import Sequence
from dataclasses import replace
from itertools import accumulate

from edgekit.codegen.planner import plan
from edgekit.codegen.storage import lifetimes
from edgekit.graph.ir import Graph
from edgekit.ops.step import Step

_MOST_STEPS = 640
"""In larger networks all copies stay: a plan takes work that grows with the square of the steps."""
_MOST_COPIES = 256
"""Copies that are looked at, from the first on: each takes work that grows with the network."""
_MOST_TRIES = 16
"""Copies that are tried one by one where all together need more memory; fewer from 256 steps on."""


def without_copies(graph: Graph, steps: Sequence[Step]) -> tuple[Step, ...]:
    """Return the steps with copies made free where the arena does not grow by it."""
    plain = tuple(steps)
    if not 0 < len(steps) <= _MOST_STEPS:
        return plain
    copies = [number for number, step in enumerate(steps) if _shown(graph, step) is not None][:_MOST_COPIES]
    every = plain
    for number in copies:
        every = _freed(graph, every, number)
    if every == plain:
        return plain
    least = plan(graph, plain).arena_bytes
    if plan(graph, every).arena_bytes <= least:
        return every
    best = plain
    for number in copies[: min(_MOST_TRIES, (_MOST_TRIES << 16) // len(steps) ** 2)]:
        tried = _freed(graph, best, number)
        needed = plan(graph, tried).arena_bytes
        if needed <= least:
            best, least = tried, needed
    return best


def _shown(graph: Graph, step: Step) -> tuple[int, ...] | None:
    """Return the `places` of a step that copies whole runs of bytes; None if it does anything else."""
    p = step.params
    if step.kernel == "ek_strided_copy_s8":
        start, size, stride = p["start"], p["size"], p["stride"]
        assert isinstance(start, int) and isinstance(size, tuple) and isinstance(stride, tuple)
        run = stride[-1] == 1 or size[-1] == 1
        return (-start,) if run and set(size[:-1]) == {1} else None
    if step.kernel == "ek_concatenation_s8" and p["outer"] == 1 and p["constants"] == 0:
        sizes = [graph.tensor(index).size for index in step.inputs]
        return tuple(accumulate(sizes[:-1], initial=0))
    return None


def _freed(graph: Graph, steps: tuple[Step, ...], number: int) -> tuple[Step, ...]:
    """Return the steps with one copy made free, or as they are where that would be wrong."""
    step = steps[number]
    places = _shown(graph, step)
    assert places is not None
    if step.kernel == "ek_concatenation_s8" and not _are_parts(graph, steps, step):
        return steps
    changed = replace(
        step, kernel=None, params_type="", params={}, overlaps=(), gathered=False, places=places
    )
    found = (*steps[:number], changed, *steps[number + 1 :])
    return found if _is_aligned(graph, found) else steps


def _are_parts(graph: Graph, steps: Sequence[Step], step: Step) -> bool:
    """Whether each input has a storage of its own that it fills, made by the network for itself."""
    storages = [s for s in lifetimes(graph, steps) if s.tensors.keys() & set(step.inputs)]
    held = {index for s in storages for index in s.tensors}
    return (
        len(storages) == len(step.inputs)
        and not held & {*graph.inputs, *graph.outputs}
        and all(
            graph.tensor(index).size == s.size
            for s in storages
            for index in s.tensors.keys() & set(step.inputs)
        )
    )


def _is_aligned(graph: Graph, steps: Sequence[Step]) -> bool:
    """Whether each kernel finds its inputs and output at multiples of what it wants."""
    aligned = [step for step in steps if step.kernel is not None and step.alignment > 1]
    if not aligned:
        return True
    places = {index: at for s in lifetimes(graph, steps) for index, at in s.tensors.items()}
    return all(
        places[index] % step.alignment == 0 for step in aligned for index in (*step.inputs, step.output)
    )
