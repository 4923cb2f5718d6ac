"""Whatever a device sends, the wait for what is awaited ends at its timeout, and memory stays bounded."""

import itertools
import struct
import tracemalloc
from collections.abc import Callable
from random import Random

import numpy as np
import pytest
from device import hostile_devices as devices
from device.hostile_devices import Device as Peer
from device.hostile_devices import Hello, Repeats, ack, answer, error, picture, seen
from hostile_line import VirtualLine, connect
from hypothesis import given, settings
from hypothesis import strategies as st

from edgekit.device import client
from edgekit.device import frame as wire
from edgekit.device.client import Device
from edgekit.device.frame import MAX_SEGMENT, ErrorCode, PacketType
from edgekit.device.session import Session
from edgekit.errors import DeviceError, EdgekitError

TIMEOUT_S = 12.0
MARGIN_S = 0.5
"""What is under way when the time is up is read first; and a device may be of use for a moment."""
FRAME = np.zeros(devices.SHAPE, np.uint8)
OTHER = wire.encode(b"\xf0hello")


def classify(line: VirtualLine) -> None:
    with Device.open(line, timeout_s=TIMEOUT_S) as device:
        list(device.stream([FRAME] * 20))


@pytest.mark.parametrize(
    ("peer", "said"),
    [
        (devices.Deaf(), "silent for 12 s: 14 hello requests were sent, nothing came back"),
        (devices.Garbage(), r"only [0-9,]+ bytes came back and no packet of this protocol"),
        (devices.Dribble(), "only 13 bytes came back and no packet of this protocol; the last was 'xxxx"),
        (devices.DribbleOfDelimiters(), "only 13 bytes came back and no packet"),
        (devices.LineWithoutEnd(), "no packet of this protocol; the last was 'xxxx"),
        (devices.SlowHello(), "no packet of this protocol"),
        (devices.Echo(), "no packet of this protocol"),
        (devices.Boots(), r"hello requests were sent, only 1,20\d HELLO came back"),
        (devices.LogOnly(), "the last was '.* this is a log line of a device'"),
        (devices.LogBetweenDelimiters(), r"the last was 'I \(123\) boot: line'"),
        (devices.HelloOnly(), "silent for 12 s: 4 questions about frames were sent, nothing came back"),
        (Repeats(), "not answered for 12 s: 4 questions about frames were sent, only 240 HELLO came back"),
        (Repeats(packet=ack(99, 0, 0)), "only 240 ACK came back"),
        (Repeats(packet=answer(99)), "only 240 PREDICTION came back"),
        (Repeats(packet=error(ErrorCode.UNKNOWN_FRAME, 99)), "only 240 ERROR UNKNOWN_FRAME came back"),
        (Repeats(packet=error(ErrorCode.NO_TRACE)), "only 240 ERROR NO_TRACE came back"),
        (Repeats(packet=devices.TRACE), "only 240 TRACE came back"),
        (Repeats(packet=seen(1)), "only 240 SEEN came back"),
        (Repeats(packet=picture(1, 0, b"a")), "only 240 PICTURE came back"),
        (Repeats(packet=OTHER), r"only [0-9,]+ bytes came back"),
        (Repeats(packet=b"log line\r\n\0" * 20), r"only [0-9,]+ bytes came back"),
        (devices.AcksOnly(), "frame 0 was sent 9 times and never arrived whole"),
        (devices.KnowsNothing(), r"only [0-9,]+ ERROR UNKNOWN_FRAME came back"),
        (devices.AnswersQuestionsOnly(), r"only [0-9,]+ ACK came back"),
        (devices.Refuses(code=ErrorCode.FRAME_CHECK), "frame 0 was sent 9 times"),
        (devices.Refuses(code=ErrorCode.NO_SESSION), "for the 6th time without answering"),
        (devices.Refuses(code=77), r"refused a packet \(error 77\), for the 6th time"),
        (devices.AnswersAnother(), "frame 0 was sent 9 times"),
        (devices.AnswersWhatIsNotSent(), r"only [0-9,]+ PREDICTION came back"),
        (devices.Restarts(), "the device has restarted, for the 6th time"),
        (devices.HalfPackets(), r"only \d+ bytes came back"),
    ],
    ids=lambda value: "" if isinstance(value, str) else type(value).__name__,
)
def test_a_useless_device_is_given_up_in_time(monkeypatch: pytest.MonkeyPatch, peer: Peer, said: str) -> None:
    line = connect(monkeypatch, peer, client)
    began = line.clock.now
    with pytest.raises(DeviceError, match=said) as caught:
        classify(line)
    assert caught.value.exit_code == 10
    assert line.clock.now - began <= TIMEOUT_S + MARGIN_S
    assert caught.value.hint


def test_a_device_of_use_is_used(monkeypatch: pytest.MonkeyPatch) -> None:
    line = connect(monkeypatch, Peer(), client)
    with Device.open(line, timeout_s=TIMEOUT_S) as device:
        assert [p.scores.tobytes() for p in device.stream([FRAME] * 20)] == [b"\1\2\3"] * 20
        assert device.statistics.resets == 0


