"""A serial line with faults, paced on a virtual clock, between a session and a simulated device."""

import heapq
import math
from collections.abc import Callable
from dataclasses import dataclass, field
from random import Random

from edgekit.device.events import Result
from edgekit.device.frame import PacketType
from edgekit.device.session import Session
from link_simulator.device import SimulatedDevice

BAUD = 921600
_TEXT = b"I (4711) wifi: station connected, rssi -57 dBm\r\n"
_BOOT = b"ESP-ROM:esp32s3-20210327\r\nrst:0x1 (POWERON),boot:0x8\r\n\xff\x80\x00\x13garbage"


@dataclass(frozen=True, slots=True)
class Faults:
    """How often what goes wrong: per byte, or per packet."""

    flip: float = 0.0
    """Bit flips per byte."""
    lose_byte: float = 0.0
    """Lost bytes, per byte."""
    lose: float = 0.0
    duplicate: float = 0.0
    truncate: float = 0.0
    text: float = 0.0
    """Log lines injected before, or half of the time inside, a packet."""


CLEAN = Faults()
NOISY = Faults(flip=1e-4, lose_byte=1e-6, lose=1e-3, duplicate=1e-3, truncate=1e-3, text=1e-3)


@dataclass(slots=True)
class Line:
    """One direction. Damages packets and knows when each has arrived."""

    faults: Faults
    random: Random
    latency_s: float = 0.001
    bytes_carried: int = 0
    damaged: int = 0
    _free_at: float = 0.0
    _to_flip: float = field(default=0.0, init=False)
    _to_loss: float = field(default=0.0, init=False)

    def __post_init__(self) -> None:
        self._to_flip = self._gap(self.faults.flip)
        self._to_loss = self._gap(self.faults.lose_byte)

    def transmit(self, data: bytes, now: float) -> list[tuple[float, bytes, bool]]:
        """Return for each packet in `data` when it has arrived, as what, and whether it is whole."""
        arrivals = []
        for packet in packets(data):
            for piece, whole in self._damage(packet):
                if not piece:
                    continue
                self._free_at = max(self._free_at, now) + len(piece) * 10 / BAUD
                self.bytes_carried += len(piece)
                arrivals.append((self._free_at + self.latency_s, piece, whole))
        return arrivals

    def _gap(self, rate: float) -> float:
        """How many bytes pass unharmed before the next fault."""
        return math.inf if rate <= 0 else math.floor(math.log(1 - self.random.random()) / math.log1p(-rate))

    def _damage(self, packet: bytes) -> list[tuple[bytes, bool]]:
        faults, random = self.faults, self.random
        data = bytearray(packet)
        while self._to_flip < len(data):
            data[int(self._to_flip)] ^= 1 << random.randrange(8)
            self._to_flip += 1 + self._gap(faults.flip)
        self._to_flip -= len(data)
        while self._to_loss < len(data):
            del data[int(self._to_loss)]
            self._to_loss += self._gap(faults.lose_byte)
        self._to_loss -= len(data)
        before = b""
        if random.random() < faults.text:
            if random.random() < 0.5:
                before = _TEXT
            else:
                at = random.randrange(1, len(data))
                data[at:at] = _TEXT
        if random.random() < faults.truncate:
            del data[random.randrange(len(data)) :]
        if random.random() < faults.lose:
            # The time on the line is spent all the same.
            self._free_at += len(data) * 10 / BAUD
            self.bytes_carried += len(data)
            data.clear()
        whole = data == packet
        self.damaged += not whole
        copies = 2 if random.random() < faults.duplicate else 1
        return [(before, False)] + [(bytes(data), whole)] * copies


@dataclass(slots=True)
class Outcome:
    """What a run came to."""

    seconds: float = 0.0
    frames: int = 0
    wrong: int = 0
    ignored_whole: int = 0
    """Packets that arrived whole and were not taken: more than the one damaged packet was lost."""
    frame_bytes: int = 0
    device_resets: int = 0

    @property
    def goodput(self) -> float:
        """Bytes of answered frames per byte that the line could have carried in the time."""
        return self.frame_bytes / (self.seconds * BAUD / 10) if self.seconds else 0.0


def packets(data: bytes) -> list[bytes]:
    """Cut a run of whole packets at their delimiters."""
    return [b"\0" + part + b"\0" for part in data.split(b"\0") if part]


