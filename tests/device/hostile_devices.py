"""Devices that speak edgekit's protocol, or something like it, and are of no use."""

import os
import struct
import zlib
from dataclasses import dataclass, field

from cobs import cobs
from hostile_line import Peer

from edgekit.device import frame as wire

SHAPE = (8, 8, 3)
BYTES = 192


@dataclass
class Hello:
    """What a device says of itself."""

    board: bytes = b"hostile"
    contract: bytes = bytes(32)
    model: bytes = bytes(32)
    buffers: int = 2
    window: int = 4000
    features: int = 7
    outputs: int = 3

    def packet(self, session: int) -> bytes:
        """Return it as it travels."""
        number = struct.Struct("<I").pack
        fields = {
            **{1: number(1), 2: self.board, 3: b"1.0", 4: b"compiled", 5: self.contract, 6: self.model},
            **{7: struct.pack("<4I", 1, *SHAPE), 8: number(BYTES), 9: number(self.outputs), 10: number(528)},
            **{11: number(self.buffers), 12: number(self.window), 13: number(1024), 14: number(0)},
            **{
                15: number(0),
                16: number(self.features),
                17: number(7),
                18: struct.pack("<3I", session, 0, 0),
            },
        }
        return wire.encode(b"\x81" + b"".join(bytes([i, len(data)]) + data for i, data in fields.items()))


def ack(seq: int, offset: int, count: int) -> bytes:
    return wire.encode(struct.pack("<BIII", 0x82, seq, offset, count))


def answer(seq: int, scores: bytes = b"\1\2\3") -> bytes:
    return wire.encode(struct.pack("<BIQQI", 0x83, seq, 1, 1, len(scores)) + scores)


def error(code: int, seq: int = 0, offset: int = 0) -> bytes:
    return wire.encode(struct.pack("<BIIB", 0x84, seq, offset, code))


def seen(seq: int, scores: bytes = b"\1\2\3") -> bytes:
    return wire.encode(struct.pack("<BIQQQI", 0x86, seq, 1, 1, 1, len(scores)) + scores)


def picture(seq: int, offset: int, data: bytes) -> bytes:
    return wire.encode(struct.pack("<BII", 0x87, seq, offset) + data)


TRACE = wire.encode(struct.pack("<BII", 0x85, 1, 7))


@dataclass
class Device(Peer):
    """A device that behaves, unless a subclass says otherwise."""

    hello: Hello = field(default_factory=Hello)
    session: int = 0
    chunks: int = 0

    def __post_init__(self) -> None:
        super().__init__()
        self._rest = b""

    def hear(self, data: bytes) -> None:
        *segments, self._rest = (self._rest + data).split(b"\0")
        for segment in filter(None, segments):
            body = cobs.decode(segment)
            assert struct.pack("<I", zlib.crc32(body[:-4])) == body[-4:]
            if body[0] == wire.PacketType.HELLO_REQUEST:
                (self.session,) = struct.unpack_from("<I", body, 1)
                self.on_hello()
            elif body[0] in (wire.PacketType.CHUNK_PIXELS, wire.PacketType.CHUNK_TENSOR):
                self.chunks += 1
                seq, offset = struct.unpack_from("<II", body, 1)
                self.on_chunk(seq, offset, len(body) - 17)
            elif body[0] == wire.PacketType.WATCH_REQUEST:
                self.on_watch()

    def say(self, *packets: bytes) -> None:
        self.out += b"".join(packets)

    def on_hello(self) -> None:
        self.say(self.hello.packet(self.session))

    def on_chunk(self, seq: int, offset: int, count: int) -> None:
        self.say(ack(seq, offset, count), answer(seq))

    def on_watch(self) -> None:
        pass


class Deaf(Device):
    def hear(self, data: bytes) -> None:
        pass


class Garbage(Deaf):
    def idle(self) -> None:
        self.say(os.urandom(4096))


class Dribble(Deaf):
    period_s = 1.0

    def idle(self) -> None:
        self.say(b"x")


class DribbleOfDelimiters(Deaf):
    period_s = 1.0

    def idle(self) -> None:
        self.say(b"\0")


class LineWithoutEnd(Deaf):
    def idle(self) -> None:
        self.say(b"x" * 65536)


class SlowHello(Device):
    """Its HELLO needs 20 s, and more of it comes all the time."""

    period_s = 0.1

    def on_hello(self) -> None:
        self.waiting = getattr(self, "waiting", b"") or self.hello.packet(self.session)

    def idle(self) -> None:
        if waiting := getattr(self, "waiting", b""):
            self.say(waiting[:1])
            self.waiting = waiting[1:]


class Echo(Device):
    def hear(self, data: bytes) -> None:
        self.say(data)


class Boots(Deaf):
    """It says HELLO as after a start, more than a thousand times."""

    period_s = 0.01

    def idle(self) -> None:
        self.say(self.hello.packet(0))


class LogOnly(Deaf):
    def idle(self) -> None:
        self.say(b"I (123) boot: this is a log line of a device\r\n" * 50)


class LogBetweenDelimiters(Deaf):
    def idle(self) -> None:
        self.say(b"\0I (123) boot: line\r\n\0" * 100)


class HelloOnly(Device):
    def on_chunk(self, seq: int, offset: int, count: int) -> None:
        pass


@dataclass
class Repeats(HelloOnly):
    """It greets, and from then on says one thing over and over."""

    packet: bytes = b""

    def idle(self) -> None:
        if self.chunks:
            self.say(self.packet or self.hello.packet(self.session))


class AcksOnly(Device):
    def on_chunk(self, seq: int, offset: int, count: int) -> None:
        self.say(ack(seq, offset, count))


class KnowsNothing(Device):
    """Whatever it is sent, it has never heard of the frame."""

    def on_chunk(self, seq: int, offset: int, count: int) -> None:
        if not count:
            self.say(error(wire.ErrorCode.UNKNOWN_FRAME, seq, offset))


class AnswersQuestionsOnly(Device):
    """Chunks vanish, questions are answered at once."""

    def on_chunk(self, seq: int, offset: int, count: int) -> None:
        if not count:
            self.say(ack(seq, offset, 0))


@dataclass
class Refuses(Device):
    code: int = 0

    def on_chunk(self, seq: int, offset: int, count: int) -> None:
        self.say(ack(seq, offset, count), error(self.code, seq))


class AnswersAnother(Device):
    def on_chunk(self, seq: int, offset: int, count: int) -> None:
        self.say(ack(seq, offset, count), answer(seq + 1000))


class AnswersWhatIsNotSent(Device):
    """It never answers frame 0, but those behind it, that the host has not even sent."""

    def on_chunk(self, seq: int, offset: int, count: int) -> None:
        pass

    def idle(self) -> None:
        if self.chunks:
            self.say(*(answer(seq) for seq in range(1, 300)))


class Restarts(Device):
    def on_chunk(self, seq: int, offset: int, count: int) -> None:
        self.say(self.hello.packet(0))


class HalfPackets(Device):
    def on_chunk(self, seq: int, offset: int, count: int) -> None:
        self.say(ack(seq, offset, count)[:9])


class SeesNothing(Device):
    """It has been asked to watch, and shows one prediction over and over."""

    def idle(self) -> None:
        if self.session:
            self.say(seen(5))


class ShowsOneCorner(Device):
    """It sends the beginning of one picture over and over."""

    def idle(self) -> None:
        if self.session:
            self.say(picture(5, 0, b"abc"))
