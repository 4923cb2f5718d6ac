"""The session's state machine, with a device of hand-written packets and a clock of numbers."""

import struct
from collections.abc import Mapping

import pytest
from cobs import cobs
from hypothesis import given, settings
from hypothesis import strategies as st

from edgekit.device import frame as wire
from edgekit.device.events import NoteKind
from edgekit.device.frame import ErrorCode, PacketType
from edgekit.device.hello import Hello
from edgekit.device.session import Session
from edgekit.device.window import Window
from edgekit.errors import ContractMismatchError, DeviceError, EdgekitError, UsageError

PIXELS = PacketType.CHUNK_PIXELS
FRAME = bytes(range(256)) * 12


def number(value: int) -> bytes:
    return struct.pack("<I", value)


def hello_fields(session: int) -> dict[int, bytes]:
    return {
        1: number(1),
        2: b"testboard",
        3: b"1.2.3",
        4: b"compiled",
        5: bytes(32),
        6: bytes(31) + b"\1",
        7: struct.pack("<4I", 1, 32, 32, 3),
        8: number(3072),
        9: number(4),
        10: number(9000),
        11: number(2),
        12: number(4032),
        13: number(1024),
        14: number(0),
        15: number(0),
        16: number(3),
        17: number(5),
        18: struct.pack("<3I", session, 0, 0),
    }


def hello(session: int, changes: Mapping[int, bytes | None] | None = None) -> bytes:
    fields = {**hello_fields(session), **(changes or {})}
    parts = [bytes([i, len(data)]) + data for i, data in fields.items() if data is not None]
    return wire.encode(b"\x81" + b"".join(parts))


def ack(chunk: tuple[int, int, int]) -> bytes:
    return wire.encode(b"\x82" + struct.pack("<III", *chunk))


def answer(seq: int, scores: bytes = b"\1\2\3\4") -> bytes:
    return wire.encode(b"\x83" + struct.pack("<IQQI", seq, 10, 20, len(scores)) + scores)


def fault(code: int, seq: int = 0, offset: int = 0) -> bytes:
    return wire.encode(b"\x84" + struct.pack("<IIB", seq, offset, code))


def said(data: bytes) -> list[tuple[int, ...]]:
    """Return what the session sent: (type, seq, offset, count) of chunks, (type, session) of hellos."""
    found: list[tuple[int, ...]] = []
    for part in data.split(b"\0"):
        if part:
            body = cobs.decode(part)[:-4]
            if body[0] in (2, 3):
                found.append((body[0], *struct.unpack_from("<II", body, 1), len(body) - 13))
            else:
                found.append((body[0], *struct.unpack(f"<{len(body) // 4}I", body[1:])))
    return found


def opened(changes: Mapping[int, bytes | None] | None = None, timeout_s: float = 10.0) -> Session:
    session = Session(100, 0.0, timeout_s)
    assert said(session.bytes_to_send(0.0)) == [(1, 100)]
    session.feed(hello(100, changes), 0.0)
    assert session.is_open
    return session


def chunk(seq: int, start: int, count: int = 1024) -> tuple[int, int, int, int]:
    return (2, seq, start, count)


def test_greets_until_greeted_back() -> None:
    session = Session(5, 0.0)
    times = []
    while len(times) < 5:
        deadline = session.next_deadline()
        assert deadline is not None
        if session.bytes_to_send(deadline):
            times.append(deadline)
    assert times == [0.0, 0.25, 0.75, 1.75, 2.75]
    session.feed(b"boot noise\r\n" + hello(5), 3.0)
    assert session.is_open
    assert session.next_deadline() is None
    assert [note.text for note in session.take_notes()] == ["boot noise"]


def test_a_hello_of_another_session_is_no_answer() -> None:
    session = Session(5, 0.0)
    session.bytes_to_send(0.0)
    session.feed(hello(4), 0.1)
    assert not session.is_open
    # The device may have started just now and missed the request: it is repeated at once.
    assert said(session.bytes_to_send(0.1)) == [(1, 5)]


def test_sends_what_the_window_allows() -> None:
    session = opened()
    session.submit(FRAME, PIXELS, 0.0)
    session.submit(FRAME, PIXELS, 0.0)
    first = session.bytes_to_send(0.0)
    assert said(first) == [chunk(0, 0), chunk(0, 1024), chunk(0, 2048)]
    assert len(first) <= 4032
    assert session.bytes_to_send(0.0) == b""
    session.feed(ack((0, 0, 1024)), 0.01)
    assert said(session.bytes_to_send(0.01)) == [chunk(1, 0)]


