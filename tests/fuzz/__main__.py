"""Fuzzes every target for some minutes: `python -m fuzz --minutes 10 --target frame`, from tests/."""

import argparse
import random
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from fuzz import run, targets

GRAPHS = "graphs"
"""Random networks on every emulated board: a program of its own."""
_FOLDER = run.TESTS.parent / "build" / "fuzz"


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m fuzz", description=__doc__)
    parser.add_argument("--minutes", type=float, default=10.0, help="for each target [10]")
    parser.add_argument("--target", nargs="*", default=[], metavar="NAME", help="which; all if left out")
    parser.add_argument("--seed", type=int, help="of the random numbers; one is chosen and shown if left out")
    parser.add_argument("--jobs", type=int, default=1, help="targets at a time [1]")
    parser.add_argument("--out", type=Path, default=_FOLDER, help="the folder of corpora and findings")
    parser.add_argument(
        "--replay", nargs="+", type=Path, help="run these inputs of one --target, and no others"
    )
    parser.add_argument("--list", action="store_true", help="show the targets")
    parser.add_argument("--table", action="store_true", help="show the figures of the runs in --out")
    return parser.parse_args()


def say(text: str) -> None:
    """Print a line at once, also into a file."""
    print(text, flush=True)


def _graphs(minutes: float, seed: int) -> int:
    command = [sys.executable, "-m", "fuzz.graphs", "--minutes", str(minutes), "--seed", str(seed)]
    return subprocess.run(command, cwd=run.TESTS, check=False).returncode


def fuzz(name: str, folder: Path, minutes: float, seed: int) -> bool:
    """Run a target, say what it came to, and return whether it ran and nothing was found."""
    if name == GRAPHS:
        return _graphs(minutes, seed) == 0
    record, wrong = run.run(targets.ALL[name], folder, minutes, seed, say)
    found = run.findings(folder, name)
    say(f"{name}: {record.inputs:,} inputs in {record.seconds / 60:.1f} minutes, {len(found)} findings")
    for path in found:
        say(f"  cd {run.TESTS} && {sys.executable} -m fuzz --target {name} --replay {path}")
    if wrong:
        say(f"{name}: failed: {wrong}")
    return not found and not wrong


def main() -> int:
    """Return 0 if nothing was found, 1 if something was or one did not run, 2 for a wrong command line."""
    given = _arguments()
    names = given.target or [*targets.ALL, GRAPHS]
    unknown = [name for name in names if name not in targets.ALL and name != GRAPHS]
    if unknown or (given.replay and len(given.target) != 1):
        say(f"no target '{unknown[0]}'; see --list" if unknown else "--replay goes with one --target")
        return 2
    if given.list:
        for name, target in targets.ALL.items():
            say(f"{name:15} {target.feeds}")
        say(f"{GRAPHS:15} random networks on every emulated board")
        return 0
    if given.table:
        say(run.table(given.out))
        return 0
    if given.replay:
        return 0 if run.replay(targets.ALL[names[0]], given.replay, given.out) else 1
    seed = given.seed or random.randrange(1, 1 << 31)
    say(f"{len(names)} targets, {given.minutes:g} minutes each, seed {seed}, into {given.out}")
    with ThreadPoolExecutor(max(1, given.jobs)) as pool:
        good = list(pool.map(lambda name: fuzz(name, given.out, given.minutes, seed), names))
    return 0 if all(good) else 1


if __name__ == "__main__":
    sys.exit(main())
