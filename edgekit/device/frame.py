"""Packets and their bytes: 0x00, COBS(body, CRC-32), 0x00. No input, no output, no clock.

docs/reference/protocol.md describes every field. Whatever does not decode becomes `Noise`: boot messages,
log lines and damaged packets look alike until someone reads them.
"""

import struct
import zlib
from collections.abc import Iterator
from dataclasses import dataclass
from enum import IntEnum

from cobs import cobs

PROTOCOL_VERSION = 1
CHUNK_UNIT = 128
"""Chunks start and end at multiples of this many bytes of the frame, its end excepted."""
CHUNK_MAX = 1024
MAX_SEGMENT = 65536
"""The longest packet that the decoder waits for, in bytes on the wire."""

_CHUNK = struct.Struct("<BIII")
_ACK = struct.Struct("<III")
_ANSWER = struct.Struct("<IQQI")
_SEEN = struct.Struct("<IQQQI")
_PICTURE = struct.Struct("<II")
MAX_PICTURE_BYTES = 1024
"""Pixels in one PICTURE."""
_WATCH = struct.Struct("<BII")
_FAULT = struct.Struct("<IIB")
_CRC = struct.Struct("<I")
_PRINTABLE = frozenset(b"\t\r\n\x1b") | frozenset(range(0x20, 0x7F))
_MIN_SEGMENT = 6  # one COBS code byte, a type and the CRC


class PacketType(IntEnum):
    """The first byte of a body; from 0x80 on the device speaks."""

    HELLO_REQUEST = 0x01
    CHUNK_PIXELS = 0x02
    CHUNK_TENSOR = 0x03
    TRACE_REQUEST = 0x04
    WATCH_REQUEST = 0x05
    HELLO = 0x81
    ACK = 0x82
    PREDICTION = 0x83
    ERROR = 0x84
    TRACE = 0x85
    SEEN = 0x86
    PICTURE = 0x87


class ErrorCode(IntEnum):
    """Why the device answered with an ERROR packet."""

    NO_SESSION = 1
    UNKNOWN_TYPE = 2
    BAD_LENGTH = 3
    BAD_RANGE = 4
    NO_PIXELS = 5
    NO_BUFFER = 6
    CONFLICT = 7
    FRAME_CHECK = 8
    UNKNOWN_FRAME = 9
    NO_TRACE = 10
    MODEL_FAILED = 11
    NO_CAMERA = 12
    CAMERA_FAILED = 13


@dataclass(frozen=True, slots=True)
class HelloPacket:
    """The device describes itself: field ids and their bytes, in the order of the wire."""

    fields: tuple[tuple[int, bytes], ...]


@dataclass(frozen=True, slots=True)
class Ack:
    """`count` bytes from `offset` of frame `seq` are in the device's buffer."""

    seq: int
    offset: int
    count: int


@dataclass(frozen=True, slots=True)
class Answer:
    """The scores of frame `seq` (one int8 byte each) and how long they took on the device's clock."""

    seq: int
    preprocess_ticks: int
    invoke_ticks: int
    scores: bytes


@dataclass(frozen=True, slots=True)
class Fault:
    """The device refused a packet. `code` may be one that this version does not know."""

    seq: int
    offset: int
    code: int


@dataclass(frozen=True, slots=True)
class Trace:
    """The CRC-32 of every step's output in the last run of a debug build."""

    crcs: tuple[int, ...]


@dataclass(frozen=True, slots=True)
class Seen:
    """The scores of one frame of the device's own camera, and how long it took on the device's clock."""

    seq: int
    capture_ticks: int
    preprocess_ticks: int
    invoke_ticks: int
    scores: bytes


@dataclass(frozen=True, slots=True)
class Picture:
    """A piece of the frame that the next `Seen` of the same number is about."""

    seq: int
    offset: int
    data: bytes


@dataclass(frozen=True, slots=True)
class Noise:
    """Bytes between two delimiters that are no valid packet of the device's."""

    data: bytes

    @property
    def text(self) -> str:
        """The bytes as text if that is what they are, else an empty string."""
        data = self.data.strip(b"\r\n ")
        text = data.decode("ascii", "replace")
        printable = sum(byte in _PRINTABLE for byte in data)
        return text if len(text) > 2 and printable >= 0.9 * len(data) else ""


Packet = HelloPacket | Ack | Answer | Fault | Trace | Seen | Picture


