"""What is on its way to the device: flow control, loss, round-trip time and the size of the next chunk.

The line keeps order in both directions. So an acknowledgement of something sent later proves that whatever
was sent before it and is still unacknowledged is gone, the packet or its acknowledgement: retransmission
does not wait for a timer.
"""

import math
from collections import deque
from dataclasses import dataclass

from edgekit.device.frame import CHUNK_UNIT, chunk_wire_bytes

_OVERHEAD = chunk_wire_bytes(0) + 4
_FIRST_TIMEOUT_S = 1.0
_MIN_TIMEOUT_S = 0.05
_MAX_TIMEOUT_S = 2.0
_MEMORY = 0.99  # what the estimate of the loss keeps at each packet: it looks back about 100 of them
_MAX_LIMIT = 1 << 18  # no line holds more on its way; a device may say anything
_PRIOR_BYTES = 65536.0  # a first loss alone does not condemn a line


@dataclass(frozen=True, slots=True)
class Sent:
    """A chunk on its way. `count` 0 is a question, and `offset` then its number."""

    order: int
    seq: int
    offset: int
    count: int
    wire_bytes: int
    again: bool
    """True for a retransmission."""
    at: float


class Window:
    """The chunks that the device has not acknowledged, oldest first.

    Args:
        limit: bytes on the wire that may be unacknowledged.
        max_chunk: the most bytes of a frame in one chunk.
    """

    def __init__(self, limit: int, max_chunk: int) -> None:
        self._limit = min(limit, _MAX_LIMIT)
        self._flight: deque[Sent] = deque()
        self._used = 0
        self._order = 0
        self._lost = 0.0
        self._bytes = _PRIOR_BYTES
        self._round_trip: float | None = None
        self._variation = 0.0
        largest = min(max_chunk, 1024) // CHUNK_UNIT * CHUNK_UNIT
        # Two chunks on their way keep the line busy while the first is being acknowledged.
        while largest > CHUNK_UNIT and 2 * chunk_wire_bytes(largest) > limit:
            largest -= CHUNK_UNIT
        self._largest = largest

    @property
    def order(self) -> int:
        """The order number of the latest packet."""
        return self._order

    @property
    def timeout_s(self) -> float:
        """How long an acknowledgement may take before it is worth asking."""
        if self._round_trip is None:
            return _FIRST_TIMEOUT_S
        return min(max(self._round_trip + 4 * self._variation, _MIN_TIMEOUT_S), _MAX_TIMEOUT_S)

    @property
    def chunk_size(self) -> int:
        """The chunk size that wastes least: large ones cost more when lost, small ones carry more headers.

        With a loss rate r per byte and h bytes of header, (h + n) / n / (1 - r (h + n)) is least near
        n = sqrt(h / r).
        """
        if self._lost <= 0:
            return self._largest
        best = math.sqrt(_OVERHEAD * self._bytes / self._lost)
        return max(CHUNK_UNIT, min(self._largest, int(best) // CHUNK_UNIT * CHUNK_UNIT))

    def has_room(self, count: int) -> bool:
        """Whether a chunk with `count` bytes of a frame may be sent now."""
        return self._used + chunk_wire_bytes(count) <= self._limit

    def send(self, seq: int, offset: int, count: int, wire_bytes: int, again: bool, now: float) -> None:
        """Note a packet that is sent now."""
        self._order += 1
        self._flight.append(Sent(self._order, seq, offset, count, wire_bytes, again, now))
        self._used += wire_bytes

    def acknowledge(self, seq: int, offset: int, count: int, now: float) -> tuple[Sent | None, list[Sent]]:
        """Take an acknowledgement: return the packet that it is for, and those that it proves lost.

        An acknowledgement of nothing on its way (a duplicate) returns (None, []).
        """
        for index, sent in enumerate(self._flight):  # noqa: B007 - used after the loop
            if sent.seq == seq and sent.offset == offset and sent.count == count:
                break
        else:
            return None, []
        lost = [self._flight.popleft() for _ in range(index)]
        self._flight.popleft()
        self._used -= sent.wire_bytes + sum(packet.wire_bytes for packet in lost)
        for packet in lost:
            self._learn_loss(packet.wire_bytes, 1)
        self._learn_loss(sent.wire_bytes, 0)
        self._learn_time(now - sent.at)
        return sent, lost

    def frame_done(self, seq: int) -> None:
        """Forget the first transmissions of a frame that is answered: the device has had them all."""
        kept = deque(sent for sent in self._flight if sent.seq != seq or sent.again or not sent.count)
        self._used = sum(sent.wire_bytes for sent in kept)
        self._flight = kept

    def clear(self) -> None:
        """Forget everything on its way: the device has restarted."""
        self._flight.clear()
        self._used = 0

    def _learn_loss(self, wire_bytes: int, lost: int) -> None:
        self._bytes = self._bytes * _MEMORY + wire_bytes
        self._lost = self._lost * _MEMORY + lost

    def _learn_time(self, seconds: float) -> None:
        """Smooth the round-trip time and its variation as TCP does (RFC 6298)."""
        if self._round_trip is None:
            self._round_trip, self._variation = seconds, seconds / 2
            return
        self._variation += (abs(self._round_trip - seconds) - self._variation) / 4
        self._round_trip += (seconds - self._round_trip) / 8
