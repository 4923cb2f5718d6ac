"""Temporary folders: each its own process's, never removed while that lives, and never left for good."""

import ast
import os
import shutil
import signal
import stat
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest
import small_models

from edgekit import board, models, pipeline, scratch
from edgekit.errors import OutputError

PACKAGE = Path(__file__).parents[2] / "edgekit"


@pytest.fixture
def root(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """Return the folder in which temporary ones are made, here and by other processes."""
    path = tmp_path / "temporary"
    path.mkdir()
    monkeypatch.setenv("TMPDIR", str(path))
    monkeypatch.setattr(tempfile, "tempdir", None)
    scratch._remove_dead.cache_clear()
    yield path
    scratch._remove_dead.cache_clear()


def python(program: str, **options: object) -> "subprocess.Popen[str]":
    return subprocess.Popen(
        [sys.executable, "-c", program], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, **options
    )  # type: ignore[call-overload, no-any-return]


HOLDING = """
import os, signal, sys
from edgekit import scratch
with scratch.folder() as folder:
    (folder / "content").write_text("x")
    (folder / "link").symlink_to("../../outside")
    print(folder, flush=True)
    sys.stdin.readline()
"""


def test_a_folder_is_private_and_goes_away(root: Path) -> None:
    with pytest.raises(ZeroDivisionError), scratch.folder() as folder:
        assert folder.parent == root
        assert stat.S_IMODE(folder.stat().st_mode) == 0o700
        (folder / "inner").mkdir()
        1 / 0  # noqa: B018
    assert list(root.iterdir()) == []


def test_what_a_killed_run_left_is_removed_and_what_a_live_one_uses_is_not(root: Path) -> None:
    outside = root.parent / "outside"
    outside.mkdir()
    (outside / "precious").touch()
    dead, alive = python(HOLDING), python(HOLDING)
    assert dead.stdout is not None
    assert alive.stdout is not None
    left, used = Path(dead.stdout.readline().strip()), Path(alive.stdout.readline().strip())
    dead.kill()
    dead.communicate()
    assert left.is_dir()
    with scratch.folder():
        assert not left.exists()
        assert (used / "content").is_file()
    alive.communicate("\n")
    assert alive.returncode == 0
    assert list(root.iterdir()) == []
    assert (outside / "precious").exists()


def test_what_is_not_ours_stays(root: Path) -> None:
    outside = root.parent / "outside"
    outside.mkdir()
    (outside / "precious").touch()
    (root / f"{scratch.PREFIX}link").symlink_to(outside)
    (root / f"{scratch.PREFIX}file").touch()
    (root / "edgekit-else").mkdir()
    kept = {f"{scratch.PREFIX}link", f"{scratch.PREFIX}file", "edgekit-else"}
    if os.geteuid() == 0:
        stranger = root / f"{scratch.PREFIX}stranger"
        stranger.mkdir()
        os.chown(stranger, 54321, -1)
        kept.add(stranger.name)
    os.mkfifo(root / f"{scratch.PREFIX}pipe")
    with scratch.folder():
        pass
    assert {path.name for path in root.iterdir()} == kept | {f"{scratch.PREFIX}pipe"}
    assert (outside / "precious").exists()


def test_a_folder_that_was_taken_for_a_dead_ones_is_made_again(
    root: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    real, made = tempfile.mkdtemp, []

    def make(**options: str) -> str:
        made.append(real(**options))
        if len(made) <= 2:
            Path(made[-1]).rmdir()
        return made[-1]

    monkeypatch.setattr(tempfile, "mkdtemp", make)
    with scratch.folder() as folder:
        assert folder.is_dir()
        assert len(made) == 3


def test_many_processes_that_clean_all_the_time_keep_each_others_folders(root: Path) -> None:
    program = """
from edgekit import scratch
for number in range(150):
    scratch._remove_dead.cache_clear()
    with scratch.folder() as folder:
        (folder / "a").write_text("a")
        with scratch.folder() as second:
            (second / "b").write_text("b")
            assert (folder / "a").read_text() == "a"
        assert folder.is_dir()
"""
    running = [python(program) for _ in range(4)]
    assert [process.wait(120) for process in running] == [0] * 4
    assert list(root.iterdir()) == []


def test_no_room_is_said(root: Path) -> None:
    program = "from edgekit import scratch\nwith scratch.folder(): pass"
    script = f"ulimit -f 0 && exec '{sys.executable}' -c '{program}'"
    done = subprocess.run(["bash", "-c", script], capture_output=True, text=True, check=False)
    assert "OutputError: cannot make temporary files" in done.stderr


def test_a_folder_that_only_other_programs_take_for_writable_is_not_theirs(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    # To root, /proc looks writable, and a compiler that is left with it finds out too late.
    monkeypatch.setenv("TMPDIR", "/proc")
    monkeypatch.setenv("EDGEKIT_CACHE", str(tmp_path / "cache"))
    monkeypatch.setattr(tempfile, "tempdir", None)
    (tmp_path / "m.tflite").write_bytes(small_models.classifier())
    image = pipeline.build_image(models.load_model(tmp_path / "m.tflite"), board.load("host"))
    assert image.path.is_file()


CROWDED = """
mount -t tmpfs -o size=48k tmpfs '{root}' || exit 77
head -c 30000 /dev/zero > '{root}/ballast'
cd '{work}' && exec '{python}' -m edgekit build fw
"""


def test_a_full_folder_is_no_missing_compiler(root: Path, tmp_path: Path) -> None:
    (tmp_path / "m.tflite").write_bytes(small_models.classifier())
    pipeline.generate_project(models.load_model(tmp_path / "m.tflite"), board.load("host"), tmp_path / "fw")
    script = CROWDED.format(root=root, work=tmp_path, python=sys.executable)
    command = ["unshare", "--user", "--map-root-user", "--mount", "bash", "-c", script]
    if shutil.which("unshare") is None:
        pytest.skip("there is no unshare")
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode in (1, 77) and "edgekit" not in done.stderr and "error:" not in done.stderr:
        pytest.skip("this machine mounts nothing for a user")
    assert done.returncode == 7, done.stderr
    assert "cannot make temporary files" in done.stderr
    assert "No space left" in done.stderr
    assert "compiler" not in done.stderr


KILLER = """#!/bin/sh
case "$*" in *obj/*)
    touch "$TMPDIR/ccLEFT.s"
    kill -9 $PPID
    exit 1
esac
exec cc "$@"
"""


def test_what_compilers_of_a_killed_build_left_is_removed(
    root: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    if shutil.which("cc") is None:
        pytest.skip("there is no cc")
    (tmp_path / "m.tflite").write_bytes(small_models.classifier())
    project = tmp_path / "fw"
    pipeline.generate_project(models.load_model(tmp_path / "m.tflite"), board.load("host"), project)
    killer = tmp_path / "killer"
    killer.write_text(KILLER)
    killer.chmod(0o755)
    command = [sys.executable, "-m", "edgekit", "build", project]
    done = subprocess.run(
        [*command, "--compiler", killer], capture_output=True, check=False, stdin=subprocess.DEVNULL
    )
    assert done.returncode == -signal.SIGKILL
    (left,) = root.iterdir()
    assert (left / "ccLEFT.s").is_file()
    subprocess.run([*command, "--compiler", "cc"], capture_output=True, check=True)
    assert list(root.iterdir()) == []


# Whose temporary files are in another module's folder.
OTHERS = {"convert/to_keras.py", "tflite_micro.py"}
MAKING = ("TemporaryDirectory", "mkdtemp", "mkstemp", "NamedTemporaryFile")


def test_nobody_else_makes_temporary_folders() -> None:
    found = set()
    for path in sorted(PACKAGE.rglob("*.py")):
        for node in ast.walk(ast.parse(path.read_text("utf-8"))):
            if isinstance(node, ast.Call) and ast.unparse(node.func).endswith(MAKING):
                found.add(path.relative_to(PACKAGE).as_posix())
    assert found - OTHERS == {"scratch.py"}


def test_no_room_for_what_another_program_writes(root: Path) -> None:
    scratch.check_room()
    root.rmdir()
    with pytest.raises(OutputError, match="cannot make temporary files"):
        scratch.check_room()
