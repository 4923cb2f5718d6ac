"""The client over real sockets and terminals, to the device code as a process of its own."""

import errno
import itertools
import os
import socket
import subprocess
import threading
import tty
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pytest
import serial
from link_simulator.device import compile_device, expected_scores
from numpy.typing import NDArray

from edgekit import contract, resources
from edgekit.board import Serial
from edgekit.device.client import Device
from edgekit.device.events import Note, NoteKind
from edgekit.device.hello import Unit
from edgekit.device.transport import LineBrokenError, SocketTransport, Transport, _port_error, open_port
from edgekit.errors import ContractMismatchError, DeviceError, PortError, UsageError

SERIAL = Serial(usb_ids=(), baud=115200, dtr=False, rts=False)
CONTRACT = contract.Contract(
    input_shape=(1, 1, 1024, 3),
    input_scale=1.0,
    input_zero_point=0,
    output_shape=(1, 8),
    output_scale=1.0,
    output_zero_point=0,
    labels=tuple("abcdefgh"),
    oracle="",
)


def frames(count: int, seed: int = 1) -> NDArray[np.uint8]:
    return np.random.default_rng(seed).integers(0, 256, (count, 1, 1024, 3), dtype=np.uint8)


class Board:
    """Starts the device's program on a socket pair each time it is switched on."""

    def __init__(self, program: Path) -> None:
        self.program = program
        self.processes: list[subprocess.Popen[bytes]] = []

    def __call__(self) -> SocketTransport:
        ours, theirs = socket.socketpair()
        with theirs:
            process = subprocess.Popen([self.program], stdin=theirs.fileno(), stdout=theirs.fileno())
        self.processes.append(process)
        return SocketTransport(ours, "the test's board")

    def kill(self) -> None:
        self.processes[-1].kill()

    def stop(self) -> None:
        for process in self.processes:
            process.kill()
            process.wait()


@pytest.fixture
def board(program: Path) -> Iterator[Board]:
    board = Board(program)
    yield board
    board.stop()


@pytest.fixture
def terminal(program: Path) -> Iterator[str]:
    """The path of a pseudo-terminal that the device serves."""
    with subprocess.Popen([program, "--pty"], stdout=subprocess.PIPE) as process:
        assert process.stdout is not None
        yield process.stdout.readline().decode().strip()
        process.kill()


def test_streams_in_order_with_times(board: Board) -> None:
    images = frames(300)
    with Device.open(board) as device:
        assert device.hello.unit is Unit.MICROSECONDS
        predictions = list(device.stream(images))
        assert device.statistics.frames == 300
        assert device.statistics.retransmissions == 0
    assert [p.seq for p in predictions] == list(range(300))
    for image, prediction in zip(images, predictions, strict=True):
        assert prediction.scores.tobytes() == expected_scores(image.tobytes())
        assert prediction.index == int(prediction.scores.argmax())
        assert prediction.label == str(prediction.index)
        assert prediction.link_s >= 0
    assert board.processes[0].wait(10) == 0  # the line is closed: power off


def test_takes_tensors_too(board: Board) -> None:
    image = frames(1)[0]
    with Device.open(board) as device:
        assert device.classify(image.view(np.int8)).scores.tobytes() == expected_scores(
            image.tobytes(), pixels=False
        )


def test_labels_come_from_the_contract(board: Board) -> None:
    with Device.open(board) as device:
        with pytest.raises(ContractMismatchError, match="contract digest is 040506"):
            device.check(CONTRACT)
        device._labels = CONTRACT.labels
        prediction = device.classify(frames(1)[0])
        assert prediction.label == "abcdefgh"[prediction.index]


def test_another_model_is_refused_and_the_port_let_go(board: Board) -> None:
    with pytest.raises(ContractMismatchError, match=r"model digest is 010203000000... on the device, ffff"):
        Device.open(board, model_digest="f" * 64)
    assert board.processes[0].wait(10) == 0


@pytest.mark.parametrize("image", [np.zeros((1, 1024, 3), np.float32), np.zeros((1024, 3), np.uint8)])
def test_frames_of_another_kind_are_refused(board: Board, image: NDArray[np.generic]) -> None:
    with Device.open(board) as device, pytest.raises(UsageError, match=r"takes \[1, 1024, 3\] of uint8"):
        device.classify(image)


