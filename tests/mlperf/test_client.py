"""The host's side: against real firmware, and against peers that do not do what they should."""

import socket
import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from mlperf.boards import CASES, firmware

from edgekit import board
from edgekit.device.mlperf_tiny import MAX_REPLY_BYTES, Inference, MlperfDevice, Replies
from edgekit.device.transport import LineBrokenError, SocketTransport
from edgekit.errors import DeviceError, UsageError
from edgekit.live.protocols import mlperf_tiny

HOST = board.load("host")
BOOT = b"m-timestamp-mode-performance\r\nm-lap-us-17\r\nm-init-done\r\nm-ready\r\n"
NAME = b"m-name-dut-[someone]\r\nm-ready\r\n"
PROFILE = b"m-profile-[ULPMark for tinyML Firmware V0.0.1]\r\nm-model-[ic01]\r\nm-ready\r\n"
GREETING = [(b"name", NAME), (b"profile", PROFILE)]


def test_replies_in_pieces_of_any_size() -> None:
    said = BOOT + NAME + b"m-ready\r\n" + PROFILE
    for size in range(1, len(said) + 1):
        replies = Replies()
        for start in range(0, len(said), size):
            replies.feed(said[start : start + size])
        assert replies.take() == ("m-timestamp-mode-performance", "m-lap-us-17", "m-init-done")
        assert replies.take() == ("m-name-dut-[someone]",)
        assert replies.take() == ()
        assert replies.take() == ("m-profile-[ULPMark for tinyML Firmware V0.0.1]", "m-model-[ic01]")
        assert replies.take() is None
        assert replies.unfinished == ()


def test_line_ends_and_noise_of_others() -> None:
    replies = Replies()
    replies.feed(b"\x00\xff\xfem-name-dut-[x]\nm-ready\n\0m-ready\r\nlost m-ready\r\n")
    assert replies.take() == ("m-name-dut-[x]",)
    assert replies.take() == ()
    assert replies.take() == ("lost ",)


@given(st.lists(st.binary(max_size=60), max_size=20))
def test_any_bytes_can_come(parts: list[bytes]) -> None:
    replies = Replies()
    for part in parts:
        replies.feed(part)
    replies.feed(b"\r\nm-ready\r\n")
    found = [reply for reply in iter(replies.take, None) if reply is not None]
    assert found


