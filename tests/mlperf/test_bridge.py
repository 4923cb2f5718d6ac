"""A virtual board behind a pseudo-terminal, opened by a program that knows nothing of edgekit."""

import os
import socket
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import pytest
import serial
from mlperf.boards import BOARDS, CASES, DEADLINE_S, SANITIZE, firmware

from edgekit import board
from edgekit.device import bridge
from edgekit.device.bridge import End
from edgekit.emulator import RunningBoard
from edgekit.errors import DeviceError


@dataclass(slots=True)
class Joined:
    """A bridge at work in a thread: the path of its terminal, and how it ended."""

    path: str
    end: End | None = None


@contextmanager
def joined(line: socket.socket, *, keep: bool = False) -> Iterator[Joined]:
    with bridge.open_terminal(keep=keep) as terminal:
        found = Joined(terminal.path)

        def work() -> None:
            found.end = bridge.join(line, terminal)

        thread = threading.Thread(target=work)
        thread.start()
        try:
            yield found
        finally:
            try:
                thread.join(DEADLINE_S if found.end is None and not keep else 0)
                if keep:
                    line.shutdown(socket.SHUT_RDWR)
                    thread.join(DEADLINE_S)
            finally:
                assert not thread.is_alive()


class Runner:
    """Speaks as the benchmark's runner does: one command, then lines until one has `m-ready`."""

    def __init__(self, path: str) -> None:
        self.port = serial.Serial(path, 115200, timeout=DEADLINE_S)

    def command(self, text: str) -> list[str]:
        self.port.write(text.encode())
        self.port.write(b"%")
        lines: list[str] = []
        while not lines or "m-ready" not in lines[-1]:
            line = self.port.readline()
            assert line.endswith(b"\r\n"), f"'{text}': {lines}, {line!r}"
            lines.append(line.decode().strip("\r\n"))
        return lines

    def load(self, data: bytes) -> list[str]:
        self.command(f"db load {len(data)}")
        said: list[str] = []
        for start in range(0, len(data), 31):
            said = self.command(f"db {data[start : start + 31].hex()}")
        return said


@pytest.mark.parametrize("board_id", BOARDS)
def test_the_runners_conversation(board_id: str, tmp_path: Path) -> None:
    case = CASES["pixels"]()
    cflags = SANITIZE if board_id == "host" else ()
    image = firmware(case, tmp_path, board_id, cflags=cflags)
    frames = [bytes([value]) * 192 for value in range(0, 250, 50)]
    with RunningBoard(image, board.load(board_id)) as running:
        line = running.connect()
        boot = bridge.skip_boot(line, DEADLINE_S)
        assert boot.startswith(b"m-timestamp-mode-performance\r\n")
        with joined(line) as found:
            runner = Runner(found.path)
            # No boot message stands between a command and its answer.
            assert runner.command("name") == ["m-name-dut-[edgekit]", "m-ready"]
            assert runner.command("profile")[1] == "m-model-[ic01]"
            for frame in frames:
                assert runner.load(frame) == ["m-load-done", "m-ready"]
                said = runner.command("infer 3 2")
                assert f"m-results-[{','.join(case.scores(frame))}]" in said
                laps = [int(text.removeprefix("m-lap-us-")) for text in said if "m-lap-us-" in text]
                assert len(laps) == 2
                assert laps[1] > laps[0]
            runner.port.timeout = 0
            assert runner.port.read(1) == b"", "something was sent after m-ready"
            runner.port.close()
        assert found.end is End.TERMINAL
    assert (running.exit_code(), running.last_words()) == (0, "")


def test_one_program_after_the_other(tmp_path: Path) -> None:
    with RunningBoard(firmware(CASES["pixels"](), tmp_path, "host"), board.load("host")) as running:
        line = running.connect()
        bridge.skip_boot(line, DEADLINE_S)
        with joined(line, keep=True) as found:
            for _ in range(3):
                runner = Runner(found.path)
                assert runner.command("name")[0] == "m-name-dut-[edgekit]"
                runner.port.close()
        assert found.end is End.LINE


def test_the_firmware_ends(tmp_path: Path) -> None:
    with RunningBoard(firmware(CASES["pixels"](), tmp_path, "host"), board.load("host")) as running:
        line = running.connect()
        bridge.skip_boot(line, DEADLINE_S)
        with joined(line) as found:
            runner = Runner(found.path)
            runner.command("name")
            pid = running.pid
            assert pid is not None
            os.kill(pid, 9)
        assert found.end is End.LINE
        runner.port.close()


def test_what_is_said_before_anyone_listens_waits() -> None:
    ours, theirs = socket.socketpair()
    with theirs, ours, joined(ours) as found:
        theirs.sendall(b"hello\r\n")
        handle = os.open(found.path, os.O_RDWR | os.O_NOCTTY)
        assert os.read(handle, 100) == b"hello\r\n"
        os.close(handle)
    assert found.end is End.TERMINAL


def test_all_bytes_pass_both_ways_as_they_are_and_a_slow_reader_holds_the_sender_back() -> None:
    data = bytes(range(256)) * 2000
    ours, theirs = socket.socketpair()
    with theirs, ours, joined(ours) as found:
        port = serial.Serial(found.path, 115200, timeout=DEADLINE_S)

        def each(send: Callable[[bytes], object], receive: Callable[[int], bytes]) -> None:
            writer = threading.Thread(target=send, args=(data,))
            writer.start()
            got = b""
            while len(got) < len(data):
                part = receive(len(data) - len(got))
                assert part
                got += part
            writer.join()
            assert got == data

        each(theirs.sendall, port.read)
        each(port.write, theirs.recv)
        # Nobody reads: what is on its way stays bounded, so the sender comes to a stop.
        theirs.setblocking(False)
        with pytest.raises(BlockingIOError):
            for _ in range(1000):
                theirs.sendall(bytes(65536))
        port.close()


def test_a_board_that_does_not_boot_or_says_something_else() -> None:
    ours, theirs = socket.socketpair()
    with ours, theirs:
        theirs.sendall(b"something else\r\n")
        with pytest.raises(DeviceError, match=r"expected 'm-ready' within 0\.2 s, got .*something else"):
            bridge.skip_boot(ours, 0.2)
        theirs.sendall(b"x" * 70000)
        with pytest.raises(DeviceError, match="did not boot"):
            bridge.skip_boot(ours, DEADLINE_S)
        theirs.close()
        with pytest.raises(DeviceError, match="did not boot"):
            bridge.skip_boot(ours, DEADLINE_S)
