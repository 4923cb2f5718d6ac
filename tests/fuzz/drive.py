"""One target in this process under atheris: `python -m fuzz.drive NAME FINDINGS LIBFUZZER-OPTIONS...`.

It stops for nothing that Python can catch: what is found is written down, once for each place in the code.
"""

import random
import sys
from collections.abc import Callable
from pathlib import Path

import atheris

with atheris.instrument_imports(include=["edgekit"]):
    import pkgutil

    import edgekit.ops
    from fuzz import targets

    # What is imported when it is first needed would not be instrumented.
    for module in pkgutil.iter_modules(edgekit.ops.__path__, "edgekit.ops."):
        __import__(module.name)
import model_fuzzer

from fuzz.target import Findings


def mutator(change: Callable[[bytes, random.Random], bytes]) -> Callable[[bytes, int, int], bytes]:
    """Return what atheris asks for other inputs: half of them are libFuzzer's own."""

    def mutate(data: bytes, max_bytes: int, seed: int) -> bytes:
        rng = random.Random(seed)
        if not data or rng.random() < 0.5:
            return bytes(atheris.Mutate(data, max_bytes))
        try:
            return change(data, rng)[:max_bytes]
        except Exception:  # of a package that takes the input apart: no fault of what is tested
            return bytes(atheris.Mutate(data, max_bytes))

    return mutate


def main() -> None:
    """Fuzz until libFuzzer ends the process."""
    name, folder, *options = sys.argv[1:]
    target = targets.PYTHON[name]
    findings = Findings(Path(folder))
    extra = {"custom_mutator": mutator(target.mutate)} if target.mutate else {}
    list(target.seeds())  # packages that this needs are imported before memory is limited
    model_fuzzer.limit_memory()
    atheris.Setup([sys.argv[0], *options], lambda data: findings.take(target, data), **extra)
    atheris.Fuzz()


if __name__ == "__main__":
    main()
