"""Files are written whole or not at all, and folders can be kept for one process."""

import ast
import os
import signal
import socket
import stat
import subprocess
import sys
from pathlib import Path

import pytest

from edgekit import files
from edgekit.errors import OutputError
from edgekit.files import TEMPORARY, check_writable, locked, open_regular, read_regular, write_whole
from edgekit.firmware import manifest, project
from edgekit.firmware.options import PLAIN


def test_writes_and_replaces_with_ordinary_permissions(tmp_path: Path) -> None:
    path = tmp_path / "new" / "folder" / "file"
    write_whole(path, b"one")
    write_whole(path, b"two")
    assert path.read_bytes() == b"two"
    mask = os.umask(0)
    os.umask(mask)
    assert stat.S_IMODE(path.stat().st_mode) == 0o666 & ~mask
    assert [p.name for p in path.parent.iterdir()] == ["file"]


def test_what_cannot_be_written_leaves_nothing(tmp_path: Path) -> None:
    (tmp_path / "taken").mkdir()
    with pytest.raises(OutputError, match=r"cannot write '.*taken'"):
        write_whole(tmp_path / "taken", b"x")
    assert [p.name for p in tmp_path.iterdir()] == ["taken"]
    (tmp_path / "file").write_bytes(b"")
    with pytest.raises(OutputError, match="cannot write"):
        write_whole(tmp_path / "file" / "below", b"x")


def test_a_pipe_is_written_to_and_not_replaced(tmp_path: Path) -> None:
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)
    reader = os.open(pipe, os.O_RDONLY | os.O_NONBLOCK)
    check_writable(pipe)
    write_whole(pipe, b"through")
    assert os.read(reader, 100) == b"through"
    os.close(reader)
    assert pipe.is_fifo()


