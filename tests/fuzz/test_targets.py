"""Every target takes its seeds, what was once found, and changed inputs; the page of them is current."""

import os
import random
import re
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import documents
import pytest

from edgekit.errors import EdgekitError
from fuzz import changes, native, run, targets
from fuzz.target import Findings, Target

CHANGED = 200


def test_changed_inputs_end_in_nothing_but_an_edgekit_error() -> None:
    """What was once found is among them; a process of its own, because its memory is limited."""
    done = subprocess.run(
        [sys.executable, "-m", "fuzz.smoke", str(CHANGED)],
        cwd=run.TESTS,
        capture_output=True,
        text=True,
        timeout=550,
    )
    assert done.returncode == 0, done.stdout[-3000:] + done.stderr[-3000:]
    assert done.stdout.split() == [word for name in targets.PYTHON for word in (f"{name}:", "done")]


@pytest.mark.parametrize("name", targets.PYTHON)
def test_the_first_seed_is_sound(name: str) -> None:
    """What reads it goes all the way: fuzzing does not begin at an error."""
    target = targets.PYTHON[name]
    target.run(next(iter(target.seeds())))


@pytest.mark.parametrize("name", targets.NATIVE)
def test_native_targets(name: str, tmp_path: Path) -> None:
    target = targets.NATIVE[name]
    rng = random.Random(name)
    seeds = [*target.seeds(), *(path.read_bytes() for path in run.kept(name))]
    inputs = [*seeds, *(changes.raw(rng.choice(seeds), rng) for _ in range(CHANGED))]
    for number, data in enumerate(inputs):
        (tmp_path / f"{number:03}").write_bytes(data)
    program = native.compile_replay(target, tmp_path / "replay")
    files = sorted(tmp_path.glob("[0-9]*"))
    done = subprocess.run([program, *files], capture_output=True, text=True, timeout=120, check=False)
    assert done.returncode == 0, done.stderr


def raising(error: BaseException) -> Callable[[bytes], None]:
    def refuse(_: bytes) -> None:
        raise error

    return refuse


def fault(error: BaseException) -> Target:
    return Target("faulty", "nothing", raising(error), list)


def test_what_is_no_error_of_ours_is_found_once(tmp_path: Path) -> None:
    findings = Findings(tmp_path)
    findings.take(fault(EdgekitError("known")), b"1")
    assert not list(tmp_path.iterdir())
    for data in (b"2", b"3"):
        findings.take(fault(KeyError("x")), data)
    findings.take(fault(EdgekitError("")), b"4")
    findings.take(fault(SystemExit(0)), b"5")
    kept = {path.name.partition("-")[0]: path.read_bytes() for path in tmp_path.iterdir()}
    assert kept == {"KeyError": b"2", "without": b"4", "SystemExit": b"5"}
    Findings(tmp_path).take(fault(KeyError("x")), b"6")
    assert len(list(tmp_path.iterdir())) == 3


def test_a_short_run(tmp_path: Path) -> None:
    """The runner starts libFuzzer, records what it did, and fails as long as something is found."""
    pytest.importorskip("atheris")
    command = [sys.executable, "-m", "fuzz", "--target", "counts", "--out", str(tmp_path)]
    (tmp_path / "counts" / "findings").mkdir(parents=True)
    open_one = tmp_path / "counts" / "findings" / "KeyError-x-1-00000000"
    open_one.write_bytes(b"1 2")
    done = subprocess.run(
        [*command, "--minutes", "0.02", "--seed", "1"], cwd=run.TESTS, capture_output=True, text=True
    )
    assert done.returncode == 1, done.stdout + done.stderr
    assert f"{sys.executable} -m fuzz --target counts --replay {open_one}" in done.stdout
    record = run.load(tmp_path, "counts")
    assert record.seed == 1
    assert record.inputs > 10
    assert record.edges > 1
    assert 0 < record.seconds < 100
    again = subprocess.run([*command, "--replay", str(open_one)], cwd=run.TESTS, capture_output=True)
    assert again.returncode == 0  # it is none any more
    assert f"| `counts` | what QEMU's plugin has counted | {record.inputs:,} |" in run.table(tmp_path)


def test_a_target_that_does_not_run_is_a_failure(tmp_path: Path) -> None:
    (tmp_path / "atheris.py").write_text("raise ImportError('no atheris here')\n")
    command = [sys.executable, "-m", "fuzz", "--target", "counts", "--out", str(tmp_path / "out")]
    for minutes, said in (("0.02", "ImportError: no atheris here"), ("0", "no minutes to run")):
        done = subprocess.run(
            [*command, "--minutes", minutes],
            cwd=run.TESTS,
            env={**os.environ, "PYTHONPATH": f"{tmp_path}:{documents.ROOT}"},
            capture_output=True,
            text=True,
        )
        assert done.returncode == 1, done.stdout + done.stderr
        assert "counts: failed: 0 inputs ran" in done.stdout
        assert said in done.stdout


def test_wrong_command_lines_are_refused() -> None:
    for arguments in (["--target", "nothing"], ["--replay", "x"]):
        done = subprocess.run([sys.executable, "-m", "fuzz", *arguments], cwd=run.TESTS, capture_output=True)
        assert done.returncode == 2


def test_the_page_has_these_targets() -> None:
    page = (documents.ROOT / "docs" / "reference" / "fuzzing.md").read_text("utf-8")
    rows = re.findall(r"^\| `(\w+)` \| (.*?) \| [0-9,]+ \| [0-9]+ \| ([0-9]+) \|$", page, re.MULTILINE)
    found = {name: sum(path.name.startswith("found-") for path in run.kept(name)) for name in targets.ALL}
    assert rows == [(name, target.feeds, str(found[name])) for name, target in targets.ALL.items()]


def test_every_folder_of_seeds_has_a_target() -> None:
    assert {path.name for path in run.SEEDS.iterdir()} <= set(targets.ALL)


def test_the_readme_counts_the_targets() -> None:
    assert f"| [{len(targets.ALL)} readers of untrusted bytes]" in (documents.ROOT / "README.md").read_text(
        "utf-8"
    )
