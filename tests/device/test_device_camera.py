"""What the C of the device does with WATCH_REQUEST, packet by packet; its camera is the simulator's."""

import zlib
from collections.abc import Callable

import numpy as np
import pytest
import sights
from link_simulator.device import SimulatedDevice, expected_scores

from edgekit.device import frame as wire
from edgekit.device.frame import (
    Ack,
    ErrorCode,
    Fault,
    HelloPacket,
    Noise,
    Packet,
    PacketType,
    Picture,
    Seen,
    Trace,
)
from edgekit.device.hello import Hello

MakeDevice = Callable[..., SimulatedDevice]
SILENT, SMALL = 1, 2
BYTES = 3 * 700  # two pieces and a bit
ALL = 1


def say(device: SimulatedDevice, data: bytes, rounds: int = 0) -> list[Packet | Noise]:
    """Let bytes arrive, and the device then idle for some rounds of its loop."""
    return wire.Decoder().feed(device.arrive(data) + device.poll(rounds))


def watch(count: int, every: int) -> bytes:
    return wire.encode_watch_request(count, every)


def frame(number: int) -> bytes:
    """Return the frame that follows from the simulated camera's picture of this number."""
    width, height = 2 * BYTES // 3 + 3, 3
    at = np.arange(2 * width * height)
    high_and_low = (at * 37 + at // 251 + number * 11 & 0xFF).reshape(height, width, 2)
    picture = (high_and_low[..., 0] << 8 | high_and_low[..., 1]).astype(np.uint16)
    return sights.frame_of(picture, 1, BYTES // 3, sights.RED_FIRST).tobytes()


def seen(number: int) -> Seen:
    return Seen(number, 7, 14, 7, expected_scores(frame(number)))


def pieces(number: int) -> list[Packet | Noise]:
    data = frame(number)
    return [Picture(number, at, data[at : at + 1024]) for at in range(0, len(data), 1024)]


@pytest.fixture
def device(make_device: MakeDevice) -> SimulatedDevice:
    device = make_device(EK_CAMERA=1, TEST_INPUT_BYTES=BYTES, EK_TRACE=1)
    device.take()
    (packet,) = say(device, wire.encode_hello_request(7))
    assert isinstance(packet, HelloPacket)
    assert Hello.from_packet(packet).has_camera
    return device


def test_as_many_as_were_asked_for(device: SimulatedDevice) -> None:
    assert say(device, watch(2, 0), 5) == [seen(0), seen(1)]
    assert say(device, watch(1, 0), 5) == [seen(2)]


def test_frames_go_before_what_is_seen_in_them(device: SimulatedDevice) -> None:
    expected = [*pieces(0), seen(0), seen(1), *pieces(2), seen(2), seen(3)]
    assert say(device, watch(4, 2), 4) == expected
    assert say(device, watch(1, ALL), 1) == [*pieces(4), seen(4)]


def test_a_request_replaces_the_one_before(device: SimulatedDevice) -> None:
    assert say(device, watch(0xFFFFFFFF, 0), 3) == [seen(0), seen(1), seen(2)]
    assert say(device, watch(1, 0xFFFFFFFF), 3) == [seen(3)]
    assert say(device, watch(9, 0), 1) == [seen(4)]
    assert say(device, watch(0, 0), 3) == []


def test_only_a_session_is_shown_anything(make_device: MakeDevice) -> None:
    device = make_device(EK_CAMERA=1, TEST_INPUT_BYTES=BYTES)
    device.take()
    assert say(device, watch(3, 0), 3) == [Fault(5, 0, ErrorCode.NO_SESSION)]


def test_a_new_session_forgets_and_the_old_one_does_not(device: SimulatedDevice) -> None:
    say(device, watch(9, 0), 1)
    for same in (7, 0):
        heard = say(device, wire.encode_hello_request(same), 1)
        assert isinstance(heard[0], HelloPacket)
    assert heard[1:] == [seen(2)]
    assert len(say(device, wire.encode_hello_request(8), 3)) == 1
    assert say(device, watch(1, 0), 3) == [seen(3)]


def test_frames_of_the_host_come_between(device: SimulatedDevice) -> None:
    data = frame(99)
    check = wire.frame_check(data)
    chunks = [
        wire.encode_chunk(PacketType.CHUNK_PIXELS, 5, at, check, data[at : at + 1024])
        for at in range(0, BYTES, 1024)
    ]
    assert say(device, watch(9, ALL) + chunks[0], 1) == [Ack(5, 0, 1024), *pieces(0), seen(0)]
    assert say(device, chunks[1], 0) == [Ack(5, 1024, 1024)]
    heard = say(device, chunks[2], 1)
    assert heard[0] == Ack(5, 2048, BYTES - 2048)
    assert heard[1:] == [wire.Answer(5, 7, 7, expected_scores(data)), *pieces(1), seen(1)]
    # The frame that was seen last has not become the host's answer.
    question = wire.encode_chunk(PacketType.CHUNK_PIXELS, 5, 1, check, b"")
    assert say(device, question) == [wire.Answer(5, 7, 7, expected_scores(data)), Ack(5, 1, 0)]


@pytest.mark.parametrize(("fault", "reason"), [(SILENT, 0), (SMALL, 1)])
def test_a_camera_that_fails_ends_the_watch(device: SimulatedDevice, fault: int, reason: int) -> None:
    assert say(device, watch(9, 0), 1) == [seen(0)]
    device.break_camera(fault)
    assert say(device, b"", 3) == [Fault(1, reason, ErrorCode.CAMERA_FAILED)]
    device.break_camera(0)
    # The one that failed had no number of its own; the small picture was one, too.
    (found,) = say(device, watch(1, 0), 3)
    assert isinstance(found, Seen)
    assert (found.seq, found.scores) == (1, expected_scores(frame(1 + (fault == SMALL))))


def test_a_network_that_fails_ends_the_watch(make_device: MakeDevice) -> None:
    device = make_device(EK_CAMERA=1, TEST_INPUT_BYTES=BYTES, TEST_INVOKE_FAILS=5)
    device.take()
    say(device, wire.encode_hello_request(7))
    assert say(device, watch(9, 0), 4) == [seen(0), Fault(1, 5, ErrorCode.MODEL_FAILED)]


def test_a_restart_begins_at_0_without_a_watch(device: SimulatedDevice) -> None:
    say(device, watch(9, 0), 3)
    device.reset()
    heard = say(device, b"", 3)
    assert [type(packet) for packet in heard] == [HelloPacket]
    say(device, wire.encode_hello_request(7))
    (found,) = say(device, watch(1, 0), 3)
    assert isinstance(found, Seen)
    assert found.seq == 0


def test_the_trace_is_of_what_ran_last(device: SimulatedDevice) -> None:
    assert say(device, wire.encode_trace_request()) == [Fault(4, 0, ErrorCode.NO_TRACE)]
    say(device, watch(1, 0), 1)
    scores = expected_scores(frame(0))
    assert say(device, wire.encode_trace_request()) == [Trace((zlib.crc32(scores[:4]), zlib.crc32(scores)))]


@pytest.mark.parametrize("size", [0, 4, 7, 9, 1000])
def test_requests_of_another_length(device: SimulatedDevice, size: int) -> None:
    assert say(device, wire.encode(b"\x05" + bytes(size)), 2) == [Fault(5, 0, ErrorCode.BAD_LENGTH)]