@pytest.mark.parametrize("flood", [devices.LineWithoutEnd, devices.Boots, devices.LogBetweenDelimiters])
def test_a_flood_costs_no_memory(monkeypatch: pytest.MonkeyPatch, flood: type[Peer]) -> None:
    notes: list[object] = []
    line = connect(monkeypatch, flood(), client)
    tracemalloc.start()
    try:
        with pytest.raises(DeviceError):
            Device.open(line, timeout_s=TIMEOUT_S, on_note=lambda _: notes.append(0))
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert peak < 100 * MAX_SEGMENT


def test_what_a_window_of_a_gigabyte_holds_is_not_all_sent_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    line = connect(monkeypatch, devices.HelloOnly(Hello(window=1 << 30, buffers=255)), client)
    sent: list[int] = []
    exchange = line.exchange
    line.exchange = lambda data, wait: sent.append(len(data)) or exchange(data, wait)  # type: ignore[method-assign]
    with pytest.raises(DeviceError, match="silent for 12 s"):
        classify(line)
    assert sum(sent) < 1 << 18


@pytest.mark.parametrize(
    ("peer", "said"),
    [
        (Peer(), r"silent for 12 s: \d watch requests were sent, nothing"),
        (devices.SeesNothing(), "watch requests were sent, only 240 SEEN came"),
        (devices.ShowsOneCorner(), r"watch requests were sent, only 2[34]\d PICTURE came"),
        (Repeats(packet=ack(9, 0, 0), chunks=1), r"watch requests were sent, only \d+ ACK came"),
        (Repeats(chunks=1), r"watch requests were sent, only \d+ HELLO came"),
    ],
    ids=lambda value: "" if isinstance(value, str) else type(value).__name__,
)
def test_a_camera_of_no_use_is_given_up_in_time(
    monkeypatch: pytest.MonkeyPatch, peer: Peer, said: str
) -> None:
    line = connect(monkeypatch, peer, client)
    with Device.open(line, timeout_s=TIMEOUT_S) as device:
        began = line.clock.now
        with pytest.raises(DeviceError, match=said):
            list(itertools.islice(device.watch(every=1), 2))
        assert line.clock.now - began <= TIMEOUT_S + MARGIN_S


def test_predictions_of_the_camera_do_not_stand_for_an_answer(monkeypatch: pytest.MonkeyPatch) -> None:
    class Looks(devices.HelloOnly):
        number = 0

        def idle(self) -> None:
            if self.session:
                self.number += 1
                self.say(seen(self.number))

    line = connect(monkeypatch, Looks(), client)
    with Device.open(line, timeout_s=TIMEOUT_S) as device:
        watch = device.watch()
        assert next(watch).prediction.index == 2
        began = line.clock.now
        with pytest.raises(DeviceError, match="questions about frames were sent, only 240 SEEN came"):
            device.classify(FRAME)
        assert line.clock.now - began <= TIMEOUT_S + MARGIN_S


def test_a_trace_that_never_comes(monkeypatch: pytest.MonkeyPatch) -> None:
    line = connect(monkeypatch, Repeats(chunks=1), client)
    with Device.open(line, timeout_s=TIMEOUT_S) as device:
        began = line.clock.now
        with pytest.raises(DeviceError, match=r"\d+ trace requests were sent, only \d+ HELLO came"):
            device.trace()
        assert line.clock.now - began <= TIMEOUT_S + MARGIN_S