def test_a_pipe_that_nobody_reads_is_an_error(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe")
    with pytest.raises(OutputError, match="nobody reads that pipe"):
        write_whole(tmp_path / "pipe", b"lost")


@pytest.mark.parametrize("name", ["pipe", "socket", "/dev/zero", "/dev/null", "folder", "absent", "a\0b"])
def test_only_regular_files_are_opened(tmp_path: Path, name: str) -> None:
    os.mkfifo(tmp_path / "pipe")
    (tmp_path / "folder").mkdir()
    with socket.socket(socket.AF_UNIX) as listening:
        listening.bind(str(tmp_path / "socket"))
        with pytest.raises(OSError, match=r"pipe or a device|directory|null") as caught:
            open_regular(tmp_path / name)
    assert caught.value.strerror
    if "\0" not in name:
        (tmp_path / "link").symlink_to(name)
        with pytest.raises(OSError, match=r"pipe or a device|directory|No such"):
            open_regular(tmp_path / "link")


def test_files_larger_than_wanted_are_not_read(tmp_path: Path) -> None:
    with (tmp_path / "sparse").open("wb") as file:
        file.truncate(1 << 40)
    with pytest.raises(OSError, match="larger than 1,024 bytes"):
        read_regular(tmp_path / "sparse", 1024)
    (tmp_path / "small").write_bytes(b"x" * 1024)
    assert read_regular(tmp_path / "small", 1024) == b"x" * 1024


def test_a_private_file_stays_private_at_every_moment(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "file"
    seen: list[int] = []
    real = os.fsync

    def spy(handle: int) -> None:
        if stat.S_ISREG(os.fstat(handle).st_mode):
            seen.append(stat.S_IMODE(os.fstat(handle).st_mode))
        real(handle)

    monkeypatch.setattr(os, "fsync", spy)
    for mode in (0o600, 0o640, 0o604, 0o444):
        path.unlink(missing_ok=True)
        path.write_bytes(b"secret")
        path.chmod(mode)
        write_whole(path, b"new secret")
        assert stat.S_IMODE(path.stat().st_mode) == mode
        assert seen.pop() == mode
    before = os.umask(0o077)
    try:
        write_whole(tmp_path / "fresh", b"x")
    finally:
        os.umask(before)
    assert stat.S_IMODE((tmp_path / "fresh").stat().st_mode) == 0o600
    assert seen.pop() == 0o600


@pytest.mark.skipif(not hasattr(os, "geteuid") or os.geteuid() != 0, reason="only root can give files away")
def test_a_group_that_is_not_ours_does_not_lose_its_file_to_ours(tmp_path: Path) -> None:
    path = tmp_path / "file"
    path.write_bytes(b"secret")
    os.chown(path, -1, 54321)
    path.chmod(0o640)
    write_whole(path, b"new")
    assert (path.stat().st_gid, stat.S_IMODE(path.stat().st_mode)) == (54321, 0o640)
    # The same as another user, who is not in that group.
    tmp_path.chmod(0o777)
    program = f"""
import os, sys
from pathlib import Path
from edgekit.files import write_whole
os.setgroups([]); os.setgid(65534); os.setuid(65534)
write_whole(Path({str(path)!r}), b"newer")
"""
    for folder in tmp_path.parents:  # one more of them where tests run side by side
        if "pytest-of-" in str(folder):
            folder.chmod(0o755)
    subprocess.run([sys.executable, "-c", program], check=True)
    assert (path.read_bytes(), stat.S_IMODE(path.stat().st_mode)) == (b"newer", 0o600)


def test_a_durable_file_is_on_the_disk_before_its_name_and_its_folders_after(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "new" / "folder" / "file"
    synced: list[tuple[str, bool]] = []
    real = os.fsync

    def spy(handle: int) -> None:
        synced.append((os.path.realpath(f"/proc/self/fd/{handle}"), path.exists()))
        real(handle)

    monkeypatch.setattr(os, "fsync", spy)
    write_whole(path, b"one")
    (first, there), *rest = synced
    assert Path(first).parent == path.parent
    assert not there, "the content must be on the disk before the name is"
    assert {(Path(name), there) for name, there in rest} == {
        (path.parent, True),
        (path.parent.parent, True),
        (tmp_path, True),
    }
    synced.clear()
    write_whole(path, b"two", durable=False)
    assert synced == []


def test_a_name_as_long_as_names_may_be_can_be_written(tmp_path: Path) -> None:
    write_whole(tmp_path / ("ü" * 127 + "x"), b"x")


def test_what_is_there_without_a_name_of_its_own_is_nobodys_file(tmp_path: Path) -> None:
    """Whoever is killed between a file's content and its name leaves it behind."""
    program = f"""
import os, signal
from pathlib import Path
from edgekit import files
Path.replace = lambda *_: os.kill(os.getpid(), signal.SIGKILL)
files.write_whole(Path({str(tmp_path / "edgekit.json")!r}), b"half a project")
"""
    killed = subprocess.run([sys.executable, "-c", program], check=False)
    assert killed.returncode == -signal.SIGKILL
    (left,) = tmp_path.iterdir()
    assert left.name.startswith(TEMPORARY)
    made = project.FirmwareProject(
        *("host", "0" * 64, "0" * 64, PLAIN),
        files={"main.c": b"int x;"},
        kernels={},
        manifest=manifest.to_json({"files": {"main.c": "0" * 64}}),
    )
    project.write(made, tmp_path)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["edgekit.json", "main.c"]


def test_a_link_is_followed(tmp_path: Path) -> None:
    (tmp_path / "link").symlink_to(tmp_path / "folder" / "file")
    write_whole(tmp_path / "link", b"x")
    assert (tmp_path / "link").is_symlink()
    assert (tmp_path / "folder" / "file").read_bytes() == b"x"


def test_asking_whether_a_path_can_be_written_makes_nothing(tmp_path: Path) -> None:
    check_writable(tmp_path / "new" / "folder" / "file")
    assert list(tmp_path.iterdir()) == []
    (tmp_path / "file").touch()
    with pytest.raises(OutputError, match="cannot write"):
        check_writable(tmp_path / "file" / "below")
    with pytest.raises(OutputError, match="it is a folder"):
        check_writable(tmp_path)


def test_a_locked_folder_keeps_others_waiting(tmp_path: Path) -> None:
    script = f"""
from pathlib import Path
from edgekit.files import locked
print("trying", flush=True)
with locked(Path({str(tmp_path)!r})):
    print("in", (Path({str(tmp_path)!r}) / "done").exists(), flush=True)
"""
    with locked(tmp_path):
        other = subprocess.Popen([sys.executable, "-c", script], stdout=subprocess.PIPE, text=True)
        assert other.stdout is not None
        assert other.stdout.readline() == "trying\n"
        (tmp_path / "done").touch()
    assert other.stdout.readline() == "in True\n"
    assert other.wait(60) == 0
    other.stdout.close()


def test_a_lock_that_is_never_given_up_is_an_error(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(files, "_LOCK_S", 0.3)
    monkeypatch.setattr(files, "_PATIENCE_S", 0.1)
    script = f"import fcntl, os, sys\nfcntl.flock(os.open({str(tmp_path)!r}, os.O_RDONLY), fcntl.LOCK_EX)\n"
    command = [sys.executable, "-c", script + "print('locked', flush=True)\nsys.stdin.read()"]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as other:
        assert other.stdout is not None
        assert other.stdout.readline() == "locked\n"
        with pytest.raises(OutputError, match=r"has kept .* locked for 0\.3 s") as caught, locked(tmp_path):
            pass
        other.kill()
    assert str(tmp_path) in caught.value.message
    assert caplog.text.count("waiting for another process") == 1
    with locked(tmp_path):
        pass


def test_a_lock_ends_with_an_exception_and_leaves_nothing(tmp_path: Path) -> None:
    folder = tmp_path / "made"
    with pytest.raises(ZeroDivisionError), locked(folder):
        raise ZeroDivisionError
    with locked(folder):
        assert list(folder.iterdir()) == []


def test_a_folder_that_is_a_file_cannot_be_locked(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(OutputError), locked(tmp_path / "file"):
        pass


PACKAGE = Path(__file__).parents[2] / "edgekit"
# Who opens files otherwise than by `open_regular`: what comes with edgekit, and what it has just made itself.
OWN_FILES = {
    "codegen/tflm.py",
    "data/digits.py",
    "convert/export_torch.py",
    "convert/from_torch.py",
    "emulator/batch.py",
    "emulator/counter.py",
    "files.py",
    "firmware/project.py",
    "flash/_volumes.py",
    "install.py",
}
OPENING = {"read_bytes", "read_text", "fromfile", "memmap", "loadtxt", "genfromtxt"}


def test_what_comes_from_elsewhere_is_opened_by_open_regular() -> None:
    found = set()
    for path in sorted(PACKAGE.rglob("*.py")):
        for node in ast.walk(ast.parse(path.read_text("utf-8"))):
            if not isinstance(node, ast.Call):
                continue
            name = ast.unparse(node.func).removeprefix("tflite.read_bytes").rpartition(".")[2]
            modes = [a.value for a in node.args if isinstance(a, ast.Constant) and isinstance(a.value, str)]
            by_mode = name == "open" and any(mode in ("r", "rb", "rt") for mode in modes)
            of_path = name == "ZipFile" and isinstance(node.args[0], ast.Name) and node.args[0].id == "path"
            by_name = name in OPENING and isinstance(node.func, ast.Attribute)
            if by_name or by_mode or of_path:
                found.add(path.relative_to(PACKAGE).as_posix())
    assert found == OWN_FILES
