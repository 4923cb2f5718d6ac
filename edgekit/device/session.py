"""The host's half of the protocol as a state machine: no input, no output, and the time is an argument.

Feed it what the line brings, send what it wants sent, wake it at `next_deadline`. Times are seconds of any
clock that only grows.
"""

from collections import deque
from dataclasses import dataclass, replace
from enum import StrEnum

from edgekit.device import frame as wire
from edgekit.device.frame import CHUNK_UNIT, ErrorCode, PacketType
from edgekit.device.hello import Hello
from edgekit.device.window import Sent, Window
from edgekit.errors import DeviceError, UsageError

_HELLO_INTERVAL_S = 0.25
_MAX_INTERVAL_S = 2.0
_UNKNOWN_INVOKE_S = 1.0
_MAX_REOPENS = 5  # without an answer in between
_MAX_RESTARTS = 8  # of one frame
_MAX_QUESTIONS = 4  # about one frame, before it is sent again
_FRAMES_AHEAD = 8  # a frame that waits for a retransmission does not hold up the next ones


class NoteKind(StrEnum):
    """What a note is about."""

    RESET = "reset"
    RECONNECTED = "reconnected"
    LOG = "log"


@dataclass(frozen=True, slots=True)
class Note:
    """Something that a person may want to know, though the run goes on."""

    kind: NoteKind
    text: str


@dataclass(frozen=True, slots=True)
class Result:
    """An answered frame; times on the clock of the session's caller."""

    answer: wire.Answer
    first_byte_at: float
    answered_at: float
    retransmissions: int


@dataclass(slots=True)
class Statistics:
    """What happened on the line so far."""

    frames: int = 0
    retransmissions: int = 0
    questions: int = 0
    """Empty chunks sent because an acknowledgement or an answer was overdue or lost."""
    resets: int = 0
    """Times that the device had restarted, or had to be greeted again."""
    reconnections: int = 0
    """Times that the transport broke and was opened again."""
    damaged_packets: int = 0
    """Runs of bytes from the device that were no packet, log lines included."""
    log_lines: int = 0
    bytes_sent: int = 0
    bytes_received: int = 0


@dataclass(slots=True)
class _Frame:
    """A frame that the device has not answered."""

    seq: int
    kind: PacketType
    data: bytes
    check: int
    todo: list[tuple[int, int]]
    """Ranges to send, retransmissions first."""
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
        units = (len(self.data) + CHUNK_UNIT - 1) // CHUNK_UNIT
        return self.acked == (1 << units) - 1

    def again(self) -> None:
        self.acked, self.todo, self.ask, self.questions = 0, [(0, len(self.data))], False, 0


def _units(offset: int, count: int) -> int:
    """Return a bit for each 128 bytes of a range."""
    first, end = offset // CHUNK_UNIT, (offset + count + CHUNK_UNIT - 1) // CHUNK_UNIT
    return (1 << end) - (1 << first)