def test_a_stream_left_early_does_not_disturb_the_next(board: Board) -> None:
    images = frames(10)
    with Device.open(board) as device:
        for _ in itertools.islice(device.stream(images), 3):
            pass
        for image, prediction in zip(images, device.stream(images), strict=True):
            assert prediction.scores.tobytes() == expected_scores(image.tobytes())


def test_a_device_that_dies_is_started_again_and_the_run_completes(board: Board) -> None:
    images = frames(200)
    notes: list[Note] = []
    with Device.open(board, on_note=notes.append) as device:
        for number, (image, prediction) in enumerate(zip(images, device.stream(images), strict=True)):
            assert prediction.scores.tobytes() == expected_scores(image.tobytes())
            if number in (20, 100):
                board.kill()
        assert device.statistics.reconnections == 2
    assert [note.kind for note in notes] == [NoteKind.RECONNECTED] * 2
    assert "the test's board" in notes[0].text


def test_a_line_that_cannot_be_opened_again_is_an_error(board: Board) -> None:
    with Device.open(board()) as device:
        device.classify(frames(1)[0])
        board.kill()
        with pytest.raises(LineBrokenError, match="the test's board"):
            list(device.stream(frames(50)))


def test_a_line_that_never_comes_back_is_an_error(board: Board) -> None:
    lines: Iterator[Callable[[], Transport]] = itertools.chain([board], itertools.repeat(absent))
    with Device.open(lambda: next(lines)(), timeout_s=2.0) as device:
        board.kill()
        with pytest.raises(PortError, match="unplugged"):
            device.classify(frames(1)[0])


def absent() -> Transport:
    raise PortError("unplugged")


def test_a_line_that_breaks_again_and_again_is_an_error() -> None:
    def broken() -> SocketTransport:
        ours, theirs = socket.socketpair()
        theirs.close()
        return SocketTransport(ours)

    with pytest.raises(LineBrokenError):
        Device.open(broken, timeout_s=0.5)


def test_a_silent_device_is_an_error() -> None:
    ours, theirs = socket.socketpair()
    said = r"silent for 0\.3 s: \d+ hello requests were sent, nothing"
    with theirs, pytest.raises(DeviceError, match=said):
        Device.open(SocketTransport(ours), timeout_s=0.3)
    assert ours.fileno() == -1


def test_trace_needs_a_debug_build(board: Board, tmp_path: Path) -> None:
    with Device.open(board) as device, pytest.raises(DeviceError, match="keeps no trace"):
        device.trace()
    host = resources.firmware_templates() / "host"
    debug = compile_device(
        tmp_path / "debug",
        defines={"EK_TRACE": 1},
        options=("-O1",),
        port=[host / "port.c", host / "main.c"],
    )
    board.program = debug
    with Device.open(board) as device:
        with pytest.raises(DeviceError, match="no trace to show"):
            device.trace()
        device.classify(frames(1)[0])
        assert len(device.trace()) == 2


def test_a_caller_slower_than_the_timeout_loses_nothing(board: Board) -> None:
    images = frames(6)
    waiting = threading.Event()
    # The program must start within the timeout, also on a busy machine.
    with Device.open(board, timeout_s=2.0) as device:
        for number, (image, prediction) in enumerate(zip(images, device.stream(images), strict=True)):
            assert prediction.scores.tobytes() == expected_scores(image.tobytes())
            if number in (0, 3):
                waiting.wait(2.1)


def test_serial_terminal(terminal: str) -> None:
    images = frames(50)
    with Device.open(terminal, serial=SERIAL) as device:
        for image, prediction in zip(images, device.stream(images), strict=True):
            assert prediction.scores.tobytes() == expected_scores(image.tobytes())


def test_an_interrupt_leaves_the_port_clean(terminal: str) -> None:
    def interrupted() -> Iterator[NDArray[np.uint8]]:
        yield from frames(5)
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt), Device.open(terminal, serial=SERIAL) as device:
        list(device.stream(interrupted()))
    image = frames(1, seed=9)[0]
    with Device.open(terminal, serial=SERIAL) as device:
        assert device.classify(image).scores.tobytes() == expected_scores(image.tobytes())