def test_a_lost_chunk_is_sent_again_as_soon_as_a_later_one_is_acknowledged() -> None:
    session = opened()
    session.submit(FRAME, PIXELS, 0.0)
    session.bytes_to_send(0.0)
    session.feed(ack((0, 1024, 1024)), 0.02)
    assert said(session.bytes_to_send(0.02)) == [chunk(0, 0)]
    session.feed(ack((0, 2048, 1024)) + ack((0, 0, 1024)) + answer(0), 0.05)
    (result,) = session.take_results()
    assert result.retransmissions == 1
    assert session.statistics.retransmissions == 1
    assert (result.first_byte_at, result.answered_at) == (0.0, 0.05)


def test_a_lost_last_acknowledgement_is_asked_for() -> None:
    session = opened()
    session.submit(FRAME, PIXELS, 0.0)
    session.bytes_to_send(0.0)
    session.feed(ack((0, 0, 1024)) + ack((0, 1024, 1024)), 0.03)
    deadline = session.next_deadline()
    assert deadline is not None
    assert said(session.bytes_to_send(deadline)) == [chunk(0, 1, 0)]
    # The device has not the chunk: what was sent before the question is lost.
    session.feed(ack((0, 1, 0)), deadline + 0.01)
    assert said(session.bytes_to_send(deadline + 0.01)) == [chunk(0, 2048)]


def test_a_lost_answer_is_asked_for_when_something_later_is_acknowledged() -> None:
    session = opened()
    session.submit(FRAME, PIXELS, 0.0)
    session.submit(FRAME, PIXELS, 0.0)
    session.bytes_to_send(0.0)
    session.feed(b"".join(ack((0, start, 1024)) for start in (0, 1024, 2048)), 0.04)
    assert said(session.bytes_to_send(0.04)) == [chunk(1, 0), chunk(1, 1024), chunk(1, 2048)]
    session.feed(ack((1, 0, 1024)), 0.05)
    assert said(session.bytes_to_send(0.05)) == [chunk(0, 1, 0)]
    session.feed(answer(0) + ack((0, 1, 0)), 0.06)
    assert [result.answer.seq for result in session.take_results()] == [0]


def test_a_lost_answer_to_the_question_is_asked_for_again() -> None:
    session = opened()
    session.submit(FRAME, PIXELS, 0.0)
    session.bytes_to_send(0.0)
    session.feed(b"".join(ack((0, start, 1024)) for start in (0, 1024, 2048)), 0.04)
    assert said(session.bytes_to_send(3.0)) == [chunk(0, 1, 0)]
    session.feed(ack((0, 1, 0)), 3.1)
    assert said(session.bytes_to_send(3.1)) == [chunk(0, 2, 0)]


def test_answers_come_out_in_order_and_once() -> None:
    session = opened()
    for _ in range(2):
        session.submit(FRAME, PIXELS, 0.0)
    session.bytes_to_send(0.0)
    session.feed(answer(1), 0.1)  # nothing of it has been sent
    assert session.unanswered == 2
    session.feed(ack((0, 0, 1024)), 0.1)
    assert said(session.bytes_to_send(0.1)) == [chunk(1, 0)]
    session.feed(answer(1), 0.1)
    assert session.take_results() == []
    session.feed(answer(0) + answer(0) + answer(1), 0.2)
    assert [result.answer.seq for result in session.take_results()] == [0, 1]
    assert session.statistics.frames == 2
    assert session.next_deadline() is None


def test_a_frame_that_failed_its_check_is_sent_again() -> None:
    session = opened()
    session.submit(FRAME, PIXELS, 0.0)
    session.bytes_to_send(0.0)
    for attempt in range(8):
        acks = b"".join(ack((0, start, 1024)) for start in (0, 1024, 2048))
        session.feed(acks + fault(ErrorCode.FRAME_CHECK), 0.1 * attempt)
        assert said(session.bytes_to_send(0.1 * attempt)) == [chunk(0, 0), chunk(0, 1024), chunk(0, 2048)]
    with pytest.raises(DeviceError, match="never arrived whole"):
        session.feed(fault(ErrorCode.FRAME_CHECK), 1.0)