def encode(body: bytes) -> bytes:
    """Return a body as it travels: delimiter, COBS of the body and its CRC-32, delimiter."""
    stuffed: bytes = cobs.encode(body + _CRC.pack(zlib.crc32(body)))
    return b"\0" + stuffed + b"\0"


def encode_hello_request(session: int) -> bytes:
    """Ask for a HELLO; a new session number other than 0 makes the device forget all frames."""
    return encode(struct.pack("<BI", PacketType.HELLO_REQUEST, session))


def encode_trace_request() -> bytes:
    """Ask for the trace of the last run."""
    return encode(bytes([PacketType.TRACE_REQUEST]))


def encode_watch_request(count: int, every: int) -> bytes:
    """Ask for `count` predictions on the device's camera from now on, with each `every`th frame (0: none)."""
    return encode(_WATCH.pack(PacketType.WATCH_REQUEST, count, every))


def encode_chunk(kind: PacketType, seq: int, offset: int, check: int, data: bytes) -> bytes:
    """Return one piece of a frame; an empty one asks what the device knows of the frame."""
    return encode(_CHUNK.pack(kind, seq, offset, check) + data)


def frame_check(frame: bytes) -> int:
    """Return the check of a whole frame: the CRC-32 of its bytes from the last to the first."""
    return zlib.crc32(frame[::-1])


def chunk_wire_bytes(count: int) -> int:
    """Return the most bytes that a chunk with `count` bytes of a frame takes on the wire."""
    body = _CHUNK.size + count + _CRC.size
    return body + body // 254 + 3


def parse(body: bytes) -> Packet | None:
    """Read the body (without CRC) of a packet from the device; None if it is not one."""
    try:
        match body[0]:
            case PacketType.HELLO:
                return HelloPacket(tuple(_fields(body[1:])))
            case PacketType.ACK:
                return Ack(*_ACK.unpack(body[1:]))
            case PacketType.PREDICTION:
                seq, preprocess, invoke, count = _ANSWER.unpack_from(body, 1)
                scores = body[1 + _ANSWER.size :]
                return Answer(seq, preprocess, invoke, scores) if len(scores) == count else None
            case PacketType.ERROR:
                return Fault(*_FAULT.unpack_from(body, 1))
            case PacketType.TRACE:
                (count,) = _CRC.unpack_from(body, 1)
                if len(body) != 5 + 4 * count:
                    return None
                return Trace(struct.unpack_from(f"<{count}I", body, 5))
            case PacketType.SEEN:
                seq, capture, preprocess, invoke, count = _SEEN.unpack_from(body, 1)
                scores = body[1 + _SEEN.size :]
                return Seen(seq, capture, preprocess, invoke, scores) if len(scores) == count else None
            case PacketType.PICTURE:
                seq, offset = _PICTURE.unpack_from(body, 1)
                piece = body[1 + _PICTURE.size :]
                return Picture(seq, offset, piece) if 0 < len(piece) <= MAX_PICTURE_BYTES else None
    except (struct.error, IndexError):
        return None
    return None


def _fields(data: bytes) -> Iterator[tuple[int, bytes]]:
    position = 0
    while position < len(data):
        field, size = data[position], data[position + 1]
        position += 2 + size
        if position > len(data):
            raise IndexError
        yield field, data[position - size : position]


class Decoder:
    """Turns a stream of bytes, however it is cut, into packets and noise; holds little more than a packet."""

    def __init__(self) -> None:
        self._rest = bytearray()
        self._oversized = False

    @property
    def pending(self) -> bytes:
        """What has come since the last delimiter."""
        return bytes(self._rest)

    def feed(self, data: bytes) -> list[Packet | Noise]:
        """Take the next bytes of the stream and return what they complete, in order."""
        *complete, rest = data.split(b"\0")
        found: list[Packet | Noise] = []
        for segment in complete:
            self._rest += segment
            if self._rest:
                found.append(self._decode(bytes(self._rest)))
                self._rest.clear()
            self._oversized = False
        self._rest += rest
        if len(self._rest) > MAX_SEGMENT:
            found.append(Noise(bytes(self._rest)))
            self._rest.clear()
            self._oversized = True
        return found

    def _decode(self, segment: bytes) -> Packet | Noise:
        if self._oversized or len(segment) < _MIN_SEGMENT:
            return Noise(segment)
        try:
            body = cobs.decode(segment)
        except cobs.DecodeError:
            return Noise(segment)
        content, received = body[: -_CRC.size], body[-_CRC.size :]
        if not content or _CRC.pack(zlib.crc32(content)) != received:
            return Noise(segment)
        return parse(content) or Noise(segment)
