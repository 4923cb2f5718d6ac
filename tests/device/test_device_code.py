"""The C of the device, packet by packet."""

import struct
import zlib
from collections.abc import Callable
from pathlib import Path

import pytest
from cobs import cobs
from link_simulator.code_size import code_bytes
from link_simulator.device import INPUT_BYTES, SimulatedDevice, expected_scores

from edgekit.device import frame as wire
from edgekit.device.frame import Ack, Answer, ErrorCode, Fault, HelloPacket, Noise, Packet, PacketType, Trace
from edgekit.device.hello import Field, Hello

MakeDevice = Callable[..., SimulatedDevice]
FRAME = bytes((7 * i + i // 256) & 0xFF for i in range(INPUT_BYTES))
PIXELS, TENSOR = PacketType.CHUNK_PIXELS, PacketType.CHUNK_TENSOR


def say(device: SimulatedDevice, data: bytes) -> list[Packet | Noise]:
    return wire.Decoder().feed(device.arrive(data))


def chunk(
    seq: int, offset: int, count: int = 1024, frame: bytes = FRAME, kind: PacketType = PIXELS, check: int = 0
) -> bytes:
    part = frame[offset : offset + count]
    return wire.encode_chunk(kind, seq, offset, wire.frame_check(frame) ^ check, part)


def send_frame(device: SimulatedDevice, seq: int, frame: bytes = FRAME, kind: PacketType = PIXELS) -> Answer:
    heard = [p for start in (0, 1024, 2048) for p in say(device, chunk(seq, start, 1024, frame, kind))]
    assert heard[:3] == [Ack(seq, start, 1024) for start in (0, 1024, 2048)]
    (answer,) = heard[3:]
    assert isinstance(answer, Answer)
    return answer


@pytest.fixture
def device(make_device: MakeDevice) -> SimulatedDevice:
    device = make_device()
    device.take()
    assert isinstance(say(device, wire.encode_hello_request(7))[0], HelloPacket)
    return device


def hello_of(packets: list[Packet | Noise]) -> Hello:
    packet = packets[-1]  # before it may stand the greeting after the start
    assert isinstance(packet, HelloPacket)
    return Hello.from_packet(packet)


def test_greets_unasked_after_a_start(make_device: MakeDevice) -> None:
    device = make_device()
    hello = hello_of(wire.Decoder().feed(device.take()))
    assert (hello.board, hello.firmware, hello.runtime) == ("simulator", "0.0.1", "compiled")
    assert hello.session == 0
    assert hello.input_shape == (1, 1, 1024, 3)
    assert hello.contract_digest.startswith("040506")
    assert hello.model_digest.startswith("010203")
    assert (hello.input_bytes, hello.output_bytes, hello.frame_buffers) == (3072, 8, 2)
    assert hello.exact
    assert hello.accepts_pixels
    assert not hello.has_trace


def test_answers_a_frame_in_any_order_of_chunks(device: SimulatedDevice) -> None:
    for start in (2048, 0):
        assert say(device, chunk(1, start)) == [Ack(1, start, 1024)]
    assert say(device, chunk(1, 1024, 128)) == [Ack(1, 1024, 128)]
    heard = say(device, chunk(1, 1024, 1024))
    assert heard == [Ack(1, 1024, 1024), Answer(1, 7, 7, expected_scores(FRAME))]


def test_pixels_pass_the_table_and_tensors_do_not(device: SimulatedDevice) -> None:
    assert send_frame(device, 1).scores == expected_scores(FRAME)
    assert send_frame(device, 2, kind=TENSOR).scores == expected_scores(FRAME, pixels=False)


def test_identity_table(make_device: MakeDevice) -> None:
    device = make_device(TEST_IDENTITY=1)
    say(device, wire.encode_hello_request(1))
    tensor = bytes(pixel ^ 0x80 for pixel in FRAME)
    assert send_frame(device, 1).scores == expected_scores(tensor, pixels=False)


def test_one_table_for_all_channels(make_device: MakeDevice) -> None:
    device = make_device(TEST_TABLES=1)
    say(device, wire.encode_hello_request(1))
    tensor = bytes((7 * pixel + 5) & 0xFF for pixel in FRAME)
    assert send_frame(device, 1).scores == expected_scores(tensor, pixels=False)


def test_refuses_pixels_without_a_table(make_device: MakeDevice) -> None:
    device = make_device(TEST_TABLES=0)
    assert not hello_of(say(device, wire.encode_hello_request(1))).accepts_pixels
    assert say(device, chunk(1, 0)) == [Fault(1, 0, ErrorCode.NO_PIXELS)]
    assert send_frame(device, 1, kind=TENSOR).scores == expected_scores(FRAME, pixels=False)


def test_a_repeated_frame_gets_the_cached_answer(device: SimulatedDevice) -> None:
    first, second = send_frame(device, 1), send_frame(device, 2)
    assert say(device, chunk(1, 1024)) == [first, Ack(1, 1024, 1024)]
    assert say(device, wire.encode_chunk(PIXELS, 2, 99, 0, b"")) == [second, Ack(2, 99, 0)]
    send_frame(device, 3)
    # With two buffers two answers are kept: frame 1 is now as good as new.
    assert say(device, chunk(1, 1024)) == [Ack(1, 1024, 1024)]


def test_an_empty_chunk_asks_what_is_known(device: SimulatedDevice) -> None:
    question = wire.encode_chunk(PIXELS, 5, 1, 0, b"")
    assert say(device, question) == [Fault(5, 1, ErrorCode.UNKNOWN_FRAME)]
    say(device, chunk(5, 0))
    assert say(device, question) == [Ack(5, 1, 0)]


def test_a_session_number_opens_and_forgets(device: SimulatedDevice) -> None:
    send_frame(device, 1)
    assert hello_of(say(device, wire.encode_hello_request(0))).session == 7
    assert hello_of(say(device, wire.encode_hello_request(7))).session == 7
    assert len(say(device, chunk(1, 0))) == 2  # still cached
    assert hello_of(say(device, wire.encode_hello_request(8))).session == 8
    assert say(device, chunk(1, 0)) == [Ack(1, 0, 1024)]


def test_no_session_after_a_start(make_device: MakeDevice) -> None:
    device = make_device()
    device.take()
    assert say(device, chunk(3, 1024)) == [Fault(3, 1024, ErrorCode.NO_SESSION)]
    assert hello_of(say(device, wire.encode_hello_request(0))).session == 0
    assert say(device, chunk(3, 1024)) == [Fault(3, 1024, ErrorCode.NO_SESSION)]


@pytest.mark.parametrize(
    ("offset", "count"),
    [(64, 128), (0, 100), (3072, 128), (2944, 256), (0xFFFFFF80, 128), (0x80000000, 1024), (3071, 1)],
)
def test_refuses_chunks_out_of_range(device: SimulatedDevice, offset: int, count: int) -> None:
    packet = wire.encode_chunk(PIXELS, 1, offset, 0, bytes(count))
    assert say(device, packet) == [Fault(1, offset, ErrorCode.BAD_RANGE)]


def test_a_network_that_does_not_start(make_device: MakeDevice) -> None:
    device = make_device(TEST_INPUT_BYTES=300, TEST_INIT_FAILS=3)
    say(device, wire.encode_hello_request(1))
    frame = FRAME[:300]
    for sequence in (1, 2):
        heard = say(device, chunk(sequence, 0, 1024, frame))
        assert heard == [Ack(sequence, 0, 300), Fault(sequence, 3, ErrorCode.MODEL_FAILED)]
    assert say(device, chunk(1, 0, 0, frame)) == [Fault(1, 0, ErrorCode.UNKNOWN_FRAME)]
    assert hello_of(say(device, wire.encode_hello_request(2))).session == 2


def test_a_run_that_fails_leaves_no_answer(make_device: MakeDevice) -> None:
    device = make_device(TEST_INPUT_BYTES=300, TEST_INVOKE_FAILS=5)
    say(device, wire.encode_hello_request(1))
    frame = FRAME[:300]
    assert say(device, chunk(1, 0, 1024, frame))[1:] == [Answer(1, 7, 7, expected_scores(frame))]
    assert say(device, chunk(2, 0, 1024, frame))[1:] == [Fault(2, 5, ErrorCode.MODEL_FAILED)]
    assert say(device, chunk(1, 0, 0, frame))[:1] == [Answer(1, 7, 7, expected_scores(frame))]
    assert say(device, chunk(2, 0, 1024, frame))[1:] == [Answer(2, 7, 7, expected_scores(frame))]


def test_the_last_chunk_may_be_short(make_device: MakeDevice) -> None:
    device = make_device(TEST_INPUT_BYTES=300)
    say(device, wire.encode_hello_request(1))
    frame = FRAME[:300]
    assert say(device, chunk(1, 256, 128, frame)) == [Ack(1, 256, 44)]
    assert say(device, chunk(1, 0, 256, frame))[1:] == [Answer(1, 7, 7, expected_scores(frame))]


def test_refuses_more_frames_than_it_holds(device: SimulatedDevice) -> None:
    say(device, chunk(1, 0) + chunk(2, 0))
    assert say(device, chunk(3, 1024)) == [Fault(3, 1024, ErrorCode.NO_BUFFER)]


def test_one_buffer(make_device: MakeDevice) -> None:
    device = make_device(EK_FRAME_BUFFERS=1)
    say(device, wire.encode_hello_request(1))
    first = send_frame(device, 1)
    assert say(device, chunk(1, 0)) == [first, Ack(1, 0, 1024)]
    say(device, chunk(2, 0))
    assert say(device, chunk(3, 0)) == [Fault(3, 0, ErrorCode.NO_BUFFER)]


def test_chunks_of_a_frame_must_agree(device: SimulatedDevice) -> None:
    say(device, chunk(1, 0))
    assert say(device, chunk(1, 1024, kind=TENSOR)) == [Fault(1, 1024, ErrorCode.CONFLICT)]
    assert say(device, chunk(1, 1024, check=1)) == [Fault(1, 1024, ErrorCode.CONFLICT)]


def test_a_frame_that_fails_its_check_is_forgotten(device: SimulatedDevice) -> None:
    for start in (0, 1024):
        say(device, chunk(1, start, check=1))
    heard = say(device, chunk(1, 2048, check=1))
    assert heard == [Ack(1, 2048, 1024), Fault(1, 0, ErrorCode.FRAME_CHECK)]
    assert send_frame(device, 1).scores == expected_scores(FRAME)


@pytest.mark.parametrize(
    ("body", "code"),
    [
        (b"\x01\x00", ErrorCode.BAD_LENGTH),
        (b"\x01" + bytes(5), ErrorCode.BAD_LENGTH),
        (b"\x02" + bytes(11), ErrorCode.BAD_LENGTH),
        (b"\x04\x00", ErrorCode.BAD_LENGTH),
        (b"\x00", ErrorCode.UNKNOWN_TYPE),
        (b"\x06abc", ErrorCode.UNKNOWN_TYPE),
        (b"\x05abc", ErrorCode.BAD_LENGTH),
        (b"\x05" + bytes(8), ErrorCode.NO_CAMERA),
        (b"\x04", ErrorCode.NO_TRACE),
    ],
)
def test_refuses_other_packets(device: SimulatedDevice, body: bytes, code: ErrorCode) -> None:
    assert say(device, wire.encode(body)) == [Fault(body[0], 0, code)]


def test_says_nothing_to_its_own_echo(device: SimulatedDevice) -> None:
    own = device.arrive(wire.encode(b"\x05"))
    assert device.arrive(own) == b""


def test_trace_of_a_debug_build(make_device: MakeDevice) -> None:
    device = make_device(EK_TRACE=1)
    assert hello_of(say(device, wire.encode_hello_request(1))).has_trace
    assert say(device, wire.encode_trace_request()) == [Fault(4, 0, ErrorCode.NO_TRACE)]
    scores = send_frame(device, 1).scores
    crcs = (zlib.crc32(scores[:4]), zlib.crc32(scores))
    assert say(device, wire.encode_trace_request()) == [Trace(crcs)]


def test_every_single_flipped_bit_of_a_chunk_is_put_right_or_refused(device: SimulatedDevice) -> None:
    packet = chunk(1, 0, 128)
    repaired = 0
    for bit in range(8 * len(packet)):
        damaged = bytearray(packet)
        damaged[bit // 8] ^= 1 << bit % 8
        # Then a whole one: whatever came before, it must be taken.
        heard = say(device, bytes(damaged) + packet)
        assert set(heard) == {Ack(1, 0, 128)}, bit
        repaired += len(heard) - 1
    # What is left are the delimiters, the code bytes of COBS, and bytes that became zero.
    assert repaired > 0.9 * 8 * len(packet)
    hello = hello_of(say(device, wire.encode_hello_request(0)))
    assert hello.repaired_chunks <= repaired  # a flipped delimiter needs no repair: the next one serves
    for start in range(128, INPUT_BYTES, 128):
        heard = say(device, chunk(1, start, 128))
    assert heard[1] == Answer(1, 7, 7, expected_scores(FRAME))


def test_no_two_flipped_bits_pass(device: SimulatedDevice) -> None:
    """A CRC-32 tells one flipped bit from two at these lengths, so no pair is mistaken for a single one."""
    body = cobs.decode(chunk(1, 0, 1024).strip(b"\0"))
    for first in range(3, 8 * len(body), 97):
        for distance in (1, 2, 8, 31, 32, 33, 1000, 8001):
            damaged = bytearray(body)
            for bit in (first, first + distance):
                if bit < 8 * len(body):
                    damaged[bit // 8] ^= 1 << bit % 8
            if first + distance < 8 * len(body):
                assert device.arrive(b"\0" + cobs.encode(bytes(damaged)) + b"\0") == b"", (first, distance)


def test_short_packets_are_not_repaired(device: SimulatedDevice) -> None:
    body = bytearray(struct.pack("<BI", PacketType.HELLO_REQUEST, 9))
    body += struct.pack("<I", zlib.crc32(body))
    body[2] ^= 0x40
    assert device.arrive(b"\0" + cobs.encode(bytes(body)) + b"\0") == b""


@pytest.mark.parametrize("noise", [b"boot: hello\r\n", b"\0\0\0", b"\xff" * 3000, bytes(range(1, 256)) * 9])
def test_noise_does_not_cost_the_packet_after_it(device: SimulatedDevice, noise: bytes) -> None:
    assert say(device, noise + wire.encode_hello_request(7))
    assert say(device, chunk(1, 0)[:500] + chunk(1, 1024)) == [Ack(1, 1024, 1024)]


def test_long_answers_leave_in_pieces(make_device: MakeDevice) -> None:
    """HELLO is longer than a COBS block; the Python package must decode what the C stuffed."""
    hello = make_device().take()
    body = cobs.decode(hello.strip(b"\0"))
    assert zlib.crc32(body[:-4]) == int.from_bytes(body[-4:], "little")
    assert hello == b"\0" + cobs.encode(body) + b"\0"
    packet = wire.parse(body[:-4])
    assert isinstance(packet, HelloPacket)
    assert {field for field, _ in packet.fields} == set(Field)


def test_many_scores(make_device: MakeDevice) -> None:
    device = make_device(TEST_OUTPUT_BYTES=4000)
    say(device, wire.encode_hello_request(1))
    assert send_frame(device, 1).scores == expected_scores(FRAME) * 500


@pytest.mark.parametrize("cpu", ["cortex_m0plus", "cortex_m4", "cortex_m55"])
def test_at_most_2_kb_of_code_on_a_cortex_m(cpu: str, tmp_path: Path) -> None:
    sizes = code_bytes(cpu, tmp_path)
    assert 1000 < sizes["code"] <= 2048, sizes
    assert sizes["constants"] <= 256, sizes
