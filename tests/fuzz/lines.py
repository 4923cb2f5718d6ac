"""Targets that take what firmware says over a line, ours and others'."""

import contextlib
import struct
from collections.abc import Iterator
from unittest import mock

import numpy as np
from device.sscma_device import jpeg, stored

from edgekit.device import frame as wire
from edgekit.device import sscma_answers
from edgekit.device.frame import PacketType
from edgekit.device.hello import Hello
from edgekit.device.mlperf_tiny import MlperfDevice, Replies
from edgekit.device.session import Session
from edgekit.device.sscma import SscmaDevice
from edgekit.device.sscma_framing import Messages
from edgekit.errors import UsageError
from edgekit.live.protocols import mlperf_tiny
from fuzz.target import Target


class Clock:
    """Time that passes when somebody waits or asks for it."""

    def __init__(self) -> None:
        self.now = 0.0

    def monotonic(self) -> float:
        self.now += 1e-4
        return self.now

    def sleep(self, seconds: float) -> None:
        self.now += seconds


class Peer:
    """The other end of a line: says `data` piece by piece, then nothing, and takes whatever it is told."""

    name = "fuzz"

    def __init__(self, data: bytes, clock: Clock) -> None:
        self._data = data
        self._clock = clock

    def exchange(self, data: bytes, timeout_s: float) -> tuple[int, bytes]:
        self._clock.now += 0.01 if self._data else max(timeout_s, 0.01)
        said, self._data = self._data[:_PIECE], self._data[_PIECE:]
        return len(data), said

    def close(self) -> None: ...


_PIECE = 300


@contextlib.contextmanager
def virtual_time() -> Iterator[Clock]:
    """Let a clock of our own stand for the machine's: no input waits in earnest."""
    clock = Clock()
    with mock.patch("time.monotonic", clock.monotonic), mock.patch("time.sleep", clock.sleep):
        yield clock


def records(data: bytes) -> Iterator[bytes]:
    """Cut bytes into pieces that each begin with their length."""
    at = 0
    while at < len(data):
        yield data[at + 1 : at + 1 + data[at]]
        at += 1 + data[at]


# Our own protocol


def frame(data: bytes) -> None:
    """Bytes as they are, or packets with a right check: the first byte says which."""
    stream = data[1:]
    if data[:1] and data[0] & 1:
        stream = b"".join(wire.encode(body) for body in records(stream))
    pieces = wire.Decoder()
    cut = [packet for i in range(0, len(stream), 7) for packet in pieces.feed(stream[i : i + 7])]
    found = wire.Decoder().feed(stream)
    assert cut == found, "packets depend on how the line cuts them"
    for packet in found:
        if isinstance(packet, wire.Noise):
            assert isinstance(packet.text, str)
        elif isinstance(packet, wire.HelloPacket):
            Hello.from_packet(packet)


def hello(session: int) -> bytes:
    """Return the body of a sound HELLO."""
    numbers = {1: 1, 8: 300, 9: 3, 10: 1000, 11: 2, 12: 2048, 13: 512, 14: 0, 15: 0, 16: 7, 17: 4}
    fields = {number: struct.pack("<I", value) for number, value in numbers.items()}
    fields |= {18: struct.pack("<III", session, 0, 0), 7: struct.pack("<4I", 1, 10, 10, 3)}
    fields |= {2: b"b", 3: b"f", 4: b"r", 5: b"c" * 32, 6: b"m" * 32}
    return b"\x81" + b"".join(bytes([key, len(value)]) + value for key, value in fields.items())


_RECORD = 14
_MOST_RECORDS = 400


def session(data: bytes) -> None:
    """A hostile device: records of an operation and 13 bytes, with frames and a watch under way."""
    host = Session(5, 0.0, 10.0)
    now = 0.0
    host.bytes_to_send(now)
    host.feed(wire.encode(hello(5)), now)
    for _ in range(3):
        host.submit(bytes(300), PacketType.CHUNK_TENSOR, now)
    answered: list[int] = []
    for at in range(0, min(len(data), _RECORD * _MOST_RECORDS), _RECORD):
        operation, body = data[at], data[at + 1 : at + _RECORD].ljust(_RECORD - 1, b"\0")
        match operation & 15:
            case 10:
                host.feed(wire.encode(hello(host._number if body[0] & 1 else 9)), now)
            case 11:
                now += body[0] / 25
            case 12:
                host.watch(1, now)
            case 15:
                host.feed(body, now)
            case kind:
                host.feed(wire.encode(_packet(kind, operation >> 4, body)), now)
        host.bytes_to_send(now)
        host.next_deadline()
        answered += [result.answer.seq for result in host.take_results()]
        host.take_notes()
        host.take_sights()
    assert answered == sorted(set(answered)), f"answers {answered}"