def test_a_frame_that_the_device_has_forgotten_is_sent_again() -> None:
    session = opened()
    session.submit(FRAME, PIXELS, 0.0)
    session.bytes_to_send(0.0)
    session.feed(b"".join(ack((0, start, 1024)) for start in (0, 1024, 2048)), 0.04)
    session.bytes_to_send(3.0)
    session.feed(fault(ErrorCode.UNKNOWN_FRAME, 0, 1), 3.1)
    assert said(session.bytes_to_send(3.1)) == [chunk(0, 0), chunk(0, 1024), chunk(0, 2048)]


@pytest.mark.parametrize(
    "sign",
    [hello(0), fault(ErrorCode.NO_SESSION), fault(ErrorCode.NO_BUFFER), fault(99)],
    ids=["hello", "no session", "no buffer", "unknown error"],
)
def test_a_restarted_device_is_greeted_and_gets_everything_again(sign: bytes) -> None:
    session = opened()
    session.submit(FRAME, PIXELS, 0.0)
    session.bytes_to_send(0.0)
    session.feed(ack((0, 0, 1024)) + sign + sign, 0.02)
    assert not session.is_open
    assert said(session.bytes_to_send(0.02)) == [(1, 101)]
    session.feed(hello(101), 0.1)
    assert said(session.bytes_to_send(0.1)) == [chunk(0, 0), chunk(0, 1024), chunk(0, 2048)]
    assert [note.kind for note in session.take_notes()] == [NoteKind.RESET]
    assert session.statistics.resets == 1


def test_other_firmware_after_a_restart_is_refused() -> None:
    session = opened()
    session.feed(hello(0), 0.1)
    session.bytes_to_send(0.1)
    with pytest.raises(ContractMismatchError, match="model digest is 020202020202"):
        session.feed(hello(101, {6: b"\2" * 32}), 0.2)


def test_a_device_that_always_restarts_is_given_up() -> None:
    session = opened()
    session.submit(FRAME, PIXELS, 0.0)
    with pytest.raises(DeviceError, match="6th time without answering"):
        for attempt in range(10):
            session.bytes_to_send(0.1 * attempt)
            session.feed(hello(101 + attempt - 1) + hello(0), 0.1 * attempt)


def test_a_device_that_crashes_on_every_frame_is_given_up() -> None:
    session = opened()
    session.submit(FRAME, PIXELS, 0.0)
    with pytest.raises(DeviceError, match="the line was closed, for the 6th time"):
        for attempt in range(10):
            session.reconnected("the line was closed", 0.1 * attempt)
            session.bytes_to_send(0.1 * attempt)
            session.feed(hello(101 + attempt), 0.1 * attempt)
    assert session.statistics.reconnections == 6


def test_a_line_that_breaks_while_it_is_greeted_has_one_timeout_for_all_attempts() -> None:
    session = Session(1, 0.0, timeout_s=2.0)
    for step in range(4):
        session.bytes_to_send(0.5 * step)
        session.reconnected("the line was closed", 0.5 * step)
    with pytest.raises(DeviceError, match="silent for 2 s"):
        session.bytes_to_send(2.0)


def test_a_device_that_only_ever_boots_is_given_up() -> None:
    session = Session(1, 0.0, timeout_s=2.0)
    with pytest.raises(DeviceError, match="not answered for 2 s: 20 hello requests were sent, only 20 HELLO"):
        for step in range(100):
            session.bytes_to_send(0.1 * step)
            session.feed(hello(0), 0.1 * step)


def test_silence_says_what_was_tried_and_heard() -> None:
    session = Session(1, 0.0, timeout_s=3.0)
    for step in range(29):
        session.bytes_to_send(0.1 * step)
    session.feed(b"login: \r\nroot@sensor# \0", 2.0)
    with pytest.raises(DeviceError, match=r"not answered for 3 s: 5 hello requests .*no packet of .*sensor"):
        session.bytes_to_send(3.0)
    session = opened(timeout_s=5.0)
    session.submit(FRAME, PIXELS, 7.0)
    session.bytes_to_send(7.0)
    session.bytes_to_send(11.9)
    with pytest.raises(DeviceError, match="silent for 5 s: 1 questions"):
        session.bytes_to_send(12.0)