class Simulation:
    """Runs frames from a session to a device over two faulty lines.

    Args:
        invoke_s: how long the device computes; meanwhile its receive ring fills. An answer that it has kept
            costs nothing when it is sent again.
    """

    def __init__(
        self,
        device: SimulatedDevice,
        faults: Faults = CLEAN,
        *,
        seed: int = 1,
        invoke_s: float = 0.0,
        latency_s: float = 0.001,
        timeout_s: float = 10.0,
    ) -> None:
        self.device = device
        self.random = Random(seed)
        self.down = Line(faults, Random(seed + 1), latency_s)
        self.up = Line(faults, Random(seed + 2), latency_s)
        self.now = 0.0
        self.session = Session(seed + 1000, 0.0, timeout_s)
        self.outcome = Outcome()
        self._invoke_s = invoke_s
        self._busy_until = 0.0
        self._events: list[tuple[float, int, str, bytes, bool]] = []
        self._count = 0
        self._reset_at: set[int] = set()
        self._computed: set[bytes] = set()

    def run(
        self,
        frames: int,
        size: int,
        expected: Callable[[bytes], bytes],
        *,
        kind: PacketType = PacketType.CHUNK_PIXELS,
        reset_after: frozenset[int] = frozenset(),
    ) -> Outcome:
        """Send random frames of `size` bytes; the device is reset after the given numbers of answers."""
        waiting: dict[int, bytes] = {}
        submitted = 0
        started_at = 0.0
        self._reset_at = set(reset_after)
        while self.outcome.frames < frames:
            while submitted < frames and self.session.wants_frame:
                started_at = started_at or self.now
                frame = self.random.randbytes(size)
                waiting[self.session.submit(frame, kind, self.now)] = expected(frame)
                submitted += 1
            self._schedule("device", self.down.transmit(self.session.bytes_to_send(self.now), self.now))
            self._step()
            for result in self.session.take_results():
                self._check(result, waiting.pop(result.answer.seq), size)
        self.outcome.seconds = self.now - started_at
        return self.outcome

    def _check(self, result: Result, expected: bytes, size: int) -> None:
        self.outcome.frames += 1
        self.outcome.frame_bytes += size
        self.outcome.wrong += result.answer.scores != expected
        if self.outcome.frames in self._reset_at:
            self._reset_at.discard(self.outcome.frames)
            self.outcome.device_resets += 1
            self._restart_device()

    def _restart_device(self) -> None:
        """The device goes off and on; what it was receiving is cut, and it greets with boot noise."""
        self.device.reset()
        self._busy_until = self.now
        first = next((event for event in sorted(self._events) if event[2] == "device"), None)
        if first is not None:
            self._events.remove(first)
            heapq.heapify(self._events)
            heapq.heappush(self._events, (*first[:3], first[3][len(first[3]) // 2 :], False))
        self._schedule("host", [(self.now, _BOOT, False)])
        self._schedule("host", self.up.transmit(self.device.take(), self.now))

    def _schedule(self, target: str, arrivals: list[tuple[float, bytes, bool]]) -> None:
        for at, data, whole in arrivals:
            self._count += 1
            heapq.heappush(self._events, (at, self._count, target, data, whole))

    def _step(self) -> None:
        """Let the next thing happen: bytes arrive, the device is done computing, or the session wakes."""
        deadline = self.session.next_deadline()
        event_at = self._events[0][0] if self._events else math.inf
        if deadline is not None and deadline < event_at:
            self.now = max(self.now, deadline)
            return
        assert self._events, "nothing will ever happen again"
        at, _, target, data, whole = heapq.heappop(self._events)
        self.now = max(self.now, at)
        if target == "host":
            before = self.session.statistics.packets
            self.session.feed(data, self.now)
            self.outcome.ignored_whole += whole and self.session.statistics.packets == before
        elif self.now < self._busy_until:
            self.device.queue(data)
        else:
            self._device_runs(data, whole)

    def _device_runs(self, data: bytes, whole: bool) -> None:
        answers = packets(self.device.arrive(data))
        self.outcome.ignored_whole += whole and not answers
        for answer in answers:
            if self._invoke_s and answer[2] == PacketType.PREDICTION and answer not in self._computed:
                self._computed.add(answer)
                self._busy_until = max(self._busy_until, self.now) + self._invoke_s
                self._schedule("device", [(self._busy_until, b"", False)])
            self._schedule("host", self.up.transmit(answer, max(self.now, self._busy_until)))