def _packet(kind: int, size: int, body: bytes) -> bytes:
    """Return the body of a device's packet: of any type, or one that could be true."""
    seq, second = body[0] % 5, body[1]
    match kind:
        case 7:
            return struct.pack("<BIIB", PacketType.ERROR, body[0], second, body[2])
        case 8:
            count = (0, 128, 44, 300)[body[2] % 4]
            return struct.pack("<BIII", PacketType.ACK, body[0], 128 * (second % 4), count)
        case 9:
            return struct.pack("<BIQQI", PacketType.PREDICTION, seq, 1, 1, 3) + b"abc"
        case 13:
            return struct.pack("<BIQQQI", PacketType.SEEN, seq, 1, 1, 1, 3) + b"abc"
        case 14:
            return struct.pack("<BII", PacketType.PICTURE, seq, second) + bytes(100)
        case _:
            return bytes([PacketType.HELLO + kind]) + body[:size]


def _frame_seeds() -> list[bytes]:
    bodies = [
        hello(0),
        struct.pack("<BIII", PacketType.ACK, 1, 128, 44),
        struct.pack("<BIQQI", PacketType.PREDICTION, 1, 2, 3, 3) + b"abc",
        struct.pack("<BIIB", PacketType.ERROR, 1, 2, 3),
        struct.pack("<BIII", PacketType.TRACE, 2, 7, 8),
        struct.pack("<BIQQQI", PacketType.SEEN, 1, 2, 3, 4, 3) + b"abc",
        struct.pack("<BII", PacketType.PICTURE, 1, 0) + bytes(50),
    ]
    framed = b"\1" + b"".join(bytes([len(body)]) + body for body in bodies)
    return [framed, b"\0" + b"".join(map(wire.encode, bodies)), b"\0boot: hello\r\n" + wire.encode(bodies[1])]


def _session_seeds() -> list[bytes]:
    def script(*operations: tuple[int, int]) -> bytes:
        return b"".join(bytes([code, first]).ljust(_RECORD, b"\1") for code, first in operations)

    restart = script((10, 0), (10, 1), (11, 30), (10, 1))
    short = [
        script((8, 0), (9, 0), (9, 1), (9, 2), (11, 100)),
        restart + script((9, 0), (7, 8), (7, 9)),
        script((12, 0), (14, 1), (13, 1), (14, 2), (13, 2), (12, 1), (11, 250)),
        script((0xD1, 3), (15, 5), (7, 1), (10, 1), (9, 1)),
    ]
    # libFuzzer makes no inputs much longer than those that it begins with.
    return [*short, b"".join(short[:3]) * 5]


# Others' firmware


def sscma(data: bytes) -> None:
    """What Seeed's firmware says: each message alone, then as the other end of a client."""
    messages = Messages()
    messages.feed(data)
    while (message := messages.take()) is not None:
        said = message.data
        sscma_answers.prediction(said)
        sscma_answers.invocation(said, 2)
        sscma_answers.model_identity(said, sscma_answers.model_info(said))
        sscma_answers.device_identity(said, said, said)
    with virtual_time() as clock, mock.patch("secrets.token_hex", lambda _: "aa"):
        device = SscmaDevice.open(Peer(data, clock), timeout_s=3)
        device.invoke(pictures=True)
        for count, _ in enumerate(device.predictions()):
            if count == _MOST_PREDICTIONS:
                break


_MOST_PREDICTIONS = 20