def test_a_reply_without_end_is_given_up() -> None:
    replies = Replies()
    with pytest.raises(DeviceError, match="without 'm-ready'"):
        for _ in range(MAX_REPLY_BYTES // 1000 + 2):
            replies.feed(b"x" * 1000)


@contextmanager
def peer(script: Sequence[tuple[bytes, bytes]], first: bytes = b"") -> Iterator[SocketTransport]:
    """Yield the line to a device that answers the commands it knows, in their order; others not at all."""
    ours, theirs = socket.socketpair()

    def serve() -> None:
        left, got = list(script), b""
        theirs.sendall(first)
        while data := theirs.recv(4096):
            got += data
            while b"%" in got:
                command, _, got = got.partition(b"%")
                if left and left[0][0] == command:
                    theirs.sendall(left.pop(0)[1])

    thread = threading.Thread(target=serve)
    thread.start()
    try:
        yield SocketTransport(ours, "peer")
    finally:
        ours.close()
        thread.join()
        theirs.close()


def opened(line: SocketTransport, timeout_s: float = 30.0) -> MlperfDevice:
    return MlperfDevice.open(line, timeout_s=timeout_s)


def test_a_device_that_is_ready() -> None:
    with peer(GREETING) as line, opened(line) as device:
        assert (device.vendor, device.model) == ("someone", "ic01")
        assert device.firmware == "ULPMark for tinyML Firmware V0.0.1"


@pytest.mark.parametrize(
    ("first", "script"),
    [
        pytest.param(BOOT, GREETING, id="the banner before the answer"),
        pytest.param(BOOT[20:], GREETING, id="half a banner"),
        pytest.param(b"\0\xff\x80", GREETING, id="noise"),
        pytest.param(b"", [(b"name", BOOT), *GREETING], id="booting when it is asked"),
        pytest.param(
            b"", [(b"name", b"e-[Unknown command: xname]\r\nm-ready\r\n"), *GREETING], id="half a command"
        ),
        pytest.param(b"", [(b"name", NAME), (b"profile", NAME + NAME + PROFILE)], id="late answers"),
    ],
)
def test_what_may_come_before_the_answer(first: bytes, script: list[tuple[bytes, bytes]]) -> None:
    script = [*script, (b"timestamp", b"m-lap-us-5\r\nm-ready\r\n")]
    with peer(script, first) as line, opened(line) as device:
        assert device.timestamp() == 5


def test_nobody_answers() -> None:
    with (
        peer([]) as line,
        pytest.raises(DeviceError, match=r"no answer from peer to 'name'.*expected 'm-ready'"),
    ):
        opened(line, 0.3)
    with (
        peer([(b"name", NAME)], b"hello\r\n") as line,
        pytest.raises(DeviceError, match="no answer from peer to 'profile'"),
    ):
        opened(line, 0.3)


INFER = b"m-warmup-start-0\r\nm-warmup-done\r\nm-infer-start-2\r\n"
INFER += b"m-lap-us-%s\r\nm-lap-us-%s\r\nm-infer-done\r\n%s"
SCORES = b"m-results-[0.100,0.900,-1.5]\r\nm-ready\r\n"


def infer(device: MlperfDevice) -> Inference:
    return device.infer(2, 0)


def test_an_answer_and_a_clock_of_32_bits() -> None:
    script = [*GREETING, (b"infer 2 0", INFER % (b"4294967290", b"10", SCORES)), (b"results", SCORES)]
    with peer(script) as line, opened(line) as device:
        found = device.infer(2, 0)
        assert found == Inference((0.1, 0.9, -1.5), 16, 2)
        assert found.index == 1
        assert device.results() == found.scores


@pytest.mark.parametrize(
    ("command", "answer", "call", "message"),
    [
        (b"infer 2 0", b"e-[Inference ...]\r\nm-ready\r\n", infer, r"'infer 2 0' with e-\[Inference"),
        (b"infer 2 0", SCORES, infer, "expected two lines 'm-lap-us-...'"),
        (b"infer 2 0", INFER % (b"1", b"x", SCORES), infer, "expected 'm-lap-us-' and a decimal number"),
        (b"infer 2 0", INFER % (b"1", b"2", b"m-ready\r\n"), infer, "expected 'm-results-"),
        (b"infer 2 0", INFER % (b"1", b"2", b"m-results-[]\r\nm-ready\r\n"), infer, "expected 'm-results-"),
        (
            b"infer 2 0",
            INFER % (b"1", b"2", b"m-results-[nan]\r\nm-ready\r\n"),
            infer,
            "expected 'm-results-",
        ),
        (b"infer 2 0", BOOT, infer, "restarted during 'infer 2 0'"),
        (
            b"timestamp",
            b"m-ready\r\n",
            MlperfDevice.timestamp,
            r"'timestamp': expected 'm-lap-us-.*got nothing",
        ),
        (
            b"db load 4",
            b"Supplied buffer size 4 exceeds maximum of 3\r\nm-ready\r\n",
            lambda device: device.load(b"1234"),
            "expected .*Expecting 4 bytes.*got 'Supplied buffer size 4 exceeds maximum of 3'",
        ),
        (b"db load 4", b"m-[Expec", lambda device: device.load(b"1234"), "no answer .*'db load 4'"),
    ],
)
def test_wrong_answers(
    command: bytes, answer: bytes, call: Callable[[MlperfDevice], object], message: str
) -> None:
    with peer([*GREETING, (command, answer)]) as line, opened(line, 1.0) as device:
        with pytest.raises(DeviceError, match=message) as caught:
            call(device)
        assert caught.value.exit_code == 10


def test_a_load_that_is_never_done() -> None:
    script = [
        *GREETING,
        (b"db load 2", b"m-[Expecting 2 bytes]\r\nm-ready\r\n"),
        (b"db 6162", b"m-ready\r\n"),
    ]
    with (
        peer(script) as line,
        opened(line) as device,
        pytest.raises(DeviceError, match="expected 'm-load-done'"),
    ):
        device.load(b"ab")


def test_a_line_that_breaks() -> None:
    ours, theirs = socket.socketpair()
    theirs.close()
    with pytest.raises(LineBrokenError):
        opened(SocketTransport(ours, "peer"))


def test_firmware_is_measured(tmp_path: Path) -> None:
    case = CASES["pixels"]()
    image = firmware(case, tmp_path, "host")
    frames = np.random.default_rng(9).integers(0, 256, (7, 8, 8, 3), dtype=np.uint8)
    with mlperf_tiny.open_device(HOST, image=image, timeout_s=60) as device:
        assert (device.vendor, device.model) == ("edgekit", "ic01")
        found = list(mlperf_tiny.answers(device, frames, 3))
        assert [answer.inference.scores for answer in found] == [
            tuple(map(float, case.scores(frame.tobytes()))) for frame in frames
        ]
        measured = mlperf_tiny.performance(device, frames, 3, 4)
        assert (len(measured.invoke_per_file), measured.iterations) == (5, 4)
        assert measured.invoke_median == sorted(measured.invoke_per_file)[2]
        with pytest.raises(DeviceError, match="expected 10 scores, but the device's 'ic01' sent 3"):
            list(mlperf_tiny.answers(device, frames, 10))
        with pytest.raises(UsageError, match="no frames"):
            mlperf_tiny.performance(device, [], 3, 4)


def test_firmware_of_the_other_protocol_is_named(tmp_path: Path) -> None:
    from edgekit import connection

    image = firmware(CASES["pixels"](), tmp_path, "host")
    with (
        pytest.raises(UsageError, match="speaks the protocol 'mlperf_tiny', not 'edgekit'"),
        connection.open_device(HOST, image=image),
    ):
        pass


def test_inputs_that_are_known_without_a_model() -> None:
    assert mlperf_tiny.contract_of("ic01").input_shape == (1, 32, 32, 3)
    assert mlperf_tiny.contract_of("vww01").labels == ("0", "1")
    with pytest.raises(UsageError, match="'kws01'"):
        mlperf_tiny.contract_of("kws01")
