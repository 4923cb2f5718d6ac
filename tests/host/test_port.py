"""The host's port, compiled with a small application in place of the protocol."""

import os
import select
import signal
import socket
import subprocess
import sys
import threading
import time
from dataclasses import replace
from pathlib import Path

import pytest

from edgekit import emulator, process, resources, toolchain
from edgekit.board import Board, load
from edgekit.emulator import RunningBoard
from edgekit.errors import ToolError, UsageError
from edgekit.firmware.build import LANGUAGE, WARNINGS
from edgekit.firmware.image import FirmwareImage

SANITIZE = ("-fsanitize=address,undefined", "-fno-sanitize-recover=all", "-g")
DEADLINE_S = 60.0


@pytest.fixture(scope="module")
def board() -> Board:
    return load("host")


@pytest.fixture(scope="module")
def image(tmp_path_factory: pytest.TempPathFactory) -> FirmwareImage:
    folder = tmp_path_factory.mktemp("port")
    templates = resources.firmware_templates()
    compiler = toolchain.find("host", ("cc", "gcc", "clang"))
    process.run(
        [
            *(*compiler.command, *LANGUAGE, *WARNINGS, *SANITIZE, "-O1"),
            *(f"-I{templates / name}" for name in ("host", "app")),
            *(str(templates / "host" / name) for name in ("main.c", "port.c")),
            *(str(Path(__file__).parent / "echo_app.c"), "-o", str(folder / "firmware")),
        ]
    )
    return FirmwareImage(
        path=folder / "firmware",
        board_id="host",
        model_digest="0" * 64,
        contract_digest="0" * 64,
        project_digest="0" * 64,
        sha256="0" * 64,
        size_bytes=1,
        compiler=compiler.version,
        debug=False,
    )


def receive(line: socket.socket, size: int) -> bytes:
    line.settimeout(DEADLINE_S)
    found = b""
    while len(found) < size:
        part = line.recv(65536)
        assert part, f"the line ended after {len(found)} of {size} bytes"
        found += part
    return found


def wait_until_gone(pid: int) -> None:
    """Wait for the end of a process that is not a child of this one."""
    handle = os.pidfd_open(pid)
    try:
        ready, _, _ = select.select([handle], [], [], DEADLINE_S)
        assert ready, f"process {pid} is still there after {DEADLINE_S:g} s"
    finally:
        os.close(handle)


def test_bytes_of_all_values_go_both_ways(image: FirmwareImage, board: Board) -> None:
    with emulator.start(image, board) as line:
        line.sendall(b"e" + bytes(range(256)) * 3)
        assert receive(line, 768) == bytes(range(256)) * 3


def test_reads_do_not_wait_for_more_than_there_is(image: FirmwareImage, board: Board) -> None:
    with emulator.start(image, board) as line:
        line.sendall(b"e")
        for byte in b"one at a time":
            line.sendall(bytes([byte]))
            assert receive(line, 1) == bytes([byte])


def test_a_peer_that_writes_all_before_it_reads_does_not_deadlock(image: FirmwareImage, board: Board) -> None:
    # The answers (4 x 200 kB) are more than any socket holds, and nobody reads them until all is sent.
    # The port must go on taking bytes while its own write waits.
    sent = bytes(range(200)) * 1000
    with emulator.start(image, board) as line:
        line.settimeout(DEADLINE_S)
        line.sendall(b"m" + sent)
        assert receive(line, 4 * len(sent)) == b"".join(bytes([b]) * 4 for b in sent)


def test_both_ends_write_without_end_at_the_same_time(image: FirmwareImage, board: Board) -> None:
    sent = os.urandom(4_000_000)
    with emulator.start(image, board) as line:
        writer = threading.Thread(target=line.sendall, args=(b"e" + sent,))
        writer.start()
        assert receive(line, len(sent)) == sent
        writer.join(DEADLINE_S)


def test_the_end_of_the_line_is_power_off(image: FirmwareImage, board: Board) -> None:
    with RunningBoard(image, board) as running:
        line = running.connect()
        assert running.exit_code() is None
        line.sendall(b"e" + b"x" * 100_000)
    assert running.exit_code() == 0, running.last_words()


def test_what_came_before_the_end_is_answered(image: FirmwareImage) -> None:
    done = subprocess.run(
        [image.path], input=b"m" + b"abc" * 100_000, capture_output=True, timeout=DEADLINE_S, check=True
    )
    assert len(done.stdout) == 1_200_000
    assert done.stderr == b""


def test_a_closed_reader_ends_the_firmware_in_order(image: FirmwareImage, board: Board) -> None:
    with RunningBoard(image, board) as running:
        line = running.connect()
        line.sendall(b"m" + b"x" * 100_000)
        line.close()
    assert running.exit_code() == 0, running.last_words()


def test_connecting_again_is_a_fresh_board(image: FirmwareImage, board: Board) -> None:
    with RunningBoard(image, board) as running:
        first = running.connect()
        first.sendall(b"mx")
        assert receive(first, 4) == b"xxxx"
        second = running.connect()
        assert first.fileno() == -1
        second.sendall(b"ex")  # the 'm' of the first run is forgotten
        assert receive(second, 1) == b"x"