def test_each_byte_that_is_new_is_waited_for_and_each_restart_five_times(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """The slowest device that is of some use, and the slowest that is of none."""

    class Slow(Peer):
        """It acknowledges, answers or restarts just in time."""

        period_s = 0.9 * TIMEOUT_S
        restarts = False

        def on_hello(self) -> None:
            self.due = super().on_hello

        def on_chunk(self, seq: int, offset: int, count: int) -> None:
            chunk = ack(seq, offset, count) if count else b""
            self.due = lambda: self.say(self.hello.packet(0) if self.restarts else chunk + answer(seq))

        def idle(self) -> None:
            if due := getattr(self, "due", None):
                self.due = None
                due()

    line = connect(monkeypatch, Slow(), client)
    with Device.open(line, timeout_s=TIMEOUT_S) as device:
        assert len(list(device.stream([FRAME] * 3))) == 3
    assert line.clock.now > 1000.0 + 3 * 0.9 * TIMEOUT_S
    peer = Slow()
    peer.restarts = True
    line = connect(monkeypatch, peer, client)
    with pytest.raises(DeviceError, match="the device has restarted, for the 6th time"):
        classify(line)
    assert line.clock.now - 1000.0 < 12 * TIMEOUT_S


# A session alone, with what a device may say in any order

MOST_STEPS = 6 + (1 + 8 + 5) * 2
"""Six greetings; and two pieces of the frame, at first, after eight failed checks, after five restarts."""


def opened(timeout_s: float) -> Session:
    session = Session(1, 0.0, timeout_s)
    session.bytes_to_send(0.0)
    session.feed(Hello().packet(1), 0.0)
    session.submit(bytes(devices.BYTES), PacketType.CHUNK_PIXELS, 0.0)
    return session


def ended(session: Session, moves: list[tuple[float, Callable[[bytes], bytes]]], limit_s: float) -> float:
    """Let a device make its moves over and over; return when the session was through with it."""
    now, sent = 0.0, b""
    for delay, move in itertools.cycle(moves):
        due = now + delay
        try:
            while session.unanswered:
                sent = session.bytes_to_send(now) or sent
                deadline = session.next_deadline()
                assert deadline is not None
                if deadline > due:
                    break
                now = max(now + 1e-9, deadline)
            if not session.unanswered:
                return now
            now = due
            session.feed(move(sent), now)
        except EdgekitError:
            return now
        assert now <= limit_s, "it goes on"
        assert len(session.take_notes()) <= 256
    raise AssertionError


USELESS = [
    Hello().packet(1),
    *(ack(seq, offset, count) for seq, offset, count in [(0, 0, 0), (0, 128, 128), (7, 0, 192), (0, 0, 191)]),
    *(answer(seq) for seq in (1, 7, 0xFFFFFFFF)),
    *(error(code, 9, 9) for code in (ErrorCode.UNKNOWN_FRAME, ErrorCode.NO_TRACE, ErrorCode.CAMERA_FAILED)),
    *(devices.TRACE, seen(1), seen(2), picture(1, 0, b"ab"), picture(1, 2, b"c"), OTHER),
    *(b"\0", b"I (1) log\r\n", b"x" * 70000, b"\0\xff\xff\0"),
]


@settings(max_examples=100, deadline=None)
@given(st.lists(st.tuples(st.floats(0.01, 3.0), st.sampled_from(USELESS)), min_size=1, max_size=8))
def test_nothing_useless_prolongs_the_wait(said: list[tuple[float, bytes]]) -> None:
    session = opened(2.0)
    end = ended(session, [(delay, lambda _, p=packet: p) for delay, packet in said], 100.0)  # type: ignore[misc]
    assert 2.0 <= end <= 2.0 + 1e-6
    assert session.unanswered == 1


def replies_to(sent: bytes, kind: int) -> bytes:
    """Return what a device might say to what it was just sent: ACKs, errors, an answer, a HELLO."""
    found = []
    for segment in sent.split(b"\0"):
        body = devices.cobs.decode(segment)[:-4] if segment else b""
        if body[:1] == b"\1":
            found.append(Hello().packet(struct.unpack_from("<I", body, 1)[0]))
        elif body[:1] in (b"\2", b"\3"):
            seq, offset = struct.unpack_from("<II", body, 1)
            found.append([ack(seq, offset, len(body) - 13), error(kind % 14, seq, offset), b"\0"][kind % 3])
    return b"".join(found)


@settings(max_examples=100, deadline=None)
@given(
    st.lists(
        st.tuples(
            st.floats(0.0, 0.999),
            st.one_of(
                st.sampled_from([*USELESS, Hello().packet(0), Hello().packet(2)]),
                st.integers(0, 41),
                st.builds(error, st.integers(0, 255), st.integers(0, 2), st.integers(0, 3)),
            ),
        ),
        min_size=1,
        max_size=10,
    )
)
def test_any_device_is_through_in_bounded_time(said: list[tuple[float, bytes | int]]) -> None:
    bound = MOST_STEPS + 1

    def move(what: bytes | int) -> Callable[[bytes], bytes]:
        return lambda sent: replies_to(sent, what) if isinstance(what, int) else what

    ended(opened(1.0), [(max(delay, 0.001), move(what)) for delay, what in said], bound)


@pytest.mark.parametrize("seed", range(20))
def test_any_device_is_through_in_bounded_time_on_its_line(
    monkeypatch: pytest.MonkeyPatch, seed: int
) -> None:
    """The client's own loop, with a device that does something else at random each time."""
    random = Random(seed)

    class Fickle(Peer):
        period_s = random.choice([0.01, 0.3, 5.0])

        def on_hello(self) -> None:
            self.say(self.hello.packet(self.session if random.random() < 0.8 else random.randrange(3)))

        def on_chunk(self, seq: int, offset: int, count: int) -> None:
            self.say(random.choice([ack(seq, offset, count), error(random.randrange(15), seq, offset), b""]))

        def idle(self) -> None:
            self.say(random.choice(USELESS))

    line = connect(monkeypatch, Fickle(), client)
    with pytest.raises(EdgekitError):
        classify(line)
    assert line.clock.now - 1000.0 <= 2 * MOST_STEPS * TIMEOUT_S  # two frames are on their way
