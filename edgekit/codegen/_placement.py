"""Puts ranges of bytes into one arena, where some pairs must not touch and others may overlap a little.

A pair's rule has one form: range i lies at `below` bytes or more under the start of range j, or at `above`
bytes or more over it. Ranges that must not touch have their own sizes there; an input that its step may
overwrite has a smaller one. Where several rules meet, the forbidden starts of a range are a union of open
intervals, and the lowest start outside of it is found by one pass over them.

The problem (dynamic storage allocation) is NP-hard. Graphs of classifiers are small and mostly chains, where
first fit in a good order is optimal or close to it: several orders are tried from both ends of the arena,
then the best is improved by placing earlier what sticks out, and by moving ranges at random. It stops when
the arena is as small as the busiest step needs, which nothing can beat. The random numbers have a fixed seed,
and effort is counted in rules looked at, not in time: equal input gives an equal result on every machine.
"""

import random
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import NamedTuple

_EFFORT = 400_000
"""Rules that the search may look at; about a second of work."""
_TRIES = 500
"""Arrangements that it may try, which ends it earlier for small graphs."""
_SEED = 1


class Rule(NamedTuple):
    """A range starts at or under `other`'s start - below, or at or over its start + above."""

    other: int
    below: int
    above: int


@dataclass(frozen=True, slots=True)
class Problem:
    """Sizes and lifetimes of the ranges, and for each the rules towards others; every rule is there twice."""

    sizes: Sequence[int]
    first: Sequence[int]
    last: Sequence[int]
    rules: Sequence[Sequence[Rule]]


def place(problem: Problem, bound: int, busiest: int) -> list[int]:
    """Return an offset for each range, in bytes.

    Args:
        problem: what to place.
        bound: an arena of this size is good enough: the search stops.
        busiest: the step around which some orders are built.
    """
    best = _Best(bound)
    mirrored: Problem | None = None
    for order in _orders(problem, busiest):
        best.offer(problem, order, turned=False)
        if not best.reached:
            mirrored = mirrored or _mirror(problem)
            best.offer(mirrored, order, turned=True)
        if best.reached or best.spent > _EFFORT:
            return best.offsets(problem)
    for order in _improvements(best):
        best.offer(mirrored if mirrored and best.turned else problem, order, best.turned)
        if best.reached:
            break
    return best.offsets(problem)


class _Best:
    """The smallest arrangement so far; of equal ones the first stands."""

    def __init__(self, bound: int) -> None:
        self.bound = bound
        self.end = -1
        self.order: list[int] = []
        self.starts: list[int] = []
        self.turned = False
        self.last_end = -1
        self.last_starts: list[int] = []
        self.sizes: Sequence[int] = ()
        self.spent = 0
        self.tries = 0

    @property
    def reached(self) -> bool:
        return 0 <= self.end <= self.bound

    def offer(self, problem: Problem, order: list[int], turned: bool) -> None:
        starts, spent = _first_fit(problem, order)
        end = max((start + size for start, size in zip(starts, problem.sizes, strict=True)), default=0)
        self.spent += spent
        self.tries += 1
        self.sizes = problem.sizes
        self.last_end, self.last_starts = end, starts
        if self.end < 0 or end < self.end:
            self.end, self.order, self.starts, self.turned = end, order, starts, turned

    def offsets(self, problem: Problem) -> list[int]:
        if not self.turned:
            return self.starts
        return [self.end - s - size for s, size in zip(self.starts, problem.sizes, strict=True)]


def _mirror(problem: Problem) -> Problem:
    """Return the same problem seen from the other end of the arena."""
    sizes = problem.sizes
    rules = [
        [
            Rule(rule.other, rule.above + size - sizes[rule.other], rule.below + sizes[rule.other] - size)
            for rule in found
        ]
        for size, found in zip(sizes, problem.rules, strict=True)
    ]
    return Problem(sizes, problem.first, problem.last, rules)


def _first_fit(problem: Problem, order: Sequence[int]) -> tuple[list[int], int]:
    """Return the lowest start for each range in turn, and how many rules were looked at."""
    starts = [-1] * len(problem.sizes)
    spent = 0
    for index in order:
        spent += len(problem.rules[index])
        forbidden = sorted(
            [
                (starts[other] - below, starts[other] + above)
                for other, below, above in problem.rules[index]
                if starts[other] >= 0
            ]
        )
        start = 0
        for low, high in forbidden:
            if start <= low:
                break
            start = max(start, high)
        starts[index] = start
    return starts, spent + len(order)


def _orders(problem: Problem, busiest: int) -> Iterator[list[int]]:
    """Yield the ranges in several orders, each unambiguous."""
    sizes, first, last = problem.sizes, problem.first, problem.last

    def distance(i: int) -> int:
        if first[i] <= busiest <= last[i]:
            return 0
        return min(abs(first[i] - busiest), abs(last[i] - busiest))

    def length(i: int) -> int:
        return last[i] - first[i] + 1

    keys: list[Callable[[int], tuple[int, ...]]] = [
        lambda i: (-sizes[i], first[i], last[i], i),
        lambda i: (-length(i), -sizes[i], first[i], i),
        lambda i: (-length(i) * sizes[i], first[i], last[i], i),
        lambda i: (distance(i), -sizes[i], first[i], last[i], i),
        lambda i: (distance(i), -length(i), -sizes[i], first[i], i),
        lambda i: (first[i], -sizes[i], last[i], i),
        lambda i: (-last[i], -sizes[i], first[i], i),
    ]
    for key in keys:
        yield sorted(range(len(sizes)), key=key)


def _improvements(best: _Best) -> Iterator[list[int]]:
    """Yield changes of the best order until the effort is spent.

    By turns, whatever reaches the top of the last arrangement is placed first, and up to three ranges move to
    another place in the best order.
    """
    chance = random.Random(_SEED)  # noqa: S311 - not a secret
    order = best.order
    while best.spent < _EFFORT and best.tries < _TRIES and len(order) > 1:
        for _ in range(8):
            ends = [start + size for start, size in zip(best.last_starts, best.sizes, strict=True)]
            top = ends.index(max(ends))
            order = [top, *(i for i in order if i != top)]
            yield order
        for _ in range(24):
            order = list(best.order)
            for _ in range(chance.randint(1, 3)):
                one, other = chance.randrange(len(order)), chance.randrange(len(order))
                order.insert(other, order.pop(one))
            yield order
        order = best.order