def test_a_caller_that_was_away_does_not_make_the_device_silent() -> None:
    session = opened(timeout_s=5.0)
    session.submit(FRAME, PIXELS, 0.0)
    session.bytes_to_send(0.0)
    session.bytes_to_send(0.5)
    session.resume(60.0, 59.5)
    assert session.bytes_to_send(60.0) == b""
    assert session.next_deadline() == 61.0
    session.bytes_to_send(61.0)
    # The half second before is not forgiven: who is away again and again learns of a silent device, too.
    session.resume(70.0, 9.0)
    session.bytes_to_send(73.4)
    with pytest.raises(DeviceError, match="silent for 5 s"):
        session.bytes_to_send(73.5)


def test_a_device_that_computes_long_is_asked_less_and_less() -> None:
    session = opened(timeout_s=100.0)
    session.submit(FRAME, PIXELS, 0.0)
    session.bytes_to_send(0.0)
    session.feed(b"".join(ack((0, start, 1024)) for start in (0, 1024, 2048)), 0.04)
    asked = []
    while (deadline := session.next_deadline()) is not None and deadline < 50:
        if session.bytes_to_send(deadline):
            asked.append(round(deadline, 2))
    assert asked == [2.04, 4.04, 8.04, 16.04, 32.04]
    session.feed(answer(0), 50.0)
    session.submit(FRAME, PIXELS, 50.0)
    session.bytes_to_send(50.0)
    session.feed(b"".join(ack((1, start, 1024)) for start in (0, 1024, 2048)), 50.1)


def test_a_window_of_one_small_chunk() -> None:
    session = opened({12: number(152)})
    session.submit(FRAME, PIXELS, 0.0)
    for start in range(0, 3072, 128):
        assert said(session.bytes_to_send(0.0)) == [chunk(0, start, 128)]
        session.feed(ack((0, start, 128)), 0.0)
    assert session.bytes_to_send(0.0) == b""
    session.feed(answer(0), 0.0)
    assert len(session.take_results()) == 1


def test_a_stale_retransmission_does_not_block_a_small_window() -> None:
    session = opened({12: number(152), 8: number(128), 7: struct.pack("<2I", 1, 128)})
    session.submit(FRAME[:128], PIXELS, 0.0)
    session.bytes_to_send(0.0)
    assert said(session.bytes_to_send(1.0)) == [chunk(0, 1, 0)]
    session.feed(ack((0, 1, 0)), 1.0)
    assert said(session.bytes_to_send(1.0)) == [chunk(0, 0, 128)]
    session.feed(answer(0), 1.1)  # and the acknowledgement of the retransmission is lost
    session.submit(FRAME[:128], PIXELS, 1.1)
    deadline = session.next_deadline()
    assert deadline is not None
    assert said(session.bytes_to_send(deadline)) == [chunk(1, 2, 0)]
    session.feed(fault(ErrorCode.UNKNOWN_FRAME, 1, 2), deadline)
    assert said(session.bytes_to_send(deadline)) == [chunk(1, 0, 128)]


def test_trace() -> None:
    session = opened()
    session.request_trace(1.0)
    assert said(session.bytes_to_send(1.0)) == [(4,)]
    assert session.bytes_to_send(1.1) == b""
    assert said(session.bytes_to_send(1.25)) == [(4,)]
    session.feed(wire.encode(b"\x85" + number(2) + number(7) + number(8)), 1.3)
    assert session.trace == (7, 8)
    assert session.next_deadline() is None
    session.request_trace(2.0)
    with pytest.raises(DeviceError, match="no trace"):
        session.feed(fault(ErrorCode.NO_TRACE, 4), 2.0)


@pytest.mark.parametrize(("reason", "text"), [(3, "the arena is too small"), (77, "reason 77")])
def test_a_network_that_does_not_run_is_not_asked_again(reason: int, text: str) -> None:
    session = opened()
    session.submit(FRAME, PIXELS, 0.0)
    session.bytes_to_send(0.0)
    with pytest.raises(DeviceError, match=f"does not run: {text}"):
        session.feed(fault(ErrorCode.MODEL_FAILED, 0, reason), 0.1)