class Session:
    """One conversation with one device, restarts of the device included.

    Args:
        number: the session number, 1..2**32-1; a fresh one for each conversation.
        now: the time.
        timeout_s: how long the device may be silent while something is expected of it.

    Every method that takes bytes or the time raises DeviceError when the device breaks the protocol or is
    silent too long, and ContractMismatchError when it comes back from a restart with other firmware.
    """

    def __init__(self, number: int, now: float, timeout_s: float = 10.0) -> None:
        self.hello: Hello | None = None
        self.statistics = Statistics()
        self._number = number
        self._timeout_s = timeout_s
        self._decoder = wire.Decoder()
        self._window = Window(CHUNK_UNIT, CHUNK_UNIT)
        self._open = False
        self._hello_at = now
        self._hello_interval = _HELLO_INTERVAL_S
        self._hellos_sent = 0
        self._reopens = 0
        self._frames: dict[int, _Frame] = {}
        self._next_seq = 0
        self._next_result = 0
        self._results: dict[int, Result] = {}
        self._notes: deque[Note] = deque()
        self._heard_at = now
        self._progress_at = now
        self._timeouts = 0
        self._question = 0
        self._invoke_s = _UNKNOWN_INVOKE_S
        self._trace_at: float | None = None
        self._trace: tuple[int, ...] | None = None
        self._last_noise = b""

    # What the caller asks for

    @property
    def is_open(self) -> bool:
        """Whether the device has answered the greeting."""
        return self._open

    @property
    def wants_frame(self) -> bool:
        """Whether a frame submitted now could start to travel soon."""
        return self.hello is not None and len(self._frames) <= self.hello.frame_buffers

    @property
    def unanswered(self) -> int:
        """How many submitted frames have no answer yet."""
        return len(self._frames)

    def submit(self, data: bytes, kind: PacketType, now: float) -> int:
        """Queue one frame and return its sequence number. Raises UsageError if it cannot be this model's."""
        if self.hello is None:
            raise UsageError("the device has not been greeted yet")
        if len(data) != self.hello.input_bytes:
            raise UsageError(f"a frame of {len(data)} bytes, but the model takes {self.hello.input_bytes}")
        if kind is PacketType.CHUNK_PIXELS and not self.hello.accepts_pixels:
            raise UsageError(
                "the model on the device takes int8 tensors, not pixels", "quantise the frames on the host"
            )
        if not self._frames:
            self._heard_at = self._progress_at = now
        seq = self._next_seq & 0xFFFFFFFF
        self._frames[seq] = _Frame(seq, kind, data, wire.frame_check(data), [(0, len(data))])
        self._next_seq += 1
        return seq

    def take_results(self) -> list[Result]:
        """Return the answers that have come since the last call, in the order of `submit`."""
        found = []
        while (result := self._results.pop(self._next_result & 0xFFFFFFFF, None)) is not None:
            found.append(result)
            self._next_result += 1
        return found

    def take_notes(self) -> list[Note]:
        """Return the notes since the last call."""
        notes = list(self._notes)
        self._notes.clear()
        return notes

    def request_trace(self, now: float) -> None:
        """Ask for the trace of the last run; `trace` holds it once it has come."""
        self._trace, self._trace_at, self._heard_at = None, now, now
        self._timeouts = 0

    @property
    def trace(self) -> tuple[int, ...] | None:
        """The CRC-32 of every step's output, once it has come."""
        return self._trace

    def reconnected(self, reason: str, now: float) -> None:
        """Greet again because the line was opened anew."""
        self.statistics.reconnections += 1
        self._notes.append(Note(NoteKind.RECONNECTED, reason))
        self._decoder = wire.Decoder()
        self._heard_at = now
        self._greet(now)

    # What the line brings

    def feed(self, data: bytes, now: float) -> None:
        """Take bytes from the device."""
        self.statistics.bytes_received += len(data)
        for packet in self._decoder.feed(data):
            if isinstance(packet, wire.Noise):
                self._on_noise(packet)
                continue
            self._heard_at = now
            match packet:
                case wire.HelloPacket():
                    self._on_hello(packet, now)
                case wire.Ack() if self._open:
                    self._on_ack(packet, now)
                case wire.Answer() if self._open:
                    self._on_answer(packet, now)
                case wire.Fault() if self._open:
                    self._on_fault(packet, now)
                case wire.Trace() if self._trace_at is not None:
                    self._trace, self._trace_at = packet.crcs, None

    def _on_noise(self, noise: wire.Noise) -> None:
        self.statistics.damaged_packets += 1
        self._last_noise = noise.data
        for line in noise.text.splitlines():
            if line.strip():
                self.statistics.log_lines += 1
                self._notes.append(Note(NoteKind.LOG, line.strip()))

    def _on_hello(self, packet: wire.HelloPacket, now: float) -> None:
        hello = Hello.from_packet(packet)
        if self._open:
            if hello.session != self._number:
                self._reopen("the device has restarted", now)
            return
        if hello.session != self._number:
            self._hello_at = now  # it has just started: what was sent before is lost
            return
        if self.hello is not None:
            hello.check(self.hello.identity())
        else:
            self.hello = hello
            self._window = Window(hello.rx_window, hello.max_chunk)
        self._open = True
        self._progress_at = now

    def _on_ack(self, ack: wire.Ack, now: float) -> None:
        sent, lost = self._window.acknowledge(ack.seq, ack.offset, ack.count, now)
        if sent is None:
            return
        self._progressed(now)
        self._requeue(lost)
        frame = self._frames.get(ack.seq)
        if frame is not None:
            frame.heard_order = max(frame.heard_order, sent.order)
            if sent.count == 0 and frame.complete:
                self._ask(frame)  # the device sends the answer before this acknowledgement
            elif sent.count > 0 and not frame.complete:
                frame.acked |= _units(ack.offset, ack.count)
                frame.complete_at = now
        for other in self._frames.values():
            if other.complete and other.heard_order < sent.order:
                self._ask(other)  # its answer was sent before this acknowledgement, and is lost

    def _on_answer(self, answer: wire.Answer, now: float) -> None:
        frame = self._frames.get(answer.seq)
        if frame is None:
            return
        assert self.hello is not None
        if len(answer.scores) != self.hello.output_bytes:
            raise DeviceError(
                f"the device sent {len(answer.scores)} scores for a model with {self.hello.output_bytes}"
            )
        del self._frames[answer.seq]
        self._window.frame_done(answer.seq)
        if frame.complete and not frame.questions:
            took = now - frame.complete_at
            self._invoke_s = max(took, 0.75 * min(self._invoke_s, 60.0) + 0.25 * took)
        self._progressed(now)
        self._reopens = 0
        self.statistics.frames += 1
        first = now if frame.first_byte_at is None else frame.first_byte_at
        self._results[answer.seq] = Result(answer, first, now, frame.retransmissions)

    def _on_fault(self, fault: wire.Fault, now: float) -> None:
        frame = self._frames.get(fault.seq)
        match fault.code:
            case ErrorCode.NO_SESSION:
                self._reopen("the device has restarted and knows no session", now)
            case ErrorCode.FRAME_CHECK if frame is not None:
                self._restart(frame)
            case ErrorCode.UNKNOWN_FRAME:
                sent, lost = self._window.acknowledge(fault.seq, fault.offset, 0, now)
                if sent is not None:
                    self._progressed(now)
                    self._requeue(lost)
                    if frame is not None and frame.acked:
                        self._restart(frame)
            case ErrorCode.FRAME_CHECK:
                pass
            case ErrorCode.NO_TRACE:
                raise DeviceError(
                    "the firmware has no trace to show",
                    "build it with trace (a debug build), and run a frame first",
                )
            case _:
                self._reopen(f"the device refused a packet ({_name(fault.code)})", now)

    # Recovering

    def _progressed(self, now: float) -> None:
        self._progress_at = now
        self._timeouts = 0

    def _requeue(self, lost: list[Sent]) -> None:
        for sent in reversed(lost):
            frame = self._frames.get(sent.seq)
            if frame is None or not sent.count:
                continue
            if _units(sent.offset, sent.count) & ~frame.acked:
                frame.todo.insert(0, (sent.offset, sent.offset + sent.count))
                frame.retransmissions += 1
                self.statistics.retransmissions += 1

    def _ask(self, frame: _Frame) -> None:
        frame.ask = True
        if frame.questions >= _MAX_QUESTIONS:
            self._restart(frame)

    def _restart(self, frame: _Frame) -> None:
        frame.again()
        frame.restarts += 1
        frame.retransmissions += 1
        self.statistics.retransmissions += 1
        if frame.restarts > _MAX_RESTARTS:
            raise DeviceError(
                f"frame {frame.seq} was sent {frame.restarts} times and never arrived whole",
                "the device's memory or the line damages data: try a lower baud rate or another cable",
            )

    def _reopen(self, reason: str, now: float) -> None:
        self.statistics.resets += 1
        self._reopens += 1
        if self._reopens > _MAX_REOPENS:
            raise DeviceError(
                f"{reason}, for the {self._reopens}th time without answering a frame in between",
                "it may restart while it computes: look at its power supply and its stack reserve",
            )
        self._notes.append(Note(NoteKind.RESET, f"{reason}; {len(self._frames)} frame(s) are sent again"))
        self._greet(now)

    def _greet(self, now: float) -> None:
        self._open = False
        self._number = self._number % 0xFFFFFFFF + 1
        self._hello_at, self._hello_interval, self._hellos_sent = now, _HELLO_INTERVAL_S, 0
        self._window.clear()
        self._timeouts = 0
        for frame in self._frames.values():
            if frame.started:
                frame.retransmissions += 1
                self.statistics.retransmissions += 1
            frame.again()
            frame.started = False

    # What is to be sent

    def bytes_to_send(self, now: float) -> bytes:
        """Return what may be sent now; it counts as sent."""
        self._check_silence(now)
        out = bytearray()
        if not self._open:
            if now >= self._hello_at:
                out += wire.encode_hello_request(self._number)
                self._hellos_sent += 1
                self._hello_at = now + self._hello_interval
                self._hello_interval = min(2 * self._hello_interval, _MAX_INTERVAL_S)
        else:
            if self._trace_at is not None and now >= self._trace_at:
                out += wire.encode_trace_request()
                self._trace_at = now + min(_HELLO_INTERVAL_S * 2**self._timeouts, _MAX_INTERVAL_S)
                self._timeouts += 1
            self._ask_if_overdue(now)
            for frame in self._frames.values():
                if frame.ask:
                    out += self._question_about(frame, now)
            while chunk := self._next_chunk(now):
                out += chunk
        self.statistics.bytes_sent += len(out)
        return bytes(out)

    def next_deadline(self) -> float | None:
        """Return when `bytes_to_send` must be called at the latest; None while nothing is awaited."""
        if not self._waiting:
            return None
        times = [self._silent_until]
        if not self._open:
            times.append(self._hello_at)
        else:
            if self._trace_at is not None:
                times.append(self._trace_at)
            if self._frames:
                times.append(self._overdue_at)
        return min(times)

    @property
    def _waiting(self) -> bool:
        return not self._open or bool(self._frames) or self._trace_at is not None

    @property
    def _silent_until(self) -> float:
        return self._heard_at + self._timeout_s

    @property
    def _overdue_at(self) -> float:
        """When to ask the device about the oldest frame. It may be computing, and then cannot answer."""
        patience = self._window.timeout_s
        if any(frame.complete for frame in self._frames.values()):
            patience = max(patience, 2 * self._invoke_s)
        return self._progress_at + patience * 2.0 ** min(self._timeouts, 8)

    def _ask_if_overdue(self, now: float) -> None:
        started = [frame for frame in self._frames.values() if frame.started]
        if started and now >= self._overdue_at:
            self._timeouts += 1
            started[0].ask = True

    def _question_about(self, frame: _Frame, now: float) -> bytes:
        """An empty chunk. Its acknowledgement also tells what of the packets before it has been lost."""
        self._question = (self._question + 1) & 0xFFFFFFFF
        packet = wire.encode_chunk(frame.kind, frame.seq, self._question, frame.check, b"")
        self._window.send(frame.seq, self._question, 0, len(packet), False, now)
        frame.ask = False
        frame.questions += 1
        frame.heard_order = self._window.order
        self.statistics.questions += 1
        return packet

    def _next_chunk(self, now: float) -> bytes:
        """Return the next chunk that the window and the device's buffers allow, or nothing."""
        assert self.hello is not None
        buffers, oldest = self.hello.frame_buffers, next(iter(self._frames), 0)
        for index, frame in enumerate(self._frames.values()):
            if index >= buffers or (frame.seq - oldest) & 0xFFFFFFFF >= _FRAMES_AHEAD:
                break
            if not frame.todo:
                continue
            start, end = frame.todo[0]
            stop = min(start + self._window.chunk_size, end)
            if not self._window.has_room(stop - start):
                break
            again = frame.retransmissions > 0
            packet = wire.encode_chunk(frame.kind, frame.seq, start, frame.check, frame.data[start:stop])
            self._window.send(frame.seq, start, stop - start, len(packet), again, now)
            if stop < end:
                frame.todo[0] = (stop, end)
            else:
                frame.todo.pop(0)
            if not frame.started:
                frame.started = True
                frame.first_byte_at = now if frame.first_byte_at is None else frame.first_byte_at
            return packet
        return b""

    def _check_silence(self, now: float) -> None:
        if not self._waiting or now < self._silent_until:
            return
        received = self.statistics.bytes_received
        tried = f"{self._hellos_sent} hello requests" if not self._open else f"{self._timeouts} questions"
        heard = "nothing came back" if not received else f"{received} bytes came back in all"
        if received and self.hello is None:
            heard += ", but no packet of this protocol"
            if text := wire.Noise(self._last_noise or self._decoder.pending).text:
                heard += f"; the last was '{text[-80:]}'"
        raise DeviceError(
            f"the device has been silent for {self._timeout_s:g} s: {tried} were sent, {heard}",
            "is edgekit's firmware on the board (edgekit flash), and is this its port and baud rate?",
        )


def _name(code: int) -> str:
    try:
        return ErrorCode(code).name
    except ValueError:
        return f"error {code}"


def without_session(hello: Hello) -> Hello:
    """Return a HELLO without what differs from one conversation to the next."""
    return replace(hello, session=0, damaged_packets=0, repaired_chunks=0)
