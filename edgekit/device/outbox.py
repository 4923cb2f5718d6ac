"""The frames that the device has not answered: what of them to send, to send again, and to ask about."""

from dataclasses import dataclass
from itertools import islice

from edgekit.device.events import Result, Statistics
from edgekit.device.frame import CHUNK_UNIT, Answer, PacketType, encode_chunk, frame_check
from edgekit.device.hello import Hello
from edgekit.device.window import Sent, Window
from edgekit.errors import DeviceError

_UNKNOWN_INVOKE_S = 1.0
_MAX_RESTARTS = 8  # of one frame
_MAX_QUESTIONS = 4  # about one frame, before it is sent again
_FRAMES_AHEAD = 8  # a frame that waits for a retransmission does not hold up the next ones


@dataclass(slots=True)
class _Frame:
    seq: int
    kind: PacketType
    data: bytes
    check: int
    todo: list[tuple[int, int]]
    """Ranges of bytes to send, retransmissions first."""
    acked: int = 0
    """One bit per 128 bytes that the device holds."""
    first_byte_at: float | None = None
    started: bool = False
    heard_order: int = 0
    """The latest packet about this frame that the device has acknowledged, or that asks about it."""
    complete_at: float = 0.0
    ask: bool = False
    questions: int = 0
    retransmissions: int = 0
    restarts: int = 0

    @property
    def complete(self) -> bool:
        return self.acked == _units(0, len(self.data))

    def start_over(self) -> None:
        self.acked, self.todo, self.ask, self.questions = 0, [(0, len(self.data))], False, 0


def _units(offset: int, count: int) -> int:
    """Return one bit for each 128 bytes of a range."""
    first, end = offset // CHUNK_UNIT, (offset + count + CHUNK_UNIT - 1) // CHUNK_UNIT
    return (1 << end) - (1 << first)