def test_the_firmware_dies_with_a_parent_that_is_killed(image: FirmwareImage, tmp_path: Path) -> None:
    script = f"""
import sys, time
from dataclasses import replace
from pathlib import Path
from edgekit.board import load
from edgekit.emulator import RunningBoard
from edgekit.firmware.image import FirmwareImage
z = "0" * 64
image = FirmwareImage(Path({str(image.path)!r}), "host", z, z, z, z, 1, "", False)
running = RunningBoard(image, load("host"))
line = running.connect()
line.sendall(b"ex")
assert line.recv(1) == b"x"
print(running.pid, flush=True)
sys.stdin.read()
"""
    parent = subprocess.Popen(
        [sys.executable, "-c", script], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    )
    assert parent.stdout is not None
    pid = int(parent.stdout.readline())
    os.kill(pid, 0)
    parent.kill()
    parent.wait(DEADLINE_S)
    wait_until_gone(pid)
    parent.stdout.close()
    assert parent.stdin is not None
    parent.stdin.close()


def test_ctrl_c_of_the_user_does_not_reach_the_firmware(image: FirmwareImage, board: Board) -> None:
    with RunningBoard(image, board) as running:
        line = running.connect()
        assert running.pid is not None
        assert os.getpgid(running.pid) != os.getpgid(0)
        line.sendall(b"ex")
        assert receive(line, 1) == b"x"


def test_last_words_and_exit_code_of_a_crash(image: FirmwareImage, board: Board, tmp_path: Path) -> None:
    crash = tmp_path / "firmware"
    crash.write_text("#!/bin/sh\necho first >&2\necho the reason >&2\nexit 3\n")
    crash.chmod(0o755)
    broken = FirmwareImage(crash, "host", "", "", "", "", 1, "", False)
    with RunningBoard(broken, board) as running:
        line = running.connect()
        line.settimeout(DEADLINE_S)
        assert line.recv(1) == b""
    assert running.exit_code() == 3
    assert running.last_words() == "first\nthe reason"


def test_a_firmware_that_does_not_see_its_line_end_is_killed(
    board: Board, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(emulator, "_ORDERLY_S", 0.2)
    stuck = tmp_path / "firmware"
    stuck.write_text("#!/bin/sh\nprintf x\nexec sleep 600\n")
    stuck.chmod(0o755)
    with RunningBoard(FirmwareImage(stuck, "host", "", "", "", "", 1, "", False), board) as running:
        line = running.connect()
        assert receive(line, 1) == b"x"
    assert running.exit_code() == -signal.SIGKILL


def test_an_image_that_cannot_run_is_a_tool_error(board: Board, tmp_path: Path) -> None:
    absent = FirmwareImage(tmp_path / "absent", "host", "", "", "", "", 1, "", False)
    with RunningBoard(absent, board) as running, pytest.raises(ToolError, match="No such file"):
        running.connect()


def test_an_image_of_another_board_is_refused(image: FirmwareImage, board: Board) -> None:
    other = FirmwareImage(image.path, "other", "", "", "", "", 1, "", False)
    with pytest.raises(ToolError, match="built for the board 'other'"):
        RunningBoard(other, board)


def test_a_board_without_an_emulator_is_refused(image: FirmwareImage, board: Board) -> None:
    with pytest.raises(UsageError, match="not a virtual one"):
        RunningBoard(image, replace(board, emulator=None))


class TestPty:
    @staticmethod
    def opened(path: str) -> int:
        return os.open(path, os.O_RDWR | os.O_NOCTTY)

    @staticmethod
    def read(handle: int, size: int) -> bytes:
        found = b""
        end = time.monotonic() + DEADLINE_S
        while len(found) < size:
            ready, _, _ = select.select([handle], [], [], max(0.0, end - time.monotonic()))
            assert ready, f"{len(found)} of {size} bytes came"
            found += os.read(handle, 65536)
        return found

    def test_is_raw_and_survives_clients(self, image: FirmwareImage) -> None:
        everything = bytes(range(256))
        running = subprocess.Popen([image.path, "--pty"], stdin=subprocess.DEVNULL, stdout=subprocess.PIPE)
        assert running.stdout is not None
        try:
            path = running.stdout.readline().decode().strip()
            for start in (b"e", b""):  # the second client meets the same run
                handle = self.opened(path)
                os.write(handle, start + everything)
                assert self.read(handle, 256) == everything
                os.close(handle)
        finally:
            running.terminate()
            running.stdout.close()
            assert running.wait(DEADLINE_S) == -signal.SIGTERM

    def test_wrong_arguments_show_the_usage(self, image: FirmwareImage) -> None:
        done = subprocess.run([image.path, "--help"], capture_output=True, timeout=DEADLINE_S)
        assert done.returncode == 2
        assert b"usage: firmware [--pty]" in done.stderr
