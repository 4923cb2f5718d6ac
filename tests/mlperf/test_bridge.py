"""A virtual board behind a pseudo-terminal, opened by a program that knows nothing of edgekit."""

import os
import signal
import socket
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import cast

import pytest
import serial
from mlperf.boards import BOARDS, CASES, DEADLINE_S, SANITIZE, firmware

from edgekit import board
from edgekit.emulator import RunningBoard, bridge
from edgekit.errors import DeviceError, EdgekitError


@contextmanager
def served(running: RunningBoard, *, boot: bridge.Boot = lambda _: None) -> Iterator[str]:
    """Serve a board at a path, in a thread; in the end, turn it off behind the bridge's back."""
    with bridge.terminal() as (path, primary):
        errors: list[EdgekitError] = []

        def work() -> None:
            try:
                bridge.serve_terminal(running, primary, boot=boot)
            except EdgekitError as error:
                errors.append(error)

        thread = threading.Thread(target=work)
        thread.start()
        try:
            yield path
        finally:
            pid = running.pid
            assert pid is not None
            os.kill(pid, signal.SIGKILL)
            thread.join(DEADLINE_S)
            assert not thread.is_alive()
            assert errors, "the bridge did not say that the board has ended"


def boot(line: socket.socket) -> None:
    assert bridge.skip_boot(line, DEADLINE_S).startswith(b"m-timestamp-mode-performance\r\n")


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
    image = firmware(case, tmp_path, board_id, cflags=SANITIZE if board_id == "host" else ())
    frames = [bytes([value]) * 192 for value in range(0, 250, 50)]
    with RunningBoard(image, board.load(board_id)) as running, served(running, boot=boot) as path:
        runner = Runner(path)
        # No boot message stands between a command and its answer, however early it is sent.
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
    assert running.last_words() == ""


def test_one_program_after_the_other(tmp_path: Path) -> None:
    image = firmware(CASES["pixels"](), tmp_path, "host")
    with RunningBoard(image, board.load("host")) as running, served(running, boot=boot) as path:
        for _ in range(3):
            runner = Runner(path)
            assert runner.command("name")[0] == "m-name-dut-[edgekit]"
            runner.port.close()


class Line:
    """In place of a board: its line is ours to use, and it ends with it."""

    def __init__(self, line: socket.socket) -> None:
        self._line = line

    def connect(self) -> socket.socket:
        return self._line

    def close(self) -> None:
        self._line.close()

    def check(self) -> None:
        pass


def test_all_bytes_pass_both_ways_as_they_are_and_a_slow_reader_holds_the_sender_back() -> None:
    data = bytes(range(256)) * 2000
    ours, theirs = socket.socketpair()
    with bridge.terminal() as (path, primary):

        def work() -> None:
            with pytest.raises(DeviceError, match="ended"):
                bridge.serve_terminal(cast(RunningBoard, Line(ours)), primary)

        thread = threading.Thread(target=work)
        thread.start()
        port = serial.Serial(path, 115200, timeout=DEADLINE_S)

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
        port.reset_input_buffer()
        theirs.close()
        while thread.is_alive():
            port.reset_input_buffer()
            thread.join(0.05)
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