def test_frames_must_fit_the_model() -> None:
    session = opened({16: number(0)})
    with pytest.raises(UsageError, match="3071 bytes"):
        session.submit(FRAME[1:], PIXELS, 0.0)
    with pytest.raises(UsageError, match="not pixels"):
        session.submit(FRAME, PIXELS, 0.0)
    session.submit(FRAME, PacketType.CHUNK_TENSOR, 0.0)
    assert said(session.bytes_to_send(0.0))[0] == (3, 0, 0, 1024)


def test_answers_must_fit_the_model() -> None:
    session = opened()
    session.submit(FRAME, PIXELS, 0.0)
    with pytest.raises(DeviceError, match="3 scores for a model with 4"):
        session.feed(answer(0, b"123"), 0.0)


@pytest.mark.parametrize("field", sorted(hello_fields(0)))
def test_hello_fields_are_all_needed(field: int) -> None:
    with pytest.raises(DeviceError, match="HELLO"):
        Session(1, 0.0).feed(hello(1, {field: None}), 0.0)


@pytest.mark.parametrize(
    ("field", "data"),
    [
        *((1, number(2)), (5, bytes(31)), (7, number(3071)), (7, b"123"), (8, number(0)), (11, number(0))),
        *((12, number(100)), (13, number(2000)), (14, number(2)), (9, b"12"), (18, bytes(8))),
    ],
)
def test_hello_fields_are_not_trusted(field: int, data: bytes) -> None:
    with pytest.raises(DeviceError, match=r"HELLO|protocol version 2"):
        Session(1, 0.0).feed(hello(1, {field: data}), 0.0)


def test_unknown_hello_fields_are_skipped() -> None:
    session = Session(1, 0.0)
    session.feed(hello(1, {200: b"from the future", 255: b""}), 0.0)
    assert session.hello is not None
    assert session.hello.board == "testboard"


def test_all_differing_fields_are_named() -> None:
    found = opened().hello
    assert isinstance(found, Hello)
    found.check({"model_digest": found.model_digest, "input_shape": (1, 32, 32, 3)})
    with pytest.raises(ContractMismatchError) as raised:
        found.check({"contract_digest": "ab" * 32, "input_shape": (1, 8, 8, 1), "output_bytes": 4})
    assert "contract digest is 000000000000... on the device, abababababab... on the host" in str(
        raised.value
    )
    assert "input shape is [1, 32, 32, 3] on the device, [1, 8, 8, 1] on the host" in str(raised.value)
    assert "output" not in str(raised.value)


WATCHED: dict[int, bytes | None] = {16: number(7), 7: struct.pack("<4I", 1, 2, 2, 3), 8: number(12)}
SEEN = b"\x86" + struct.pack("<IQQQI", 0, 1, 2, 3, 4) + bytes(4)
PICTURE = b"\x87" + struct.pack("<II", 0, 0) + bytes(12)


def picture(seq: int, offset: int) -> bytes:
    return wire.encode(b"\x87" + struct.pack("<II", seq, offset) + b"a")


def watching(number: int = 9) -> Session:
    session = Session(number, 0.0)
    session.bytes_to_send(0.0)
    session.feed(hello(number, WATCHED), 0.0)
    session.watch(1, 0.0)
    return session


def test_predictions_count_as_answers_between_restarts() -> None:
    session = watching()
    for restart in range(20):
        session.feed(hello(0, WATCHED), 1.0 + restart)
        session.feed(hello(10 + restart, WATCHED), 1.0 + restart)
        session.feed(wire.encode(SEEN), 1.0 + restart)
        assert len(session.take_sights()) == 1
    with pytest.raises(DeviceError, match="6th time"):
        for restart in range(20, 30):
            session.feed(hello(0, WATCHED) + hello(10 + restart, WATCHED), 30.0)


def test_a_watch_that_was_replaced_stops_nothing() -> None:
    session = watching()
    first = session.watch(0, 1.0)
    second = session.watch(2, 1.0)
    session.stop_watch(first)
    assert not session.is_watching(first)
    assert session.is_watching(second)
    assert session.bytes_to_send(1.0) == wire.encode_watch_request(16, 2)
    session.stop_watch(second)
    assert session.bytes_to_send(1.0) == wire.encode_watch_request(0, 0)
    assert session.bytes_to_send(1.0) == b""
    assert session.next_deadline() is None