class Outbox:
    """Sends frames as the device's window and buffers allow, until each is answered."""

    def __init__(self, hello: Hello, statistics: Statistics) -> None:
        self._buffers = hello.frame_buffers
        self._statistics = statistics
        self._window = Window(hello.rx_window, hello.max_chunk)
        self._frames: dict[int, _Frame] = {}
        self._next_seq = 0
        self._question = 0
        self._invoke_s = _UNKNOWN_INVOKE_S
        self._progress_at = 0.0
        self._timeouts = 0

    def __len__(self) -> int:
        """Return the number of frames without an answer."""
        return len(self._frames)

    @property
    def started(self) -> int:
        """How many of them have begun to travel."""
        return sum(frame.started for frame in self._frames.values())

    @property
    def overdue_at(self) -> float:
        """When to ask the device about the oldest frame. It may be computing, and then cannot answer."""
        patience = self._window.timeout_s
        if any(frame.complete for frame in self._frames.values()):
            patience = max(patience, 2 * self._invoke_s)
        return self._progress_at + patience * 2.0 ** min(self._timeouts, 8)

    def submit(self, data: bytes, kind: PacketType, now: float) -> int:
        """Queue a frame and return its sequence number."""
        if not self._frames:
            self._progressed(now)
        seq = self._next_seq & 0xFFFFFFFF
        self._frames[seq] = _Frame(seq, kind, data, frame_check(data), [(0, len(data))])
        self._next_seq += 1
        return seq

    # What the device says

    def acknowledged(self, seq: int, offset: int, count: int, now: float) -> bool:
        """Take an ACK and return whether the device now has more of a frame than before.

        It may also prove that other packets, or answers, are lost.
        """
        sent = self._resolve(seq, offset, count, now)
        if sent is None:
            return False
        frame = self._frames.get(seq)
        before = 0 if frame is None else frame.acked
        if frame is not None:
            frame.heard_order = max(frame.heard_order, sent.order)
            if count == 0 and frame.complete:
                self._ask(frame)  # the device sends the answer before this acknowledgement
            elif count > 0 and not frame.complete:
                frame.acked |= _units(offset, count)
                frame.complete_at = now
        for other in self._frames.values():
            if other.complete and other.heard_order < sent.order:
                self._ask(other)  # its answer was sent before this acknowledgement, and is lost
        return frame is not None and bool(frame.acked & ~before)

    def unknown(self, seq: int, offset: int, now: float) -> None:
        """Take UNKNOWN_FRAME, the other answer to a question: the device holds nothing of the frame."""
        sent = self._resolve(seq, offset, 0, now)
        frame = self._frames.get(seq)
        if sent is not None and frame is not None and frame.acked:
            self._restart(frame)

    def damaged(self, seq: int) -> None:
        """Take FRAME_CHECK: the frame arrived, but not as it was sent."""
        if (frame := self._frames.get(seq)) is not None:
            self._restart(frame)

    def answered(self, answer: Answer, now: float) -> Result | None:
        """Take an answer; None if it is a repeated one, or the frame has not been sent yet."""
        frame = self._frames.get(answer.seq)
        if frame is None or not frame.started:
            return None
        del self._frames[answer.seq]
        self._window.frame_done(answer.seq)
        if frame.complete and not frame.questions:
            took = now - frame.complete_at
            self._invoke_s = max(took, 0.75 * self._invoke_s + 0.25 * took)
        self._progressed(now)
        first = now if frame.first_byte_at is None else frame.first_byte_at
        return Result(answer, first, now, frame.retransmissions)

    def resume(self, now: float) -> None:
        """Count patience from now: the caller has not looked at the line for a while."""
        self._progress_at = now

    def start_over(self, now: float) -> None:
        """Send all frames again: the device has forgotten them."""
        self._window.clear()
        self._progressed(now)
        for frame in self._frames.values():
            if frame.started:
                self._count_retransmission(frame)
            frame.start_over()
            frame.started = False

    def _resolve(self, seq: int, offset: int, count: int, now: float) -> Sent | None:
        sent, lost = self._window.acknowledge(seq, offset, count, now)
        if sent is None:
            return None
        self._progressed(now)
        for packet in reversed(lost):
            frame = self._frames.get(packet.seq)
            if frame is not None and _units(packet.offset, packet.count) & ~frame.acked and packet.count:
                frame.todo.insert(0, (packet.offset, packet.offset + packet.count))
                self._count_retransmission(frame)
        return sent

    def _progressed(self, now: float) -> None:
        self._progress_at = now
        self._timeouts = 0

    def _count_retransmission(self, frame: _Frame) -> None:
        frame.retransmissions += 1
        self._statistics.retransmissions += 1

    def _ask(self, frame: _Frame) -> None:
        frame.ask = True
        if frame.questions >= _MAX_QUESTIONS:
            self._restart(frame)

    def _restart(self, frame: _Frame) -> None:
        frame.start_over()
        frame.restarts += 1
        self._count_retransmission(frame)
        if frame.restarts > _MAX_RESTARTS:
            raise DeviceError(
                f"frame {frame.seq} was sent {frame.restarts} times and never arrived whole",
                "the device's memory or the line damages data: try a lower baud rate or another cable",
            )

    # What is to be sent

    def bytes_to_send(self, now: float) -> bytes:
        """Return the questions that are due and the chunks that there is room for; they count as sent."""
        out = bytearray()
        oldest = next(iter(self._frames.values()), None)
        if oldest is not None and now >= self.overdue_at:
            self._timeouts += 1
            oldest.ask = True
        for frame in self._frames.values():
            if frame.ask:
                out += self._question_about(frame, now)
        while chunk := self._next_chunk(now):
            out += chunk
        return bytes(out)

    def _question_about(self, frame: _Frame, now: float) -> bytes:
        """An empty chunk. Its acknowledgement also tells what of the packets before it has been lost."""
        self._question = (self._question + 1) & 0xFFFFFFFF
        packet = encode_chunk(frame.kind, frame.seq, self._question, frame.check, b"")
        self._window.send(frame.seq, self._question, 0, len(packet), False, now)
        frame.ask = False
        frame.questions += 1
        frame.heard_order = self._window.order
        self._statistics.questions += 1
        return packet

    def _next_chunk(self, now: float) -> bytes:
        """Return the next chunk that the window and the device's buffers allow, or nothing."""
        oldest = next(iter(self._frames), 0)
        for frame in islice(self._frames.values(), self._buffers):
            if (frame.seq - oldest) & 0xFFFFFFFF >= _FRAMES_AHEAD:
                break
            if frame.todo:
                return self._chunk_of(frame, now)
        return b""

    def _chunk_of(self, frame: _Frame, now: float) -> bytes:
        start, end = frame.todo[0]
        stop = min(start + self._window.chunk_size, end)
        if not self._window.has_room(stop - start):
            return b""
        again = frame.retransmissions > 0
        packet = encode_chunk(frame.kind, frame.seq, start, frame.check, frame.data[start:stop])
        self._window.send(frame.seq, start, stop - start, len(packet), again, now)
        if stop < end:
            frame.todo[0] = (stop, end)
        else:
            frame.todo.pop(0)
        frame.started = True
        if frame.first_byte_at is None:
            frame.first_byte_at = now
        return packet
