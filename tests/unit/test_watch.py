"""What is asked of a device's camera, and what is made of its answers: without a device."""

import math

import pytest

from edgekit.device import frame as wire
from edgekit.device.frame import ErrorCode, Fault, Picture, Seen
from edgekit.device.watch import Watch, failure
from edgekit.errors import DeviceError

ASK = wire.encode_watch_request(16, 1)


def watch(frame_bytes: int = 6) -> Watch:
    return Watch(1, frame_bytes, 2, 10.0)


def seen(seq: int) -> Seen:
    return Seen(seq, 1, 2, 3, b"ab")


def test_asks_once_and_again_when_half_has_come() -> None:
    asked = watch()
    assert asked.bytes_to_send(10.0) == ASK
    assert asked.bytes_to_send(10.5) == b""
    for seq in range(7):
        asked.take(seen(seq), 10.5)
        assert asked.bytes_to_send(10.5) == b""
    asked.take(seen(7), 10.5)
    assert asked.ask_at == 10.5
    assert asked.bytes_to_send(10.5) == ASK
    assert asked.bytes_to_send(10.5) == b""
    assert [sight.seen.seq for sight in asked.take_sights()] == list(range(8))
    assert asked.take_sights() == []


def test_asks_again_when_nothing_comes() -> None:
    asked = watch()
    asked.bytes_to_send(10.0)
    assert asked.bytes_to_send(10.9) == b""
    assert asked.bytes_to_send(11.0) == ASK
    asked.take(seen(0), 11.5)
    assert asked.ask_at == 12.5


def test_a_slow_board_is_asked_less_and_less_often() -> None:
    asked, now, requests = watch(), 10.0, []
    while now < 100.0:
        if asked.bytes_to_send(now):
            requests.append(now)
        now += 0.5
    assert requests == [10.0, 11.0, 13.0, 17.0, 25.0, 41.0, 73.0]
    assert asked.requests == 7
    asked.take(seen(0), 100.0)
    assert asked.requests == 0
    assert asked.ask_at == 101.0


def test_a_caller_who_does_not_look_is_sent_no_more() -> None:
    asked = watch()
    for seq in range(16):
        asked.bytes_to_send(10.0)
        asked.take(seen(seq), 10.0)
    assert asked.ask_at == math.inf
    assert asked.bytes_to_send(1e9) == b""
    for seq in range(16, 1000):
        asked.take(seen(seq), 10.0)
    assert [sight.seen.seq for sight in asked.take_sights()] == list(range(936, 1000))
    assert asked.bytes_to_send(10.0) == ASK


@pytest.mark.parametrize("piece", [b"", b"a", b"abcdef", b"abcdefghij"])
def test_pictures_without_end(piece: bytes) -> None:
    asked = watch()
    for seq in range(9):  # some predictions may be lost
        asked.take(Picture(seq, 0, b"abcdef"), 10.0)
    asked.take(seen(9), 10.0)
    with pytest.raises(DeviceError, match="no prediction comes with them"):
        for _ in range(97):
            asked.take(Picture(9, 0, piece), 10.0)


def test_asks_at_once_after_a_restart() -> None:
    asked = watch()
    asked.bytes_to_send(10.0)
    asked.start_over(10.2)
    assert asked.bytes_to_send(10.2) == ASK


def test_a_prediction_that_the_line_doubles_counts_once() -> None:
    asked = watch()
    for seq in (0, 0, 1, 1, 1, 2):
        asked.take(seen(seq), 10.0)
    assert [sight.seen.seq for sight in asked.take_sights()] == [0, 1, 2]
    asked.start_over(11.0)
    asked.take(seen(2), 11.0)
    assert [sight.seen.seq for sight in asked.take_sights()] == [2]


def test_puts_a_frame_together() -> None:
    asked = watch()
    asked.take(Picture(3, 0, b"abcd"), 10.0)
    asked.take(Picture(3, 4, b"ef"), 10.0)
    asked.take(seen(3), 10.0)
    asked.take(seen(4), 11.0)
    assert [(sight.frame, sight.arrived_at) for sight in asked.take_sights()] == [
        (b"abcdef", 10.0),
        (None, 11.0),
    ]


@pytest.mark.parametrize(
    "pieces",
    [
        [(3, 0, b"abcd")],
        [(3, 4, b"ef")],
        [(3, 0, b"abcd"), (3, 2, b"cdef")],
        [(2, 0, b"abcd"), (3, 4, b"ef")],
        [(3, 0, b"abcd"), (3, 4, b"efg")],
        [(3, 0, b"abcdefg")],
        [(3, 0, b"abcd"), (3, 0xFFFFFFFF, b""), (3, 4, b"ef")],
        [(4, 0, b"abcdef")],
    ],
)
def test_a_frame_that_is_not_whole_is_none(pieces: list[tuple[int, int, bytes]]) -> None:
    asked = watch()
    for piece in pieces:
        asked.take(Picture(*piece), 10.0)
    asked.take(seen(3), 10.0)
    assert [sight.frame for sight in asked.take_sights()] == [None]


def test_scores_of_another_model() -> None:
    with pytest.raises(DeviceError, match="3 scores for a model with 2"):
        watch().take(Seen(0, 1, 2, 3, b"abc"), 10.0)


@pytest.mark.parametrize(
    ("code", "reason", "said"),
    [
        (ErrorCode.NO_CAMERA, 0, "without its camera"),
        (ErrorCode.CAMERA_FAILED, 0, "does not answer"),
        (ErrorCode.CAMERA_FAILED, 1, "smaller than the model's frames"),
        (ErrorCode.CAMERA_FAILED, 77, "reason 77"),
    ],
)
def test_failures_say_what_they_mean(code: ErrorCode, reason: int, said: str) -> None:
    found = failure(Fault(0, reason, code))
    assert found is not None
    assert said in found.message
    assert failure(Fault(0, reason, ErrorCode.CONFLICT)) is None


@pytest.mark.parametrize("packet", [seen(0xFFFFFFFF), Picture(1, 2, b"xyz"), Picture(1, 2, b"a")])
def test_packets_are_read_as_they_are_written(packet: Seen | Picture) -> None:
    if isinstance(packet, Seen):
        body = b"\x86" + packet.seq.to_bytes(4, "little")
        for ticks in (packet.capture_ticks, packet.preprocess_ticks, packet.invoke_ticks):
            body += ticks.to_bytes(8, "little")
        body += len(packet.scores).to_bytes(4, "little") + packet.scores
    else:
        body = b"\x87" + packet.seq.to_bytes(4, "little") + packet.offset.to_bytes(4, "little") + packet.data
    assert wire.parse(body) == packet
    for cut in range(1, 9):
        assert wire.parse(body[:cut]) is None
