"""Random graphs on the emulated boards: `python -m fuzz.graphs --models 2000`, in the folder tests.

Every step of every row is compared with LiteRT's reference kernels; the exit status is 1 if one differs. A
seed stands for one model and its frames, whatever else runs: `--seed N --models 1` runs it alone. With
`--json FILE` what has run is kept, and the same command goes on from there.
"""

import argparse
import json
import os
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, ProcessPoolExecutor, wait
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from edgekit import board
from edgekit.emulator import ending
from edgekit.files import write_whole
from fuzz import graph_boards

BOARDS = tuple(name for name in board.list_ids() if ending.in_qemu(board.load(name)))
BLOCK = 50
"""Seeds whose models share an image."""

Target = tuple[str, str]
"""A board's id, and a level of optimisation: what stands behind -O."""


@dataclass(frozen=True)
class Result:
    """What the models of some seeds came to on one board."""

    board: str
    level: str
    seed: int
    """The first one."""
    models: int
    """That ran."""
    refused: int
    """That edgekit or LiteRT cannot run."""
    rows: int
    seconds: float
    differences: list[dict[str, Any]] = field(default_factory=list)


def run_block(seed: int, count: int, targets: Sequence[Target], work: Path) -> list[Result]:
    """Run the models of `count` seeds on each target; `work` keeps objects for the next block."""
    made = [graph_boards.case(number) for number in range(seed, seed + count)]
    cases = [case for case in made if not isinstance(case, str)]
    results = []
    for name, level in targets:
        start = time.monotonic()
        folder = work / str(os.getpid()) / f"{name}_O{level}"
        folder.mkdir(parents=True, exist_ok=True)
        found = graph_boards.compare(cases, board.load(name), level, folder) if cases else []
        rows = len(cases) * graph_boards.FRAMES
        seconds = round(time.monotonic() - start, 2)
        differences = [asdict(difference) for difference in found]
        results.append(Result(name, level, seed, len(cases), count - len(cases), rows, seconds, differences))
    return results


def main(arguments: Sequence[str] | None = None) -> int:
    given = _parser().parse_args(arguments)
    levels = given.opt or ["O2", "O3"]
    targets = [(name, level.removeprefix("O")) for name in given.board or BOARDS for level in levels]
    results = _read(given.json) if given.json else []
    results = [result for result in results if (result.board, result.level) in targets]
    for result in results:
        _report(result)
    with tempfile.TemporaryDirectory(prefix="edgekit-graphs-") as work:
        for block in _blocks(given, targets, list(results), Path(work)):
            results += block
            for result in block:
                _report(result)
            if given.json:
                text = json.dumps([asdict(result) for result in results], indent=1)
                write_whole(given.json, f"{text}\n".encode())
    print("\n" + table(results))
    ran = sum(result.models for result in results)
    return 1 if not ran or any(result.differences for result in results) else 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m fuzz.graphs", description=__doc__)
    parser.add_argument("--board", action="append", choices=BOARDS, help="again for more; all without it")
    parser.add_argument("--opt", action="append", choices=["O0", "O1", "O2", "O3", "Os"], help="O2 and O3")
    parser.add_argument("--models", type=int, default=100, help="how many have to run on each board (100)")
    parser.add_argument("--minutes", type=float, help="run so long instead")
    parser.add_argument("--seed", type=int, default=1, help="the first one (1)")
    parser.add_argument(
        "--jobs", type=int, default=len(os.sched_getaffinity(0)), help="processes (all cores)"
    )
    parser.add_argument("--json", type=Path, help="what has run; read first, and written after each block")
    return parser


def _blocks(
    given: argparse.Namespace, targets: Sequence[Target], before: Sequence[Result], work: Path
) -> Iterator[list[Result]]:
    """Run blocks of seeds until enough models have run on every target, without those that ran before."""
    size = BLOCK if given.minutes else min(BLOCK, given.models)
    end = None if given.minutes is None else time.monotonic() + 60 * given.minutes
    ran = dict.fromkeys(targets, 0)
    seed, pending = given.seed, set[Future[list[Result]]]()
    with ProcessPoolExecutor(given.jobs) as pool:
        while True:
            wanted = time.monotonic() < end if end else min(ran.values()) + len(pending) * size < given.models
            if wanted and len(pending) < given.jobs:
                old = {(r.board, r.level): r for r in before if r.seed == seed}
                for target in old:
                    ran[target] += old[target].models
                if left := [target for target in targets if target not in old]:
                    pending.add(pool.submit(run_block, seed, size, left, work))
                seed += size
                continue
            if not pending:
                return
            done, pending = wait(pending, return_when=FIRST_COMPLETED)
            for future in done:
                for result in future.result():
                    ran[result.board, result.level] += result.models
                yield future.result()


def _read(path: Path) -> list[Result]:
    if not path.exists():
        return []
    return [Result(**fields) for fields in json.loads(path.read_bytes())]


def _report(result: Result) -> None:
    at, last = f"{result.board} -O{result.level}", result.seed + result.models + result.refused - 1
    print(
        f"{at}: seeds {result.seed} to {last}, {result.models} models, {result.rows} rows, "
        f"{len(result.differences)} models differ, {result.seconds} s",
        flush=True,
    )
    for found in result.differences:
        seed, rows = found["seed"], f"{found['rows']} of {graph_boards.FRAMES} rows"
        again = f"--board {result.board} --opt O{result.level} --seed {seed} --models 1"
        print(f"  DIFFERENT {at}, seed {seed}: {rows}; {found['what']}", flush=True)
        print(f"    {sys.executable} -m fuzz.graphs {again}", flush=True)


def table(results: Sequence[Result]) -> str:
    """Return the totals as the rows of a Markdown table."""
    lines = ["| board | level | models | rows | rows different | refused | seconds |", "|---" * 7 + "|"]
    for name, level in sorted({(result.board, result.level) for result in results}):
        part = [result for result in results if (result.board, result.level) == (name, level)]
        models, rows, refused = (sum(getattr(r, key) for r in part) for key in ("models", "rows", "refused"))
        wrong = sum(found["rows"] for result in part for found in result.differences)
        seconds = sum(result.seconds for result in part)
        lines.append(
            f"| `{name}` | `-O{level}` | {models:,} | {rows:,} | {wrong:,} | {refused:,} | {seconds:,.0f} |"
        )
    return "\n".join(lines)


if __name__ == "__main__":
    sys.exit(main())
