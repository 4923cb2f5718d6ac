"""Packets and their bytes, without a device."""

import zlib

import pytest
from cobs import cobs
from hypothesis import given
from hypothesis import strategies as st

from edgekit.device import frame as wire
from edgekit.device.frame import (
    Ack,
    Answer,
    Decoder,
    Fault,
    HelloPacket,
    Noise,
    PacketType,
    Picture,
    Seen,
    Trace,
)

U32 = st.integers(0, 0xFFFFFFFF)
U64 = st.integers(0, (1 << 64) - 1)


def u32(*values: int) -> bytes:
    return b"".join(value.to_bytes(4, "little") for value in values)


def device_bytes(packet: wire.Packet) -> bytes:
    """Encode a packet as a device does: written from the document, not from the code."""
    match packet:
        case Ack(seq, offset, count):
            return wire.encode(b"\x82" + u32(seq, offset, count))
        case Answer(seq, preprocess, invoke, scores):
            ticks = preprocess.to_bytes(8, "little") + invoke.to_bytes(8, "little")
            return wire.encode(b"\x83" + u32(seq) + ticks + u32(len(scores)) + scores)
        case Fault(seq, offset, code):
            return wire.encode(b"\x84" + u32(seq, offset) + bytes([code]))
        case Trace(crcs):
            return wire.encode(b"\x85" + u32(len(crcs), *crcs))
        case Seen(seq, capture, preprocess, invoke, scores):
            ticks = b"".join(value.to_bytes(8, "little") for value in (capture, preprocess, invoke))
            return wire.encode(b"\x86" + u32(seq) + ticks + u32(len(scores)) + scores)
        case Picture(seq, offset, data):
            return wire.encode(b"\x87" + u32(seq, offset) + data)
        case HelloPacket(fields):
            return wire.encode(b"\x81" + b"".join(bytes([i, len(data)]) + data for i, data in fields))


PACKETS = st.one_of(
    st.builds(Ack, U32, U32, U32),
    st.builds(Answer, U32, U64, U64, st.binary(max_size=600)),
    st.builds(Fault, U32, U32, st.integers(0, 255)),
    st.builds(Trace, st.lists(U32, max_size=70).map(tuple)),
    st.builds(Seen, U32, U64, U64, U64, st.binary(max_size=600)),
    st.builds(Picture, U32, U32, st.binary(min_size=1, max_size=1024)),
    st.builds(HelloPacket, st.lists(st.tuples(st.integers(0, 255), st.binary(max_size=255))).map(tuple)),
)


def cut(data: bytes, sizes: list[int]) -> list[bytes]:
    pieces, position = [], 0
    for size in sizes:
        pieces.append(data[position : position + size])
        position += size
    return [*pieces, data[position:]]


@given(st.lists(PACKETS, max_size=5), st.lists(st.integers(0, 40), max_size=20))
def test_packets_survive_any_cutting_of_the_stream(packets: list[wire.Packet], sizes: list[int]) -> None:
    decoder = Decoder()
    stream = b"".join(map(device_bytes, packets))
    assert [found for piece in cut(stream, sizes) for found in decoder.feed(piece)] == packets


@given(PACKETS, st.binary(max_size=300), PACKETS)
def test_after_any_garbage_the_next_packet_is_found(
    first: wire.Packet, garbage: bytes, second: wire.Packet
) -> None:
    found = Decoder().feed(device_bytes(first) + garbage + device_bytes(second))
    assert found[0] == first
    assert found[-1] == second
    assert all(isinstance(item, Noise) for item in found[1:-1])


@given(PACKETS, st.data())
def test_a_damaged_packet_is_never_another_one(packet: wire.Packet, data: st.DataObject) -> None:
    stream = bytearray(device_bytes(packet))
    for _ in range(data.draw(st.integers(1, 3))):
        position = data.draw(st.integers(0, len(stream) - 1))
        stream[position] ^= data.draw(st.integers(1, 255))
    for found in Decoder().feed(bytes(stream) + b"\0"):
        assert isinstance(found, Noise) or found == packet


@given(st.binary(max_size=400))
def test_any_body_parses_or_does_not(body: bytes) -> None:
    for start in (body, b"\x81" + body, b"\x83" + body, b"\x85" + body, b"\x87" + body):
        found = wire.parse(start)
        assert found is None or device_bytes(found).strip(b"\0")


@pytest.mark.parametrize(
    "body",
    [
        *(b"", b"\x01", b"\x7f", b"\x90"),
        *(b"\x81\x01", b"\x81\x01\x05ab", b"\x82abc", b"\x82" + bytes(13), b"\x84" + bytes(8)),
        *(b"\x83" + bytes(23), b"\x83" + bytes(25), b"\x83" + bytes(20) + u32(5) + bytes(4)),
        *(b"\x86" + bytes(31), b"\x87" + bytes(8), b"\x87" + bytes(8 + 1025)),
        *(b"\x85\1\0\0\0", b"\x85\1\0\0\0" + bytes(5), b"\x85\xff\xff\xff\xff"),
    ],
)
def test_bodies_with_wrong_lengths_are_no_packets(body: bytes) -> None:
    assert wire.parse(body) is None


def test_what_the_host_says() -> None:
    packet = wire.encode_chunk(PacketType.CHUNK_TENSOR, 0x01020304, 1024, 0xA0B0C0D0, b"\0\1\2")
    assert packet[:1] == packet[-1:] == b"\0"
    body = cobs.decode(packet[1:-1])
    assert body[:-4] == bytes.fromhex("03 04030201 00040000 d0c0b0a0 000102")
    assert body[-4:] == zlib.crc32(body[:-4]).to_bytes(4, "little")
    assert wire.frame_check(b"abc") == zlib.crc32(b"cba")


@given(st.integers(0, 1024), st.integers(0, 255))
def test_chunks_are_no_longer_than_promised(count: int, fill: int) -> None:
    packet = wire.encode_chunk(
        PacketType.CHUNK_PIXELS, 0x01010101, 0x01010101, 0x01010101, bytes([fill]) * count
    )
    assert len(packet) <= wire.chunk_wire_bytes(count)


def test_log_lines_are_text_and_damage_is_not() -> None:
    (line, other) = Decoder().feed(b"I (12) boot: hello\r\nsecond\r\n\0\x80\x01\x02\xff\x00")
    assert isinstance(line, Noise)
    assert line.text == "I (12) boot: hello\r\nsecond"
    assert isinstance(other, Noise)
    assert other.text == ""


def test_an_endless_stream_without_delimiters_is_not_kept() -> None:
    decoder = Decoder()
    found = []
    for _ in range(300):
        found += decoder.feed(b"x" * 1000)
    assert len(decoder.pending) <= wire.MAX_SEGMENT
    assert len(found) == 4
    # The rest of it is not taken for the beginning of a packet, and the next one is read.
    ack = Ack(1, 2, 3)
    assert decoder.feed(device_bytes(ack))[-1] == ack
