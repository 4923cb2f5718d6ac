"""Files are written whole or not at all, and folders can be kept for one process."""

import os
import stat
import subprocess
import sys
from pathlib import Path

import pytest

from edgekit.errors import OutputError
from edgekit.files import check_writable, locked, write_whole


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
