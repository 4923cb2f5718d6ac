"""Runs one target for some minutes, and keeps in its folder the corpus, what was found, and the figures."""

import hashlib
import json
import os
import re
import subprocess
import sys
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass
from pathlib import Path

from fuzz import native, targets
from fuzz.native import Native
from fuzz.target import Target, examine

TESTS = Path(__file__).parents[1]
SEEDS = Path(__file__).parent / "seeds"
_MOST_STARTS = 10
"""A target that ends the process so often need not run on."""
_TELL_S = 30.0
_LIBFUZZER = (
    *("-timeout=600", "-rss_limit_mb=4096", "-report_slow_units=100000", "-print_final_stats=0"),
    "-verbosity=1",
)
_STATE = re.compile(rb"^#(\d+)\s+\w+ +cov: (\d+)", re.MULTILINE)
_DONE = re.compile(rb"^Done (\d+) runs in (\d+) second", re.MULTILINE)
_WORD = re.compile(rb"[A-Za-z_][A-Za-z0-9_.@-]{2,24}")
_MOST_WORDS = 300


@dataclass(frozen=True, slots=True)
class Record:
    """What a target's runs came to, all of them together."""

    target: str
    inputs: int
    seconds: float
    edges: int
    """Of the code, as libFuzzer saw them in the last run."""
    seed: int
    """Of the last run."""


def load(folder: Path, name: str) -> Record:
    """Return the record of a target, one of nothing if it never ran."""
    try:
        return Record(**json.loads((folder / name / "record.json").read_text("utf-8")))
    except FileNotFoundError:
        return Record(name, 0, 0.0, 0, 0)


def findings(folder: Path, name: str) -> list[Path]:
    """Return the inputs that were found for a target."""
    place = folder / name / "findings"
    return sorted(place.iterdir()) if place.is_dir() else []


def run(
    target: Target | Native, folder: Path, minutes: float, seed: int, say: Callable[[str], None]
) -> tuple[Record, str]:
    """Fuzz one target; what an earlier run has left in its folder is taken up.

    Returns its record, and what went wrong other than by an input.

    Args:
        target: what to run.
        folder: holds a folder for each target.
        minutes: how long.
        seed: of libFuzzer.
        say: told now and then how far it is.
    """
    home = folder / target.name
    for part in ("corpus", "findings"):
        (home / part).mkdir(parents=True, exist_ok=True)
    command = [*_command(target, home), *_options(target, home, seed)]
    fuzzed, ran, code, said = 0.0, 0, 0, "there were no minutes to run"
    for start in range(_MOST_STARTS):
        left = minutes * 60 - fuzzed
        if left < 1:
            break
        log = home / f"log-{start}.txt"
        begin = time.monotonic()
        code = _watch([*command, f"-max_total_time={int(left)}", str(home / "corpus")], log, target.name, say)
        inputs, seconds, edges = _figures(log.read_bytes())
        # One that was ended by what it found does not say how long it ran.
        fuzzed += seconds or time.monotonic() - begin
        ran += inputs
        said = _last_line(log)
        before = load(folder, target.name)
        record = Record(
            target.name,
            before.inputs + inputs,
            before.seconds + (seconds or time.monotonic() - begin),
            edges or before.edges,
            seed,
        )
        (home / "record.json").write_text(json.dumps(asdict(record), indent=2) + "\n", "utf-8")
        if code == 0:
            break
    record = load(folder, target.name)
    if ran and (code == 0 or findings(folder, target.name)):
        return record, ""
    return record, f"{ran} inputs ran, exit code {code}; {said}"


def _last_line(log: Path) -> str:
    lines = [line.strip() for line in log.read_text("utf-8", "replace").splitlines() if line.strip()]
    return f"{log} ends with: {lines[-1] if lines else 'nothing'}"


def replay(target: Target | Native, paths: list[Path], folder: Path) -> bool:
    """Run single inputs, say what is wrong with them, and return whether nothing is."""
    if isinstance(target, Native):
        folder.mkdir(parents=True, exist_ok=True)
        program = native.compile_replay(target, folder / f"replay-{target.name}")
        return subprocess.run([program, *paths], check=False).returncode == 0
    good = True
    for path in paths:
        found = examine(target, path.read_bytes())
        good = good and found is None
        print(f"{path}: {'nothing wrong' if found is None else found.said}")
    return good


def _command(target: Target | Native, home: Path) -> list[str]:
    if isinstance(target, Native):
        return [str(native.compile_fuzzer(target, home / "fuzzer"))]
    return [sys.executable, "-m", "fuzz.drive", target.name, str(home / "findings")]


def _options(target: Target | Native, home: Path, seed: int) -> list[str]:
    """Return libFuzzer's options; the words of sound texts are a dictionary."""
    options = [*_LIBFUZZER, f"-seed={seed}", f"-max_len={target.max_bytes}"]
    options.append(f"-artifact_prefix={home / 'findings'}{os.sep}")
    seeds = [*target.seeds(), *(path.read_bytes() for path in kept(target.name))]
    for content in seeds:
        (home / "corpus" / hashlib.sha256(content).hexdigest()[:16]).write_bytes(content)
    texts = [content for content in seeds if b"\0" not in content]
    words = sorted({word for text in texts for word in _WORD.findall(text)})[:_MOST_WORDS]
    if words:
        (home / "words.txt").write_bytes(b"".join(b'"%s"\n' % word for word in words))
        options.append(f"-dict={home / 'words.txt'}")
    return options


def kept(name: str) -> list[Path]:
    """Return the inputs that the suite replays for a target: what was once found, and other odd ones."""
    place = SEEDS / name
    return sorted(place.iterdir()) if place.is_dir() else []


def _watch(command: list[str], log: Path, name: str, say: Callable[[str], None]) -> int:
    """Run to the end, and say now and then how far it is."""
    with log.open("wb") as file:
        running = subprocess.Popen(command, cwd=TESTS, stdout=file, stderr=subprocess.STDOUT)
    try:
        while True:
            try:
                return running.wait(_TELL_S)
            except subprocess.TimeoutExpired:
                inputs, _, edges = _figures(log.read_bytes())
                say(f"{name}: {inputs:,} inputs so far, {edges} edges")
    finally:
        running.kill()
        running.wait()


def _figures(log: bytes) -> tuple[int, float, int]:
    """Return the inputs that libFuzzer has run, its seconds if it has ended, and the edges it has seen."""
    states, done = _STATE.findall(log), _DONE.findall(log)
    inputs, edges = map(int, states[-1]) if states else (0, 0)
    if done:
        inputs, seconds = map(int, done[-1])
        return inputs, seconds, edges
    return inputs, 0.0, edges


def table(folder: Path) -> str:
    """Return the rows of docs/reference/fuzzing.md, from what the runs have recorded."""
    rows = []
    for name, target in targets.ALL.items():
        record = load(folder, name)
        found = sum(path.name.startswith("found-") for path in kept(name))
        rows.append(
            f"| `{name}` | {target.feeds} | {record.inputs:,} | {record.seconds / 60:.0f} | {found} |"
        )
    return "\n".join(rows)