def _sscma_seeds() -> list[bytes]:
    import base64
    import json

    def message(kind: int, name: str, data: object, code: int = 0) -> bytes:
        return b"\r" + json.dumps({"type": kind, "name": name, "code": code, "data": data}).encode() + b"\n"

    picture = base64.b64encode(jpeg(8, 8)).decode()
    info = {"crc16_maxim": 1, "info": stored({"name": "pets", "version": "1", "classes": ["cat", "dog"]})}
    model = {"id": 1, "type": 4, "address": 0x400000, "size": 1000}
    begun = {"model": model, "algorithm": {"type": 4, "config": {"tscore": 50}}, "sensor": {"id": 1}}
    events = [
        {
            "count": 1,
            "perf": [1, 2, 3],
            "classes": [[73, 1], [21, 0]],
            "image": picture,
            "resolution": [8, 8],
        },
        {"count": 2, "perf": [1, 2, 3], "boxes": [[1, 2, 3, 4, 50, 0]]},
        {"count": 3, "points": [[1, 2, 50, 0]], "rotate": 0},
    ]
    tagged = [
        ("ID?", "0a"),
        ("BREAK", 0),
        ("NAME?", "board"),
        ("VER?", {"software": "2025", "hardware": "1"}),
    ]
    tagged += [("INFO?", info), ("MODEL?", model), ("INVOKE", begun)]
    replies = [message(0, f"AA{i}@{command}", data) for i, (command, data) in enumerate(tagged)]
    stream = [message(1, "AA6@INVOKE", event) for event in events]
    stream += [message(1, "AA6@INVOKE", {"classes": []})] * _MOST_PREDICTIONS
    return [
        b"".join([*replies, *stream]),
        b"boot\r\n" + message(1, "INIT@STAT?", {"boot_count": 1}) + replies[0],
        *(message(0, "MODEL?", {"models": [model]}), message(0, "INFO?", info)),
        message(1, "INVOKE", events[0]),
        message(2, "", "log {"),
        message(1, "AT", "Unknown command: AA2@NAME?", 5),
        b"".join([*replies, message(1, "AA6@INVOKE", 0, 3), message(1, "AA6@INVOKE", 0, 6)]),
    ]


def mlperf(data: bytes) -> None:
    """What MLPerf Tiny firmware says: cut anywhere, then as the other end of the benchmark's runner."""
    whole, pieces = Replies(), Replies()
    whole.feed(data)
    for i in range(0, len(data), 5):
        pieces.feed(data[i : i + 5])
    while (reply := whole.take()) is not None:
        assert reply == pieces.take(), "replies depend on how the line cuts them"
    assert pieces.take() is None
    with virtual_time() as clock:
        device = MlperfDevice.open(Peer(data, clock), timeout_s=3)
        with contextlib.suppress(UsageError):
            mlperf_tiny.contract_of(device.model)
        mlperf_tiny.performance(device, [np.frombuffer(b"abc", np.uint8)], 3, 1)
        device.results()
        device.timestamp()


def _mlperf_seeds() -> list[bytes]:
    boot = "m-timestamp-mode-performance\r\nm-lap-us-7\r\nm-init-done\r\nm-ready\r\n"
    scores = "m-results-[0.1,-2.5,1e3]\r\nm-ready\r\n"
    whole = [
        f"{boot}m-name-dut-[fuzz]\r\nm-ready\r\nm-profile-[ULPMark]\r\nm-model-[ic01]\r\nm-ready\r\n",
        "m-[Expecting 3 bytes]\r\nm-ready\r\n",
        "m-load-done\r\nm-ready\r\n",
        f"m-warmup-done\r\nm-lap-us-4294967290\r\nm-lap-us-5\r\nm-infer-done\r\n{scores}",
        scores,
        "m-lap-us-99\r\nm-ready\r\n",
    ]
    return [
        "".join(part.ljust(_PIECE, "\0") for part in whole).encode(),
        *(part.encode() for part in whole),
        b"e-[Unknown command: x]\r\nm-ready\r\n",
        b"m-results-[nan,inf]\r\nm-ready\r\n",
    ]


TARGETS = (
    Target("frame", "packets of our protocol, with right and wrong checks", frame, _frame_seeds),
    Target("session", "a device that says anything at any time", session, _session_seeds),
    Target("sscma", "the AT protocol of Seeed's firmware", sscma, _sscma_seeds, max_bytes=8192),
    Target("mlperf", "the MLPerf Tiny protocol of anyone's firmware", mlperf, _mlperf_seeds),
)