def test_a_port_in_use_is_busy(terminal: str) -> None:
    with Device.open(terminal, serial=SERIAL), pytest.raises(PortError, match="in use by another program"):
        Device.open(terminal, serial=SERIAL)


@pytest.mark.parametrize(
    ("port", "message"),
    [
        ("/dev/edgekit-nothing", "there is no port '/dev/edgekit-nothing'"),
        ("socket://127.0.0.1", "names no host and port"),
        ("socket://[::1", "is no address"),
        ("nonsense://x", "cannot be opened"),
        ("/dev/null", "cannot be opened"),
    ],
)
def test_ports_that_cannot_be_opened(port: str, message: str) -> None:
    with pytest.raises(PortError, match=message):
        Device.open(port)


def test_a_refused_connection() -> None:
    with socket.socket() as unused:
        unused.bind(("127.0.0.1", 0))
        with pytest.raises(PortError, match="cannot connect to socket://127"):
            Device.open(f"socket://127.0.0.1:{unused.getsockname()[1]}")


def test_a_port_without_permission() -> None:
    error = _port_error("/dev/ttyUSB0", serial.SerialException(errno.EACCES, "Permission denied"))
    assert "no permission" in error.message
    assert "dialout" in error.hint


def test_tcp(program: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]

        def serve() -> None:
            line, _ = server.accept()
            with line, subprocess.Popen([program], stdin=line.fileno(), stdout=line.fileno()):
                pass

        thread = threading.Thread(target=serve, daemon=True)
        thread.start()
        image = frames(1)[0]
        with Device.open(f"socket://127.0.0.1:{port}") as device:
            assert device.classify(image).scores.tobytes() == expected_scores(image.tobytes())
        thread.join(10)
        assert not thread.is_alive()


def test_pyserial_urls_and_echoes() -> None:
    with pytest.raises(DeviceError, match="no packet of this protocol"):
        Device.open("loop://", serial=SERIAL, timeout_s=0.4)


def test_reads_while_it_writes() -> None:
    """A peer that will not read before it is read from: with blocking writes both would wait for ever."""
    ours, theirs = socket.socketpair()
    theirs.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, 4096)
    sent = os.urandom(1 << 20)
    peer = threading.Thread(target=lambda: theirs.sendall(sent) or theirs.recv(1), daemon=True)
    peer.start()
    line = SocketTransport(ours)
    backlog, received = b"x" * (1 << 20), b""
    while len(received) < len(sent):
        written, data = line.exchange(backlog, 10.0)
        backlog, received = backlog[written:], received + data
    assert received == sent
    peer.join(10)
    line.close()
    line.close()
    theirs.close()
    with pytest.raises(LineBrokenError):
        line.exchange(b"", 0.0)


def test_serial_port_that_disappears(program: Path) -> None:
    with subprocess.Popen([program, "--pty"], stdout=subprocess.PIPE) as process:
        assert process.stdout is not None
        line = open_port(process.stdout.readline().decode().strip(), SERIAL)
        process.kill()
        process.wait()
        with pytest.raises(LineBrokenError):
            for _ in range(100):
                line.exchange(b"", 0.1)
        line.close()


def test_a_port_behind_a_url_that_takes_no_bytes_breaks(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("edgekit.device.transport._WRITE_S", 0.2)
    primary, replica = os.openpty()
    tty.setraw(replica)
    try:
        line = open_port(f"spy://{os.ttyname(replica)}?file={os.devnull}", SERIAL)
        with pytest.raises(LineBrokenError, match="Write timeout"):
            for _ in range(1000):
                line.exchange(bytes(512), 0.01)
        line.close()
    finally:
        os.close(primary)
        os.close(replica)


@pytest.mark.parametrize("wait_s", [1e9, 1e300, float("inf")])
def test_a_wait_of_any_length(wait_s: float) -> None:
    ours, theirs = socket.socketpair()
    with theirs:
        theirs.send(b"x")
        line = SocketTransport(ours)
        assert line.exchange(b"", wait_s) == (0, b"x")
        line.close()