def test_a_silent_camera_says_how_often_it_was_asked() -> None:
    session = watching()
    with pytest.raises(DeviceError, match="silent for 10 s: 4 watch requests were sent"):
        for step in range(100):
            session.bytes_to_send(0.25 * step)


def test_a_device_that_talks_of_other_things_is_not_watched_for_ever() -> None:
    session = watching()
    with pytest.raises(
        DeviceError, match=r"not answered for 10 s: 4 watch .* only 40 ACK, 40 HELLO came back"
    ):
        for step in range(100):
            session.bytes_to_send(0.25 * step)
            session.feed(ack((5, 0, 128)) + hello(9, WATCHED), 0.25 * step)
    # A picture that grows is progress on a slow line; one that begins again and again is none.
    session = watching()
    for step in range(12):
        session.bytes_to_send(9.0 * step)
        session.feed(picture(0, step), 9.0 * step)
    with pytest.raises(DeviceError, match=r"not answered for 10 s: .* watch requests .* only 20 PICTURE"):
        for step in range(100):
            session.bytes_to_send(99.0 + 0.5 * step)
            session.feed(picture(0, 0), 99.0 + 0.5 * step)
    session = watching()
    with pytest.raises(DeviceError, match="no prediction comes with them"):
        for step in range(17):
            session.bytes_to_send(9.0 * step)
            session.feed(picture(step, 0), 9.0 * step)


def test_a_hello_of_several_frames_at_a_time() -> None:
    session = Session(9, 0.0)
    with pytest.raises(DeviceError, match=r"input shape \[2, 2, 3\] is not one frame of 12 bytes"):
        session.feed(hello(9, WATCHED | {7: struct.pack("<3I", 2, 2, 3)}), 0.0)


@pytest.mark.parametrize("body", [SEEN, PICTURE])
def test_packets_of_the_camera_that_are_cut_or_too_long_show_nothing(body: bytes) -> None:
    for size in range(1, len(body) + 20):
        session = watching()
        session.feed(wire.encode((body + bytes(20))[:size]) + wire.encode(SEEN), 0.1)
        sights = session.take_sights()
        assert len(sights) == 1
        whole = (body, size) == (PICTURE, len(PICTURE))
        assert sights[-1].frame == (bytes(12) if whole else None)
        assert sights[-1].seen.scores == bytes(4)


@settings(max_examples=200)
@given(
    st.lists(
        st.tuples(
            st.sampled_from(
                [b"\x81", b"\x82", b"\x84", SEEN, SEEN[:-4], SEEN[:1], PICTURE, PICTURE[:9], PICTURE[:1]]
            ),
            st.binary(max_size=40),
            st.integers(1, 60),
        ),
        max_size=40,
    )
)
def test_nothing_a_camera_says_makes_the_session_fail_otherwise(said: list[tuple[bytes, bytes, int]]) -> None:
    session = watching()
    for step, (start, rest, times) in enumerate(said):
        try:
            session.bytes_to_send(0.1 * step)
            session.feed(wire.encode(start + rest) * times, 0.1 * step)
        except EdgekitError:
            return
        for sight in session.take_sights() if step % 2 else ():
            assert sight.frame is None or len(sight.frame) == 12
            assert len(sight.seen.scores) == 4


@settings(max_examples=200)
@given(st.lists(st.one_of(st.binary(max_size=60), st.binary(max_size=40).map(wire.encode)), max_size=30))
def test_nothing_a_device_says_makes_the_session_fail_otherwise(pieces: list[bytes]) -> None:
    session = opened()
    session.submit(FRAME, PIXELS, 0.0)
    for step, piece in enumerate(pieces):
        try:
            session.bytes_to_send(0.1 * step)
            session.feed(piece, 0.1 * step)
        except EdgekitError:
            return


def test_chunks_shrink_on_a_bad_line_and_grow_on_a_good_one() -> None:
    window = Window(4032, 1024)
    assert window.chunk_size == 1024
    now = 0.0

    def pass_packets(count: int, lose_each: int) -> None:
        nonlocal now
        for index in range(count):
            now += 0.01
            size = window.chunk_size
            window.send(0, index, size, wire.chunk_wire_bytes(size), False, now)
            if index % lose_each:
                window.acknowledge(0, index, size, now)

    pass_packets(400, 3)
    assert window.chunk_size == 128
    pass_packets(2000, 10**6)
    assert window.chunk_size == 1024
