"""Runs a few hundred changed inputs through Python targets, the same ones every time: `python -m fuzz.smoke`.

A program of its own, because its memory is limited: an input that asks for all of it must not get it.
"""

import random
import sys
from collections.abc import Iterator

import model_fuzzer

from fuzz import changes, run, targets
from fuzz.target import Target, examine

_CHANGED = 200


def inputs(target: Target, count: int) -> Iterator[bytes]:
    """Yield the seeds, what was once found, and `count` inputs made of these."""
    rng = random.Random(target.name)
    seeds = [*target.seeds(), *(path.read_bytes() for path in run.kept(target.name))]
    yield from seeds
    for number in range(count):
        data = rng.choice(seeds)
        change = target.mutate if target.mutate and number % 2 else changes.raw
        for _ in range(rng.randrange(1, 3)):
            data = change(data or b"\0", rng)
        yield data[: target.max_bytes]


def main() -> int:
    """Return 1 if anything was found."""
    count = int(sys.argv[1]) if len(sys.argv) > 1 else _CHANGED
    chosen = [targets.PYTHON[name] for name in sys.argv[2:] or targets.PYTHON]
    for target in chosen:
        list(target.seeds())  # packages that this needs are imported before memory is limited
    model_fuzzer.limit_memory()
    good = True
    for target in chosen:
        for data in inputs(target, count):
            found = examine(target, data)
            if found is not None:
                print(f"finding of {target.name}: {data!r}\n{found.said}")
                good = False
        print(f"{target.name}: done", flush=True)
    return 0 if good else 1


if __name__ == "__main__":
    sys.exit(main())
