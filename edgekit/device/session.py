"""The host's half of the protocol as a state machine: no input, no output, and the time is an argument.

Feed it what the line brings, send what it wants sent, wake it at `next_deadline`. Times are seconds of any
clock that only grows. docs/reference/protocol.md describes the states.
"""

from collections import Counter, deque

from edgekit.device import frame as wire
from edgekit.device.events import Note, NoteKind, Result, Statistics
from edgekit.device.frame import ErrorCode, PacketType
from edgekit.device.hello import Hello
from edgekit.device.model_failure import model_failure
from edgekit.device.outbox import Outbox
from edgekit.device.watch import Sight, Watch, failure
from edgekit.errors import DeviceError, UsageError

_REPEAT_S = 0.25
_MAX_REPEAT_S = 1.0
_MAX_DOUBLINGS = 8
_MAX_REOPENS = 5  # without an answer in between
_MAX_NOTES = 256  # that nobody has fetched; a device that floods the line with text must not fill the memory


class Session:
    """One conversation with one device, restarts of the device included.

    Args:
        number: the session number, 1..2**32-1; a fresh one for each conversation.
        now: the time.
        timeout_s: how long the device may bring nothing of what is awaited: a HELLO to a greeting, bytes of
            a frame that it had not acknowledged, an answer, the trace, the next of its camera's pictures or
            predictions. Whatever else it sends does not count.

    Every method that takes bytes or the time raises DeviceError when the device breaks the protocol or brings
    nothing for too long, and ContractMismatchError when it comes back from a restart with other firmware.
    """

    def __init__(self, number: int, now: float, timeout_s: float = 10.0) -> None:
        self.hello: Hello | None = None
        self.statistics = Statistics()
        self._number = number
        self._timeout_s = timeout_s
        self._decoder = wire.Decoder()
        self._outbox: Outbox | None = None
        self._open = False
        self._reopens = 0
        self._request_at = now
        self._requests = 0
        self._progress_at = now
        self._useless: Counter[str] = Counter()
        """What has come since then, by its name in the protocol."""
        self._bytes_then = self._questions_then = 0
        self._next_result = 0
        self._results: dict[int, Result] = {}
        self._notes: deque[Note] = deque(maxlen=_MAX_NOTES)
        self._trace_wanted = False
        self._trace: tuple[int, ...] | None = None
        self._last_noise = b""
        self._watch: Watch | None = None
        self._stop_watch = False

    # What the caller asks for

    @property
    def is_open(self) -> bool:
        """Whether the device has answered the latest greeting."""
        return self._open

    @property
    def wants_frame(self) -> bool:
        """Whether a frame submitted now will soon travel: one more than the device holds is kept ready."""
        return (
            self._outbox is not None
            and self.hello is not None
            and len(self._outbox) <= self.hello.frame_buffers
        )

    @property
    def unanswered(self) -> int:
        """How many submitted frames have no answer yet."""
        return 0 if self._outbox is None else len(self._outbox)

    def submit(self, data: bytes, kind: PacketType, now: float) -> int:
        """Queue one frame and return its sequence number. Raises UsageError if it cannot be this model's."""
        if self.hello is None or self._outbox is None:
            raise UsageError("the device has not been greeted yet")
        if len(data) != self.hello.input_bytes:
            raise UsageError(f"a frame of {len(data)} bytes, but the model takes {self.hello.input_bytes}")
        if kind is PacketType.CHUNK_PIXELS and not self.hello.accepts_pixels:
            raise UsageError(
                "the model on the device takes int8 tensors, not pixels", "quantise the frames on the host"
            )
        if not self.unanswered and not self._trace_wanted and self._open:
            self._progressed(now)
        return self._outbox.submit(data, kind, now)

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
        self._trace, self._trace_wanted = None, True
        self._request_at, self._requests = now, 0
        self._progressed(now)

    @property
    def trace(self) -> tuple[int, ...] | None:
        """The CRC-32 of every step's output, once it has come."""
        return self._trace

    def watch(self, every: int, now: float) -> Watch:
        """Ask for predictions on the device's camera, with each `every`th frame (0: none).

        The watch that is returned takes the place of an earlier one.
        """
        if self.hello is None:
            raise UsageError("the device has not been greeted yet")
        self._watch = Watch(every, self.hello.input_bytes, self.hello.output_bytes, now)
        self._stop_watch = False
        self._progressed(now)
        return self._watch

    def is_watching(self, watch: Watch) -> bool:
        """Whether this is still what is asked of the device's camera."""
        return self._watch is watch

    def stop_watch(self, watch: Watch) -> None:
        """Ask for no more of its predictions, and ignore what is under way; one that was replaced is over."""
        if self._watch is watch:
            self._watch, self._stop_watch = None, True

    def take_sights(self) -> list[Sight]:
        """Return the predictions on the device's camera that have come since the last call."""
        found = [] if self._watch is None else self._watch.take_sights()
        self.statistics.frames += len(found)
        return found

    def reconnected(self, reason: str, now: float) -> None:
        """Greet again because the line was opened anew; `reason` becomes a note."""
        self.statistics.reconnections += 1
        self._count_reopening(reason)
        self._notes.append(Note(NoteKind.RECONNECTED, reason))
        self._decoder = wire.Decoder()
        self._greet(now)

    def resume(self, now: float, away_s: float) -> None:
        """Do not count the last `away_s` seconds, in which the caller has not looked at the line."""
        self._progress_at = min(now, self._progress_at + away_s)
        if self._outbox is not None:
            self._outbox.resume(now)

    # What the line brings

    def feed(self, data: bytes, now: float) -> None:
        """Take bytes from the device."""
        self.statistics.bytes_received += len(data)
        for packet in self._decoder.feed(data):
            if isinstance(packet, wire.Noise):
                self._on_noise(packet)
                continue
            self.statistics.packets += 1
            # Pictures and predictions of the camera bring no nearer what else is awaited.
            is_awaited = self._only_watches or not isinstance(packet, wire.Seen | wire.Picture)
            if self._take(packet, now) and is_awaited:
                self._progressed(now)
            else:
                self._useless[_called(packet)] += 1

    def _take(self, packet: wire.Packet, now: float) -> bool:
        """Act on a packet and return whether it brings something that may be awaited."""
        match packet:
            case wire.HelloPacket():
                return self._on_hello(packet, now)
            case wire.Trace() if self._trace_wanted:
                self._trace, self._trace_wanted = packet.crcs, False
                return True
            case wire.Seen() | wire.Picture() if self._open and self._watch is not None:
                is_new = self._watch.take(packet, now)
                if isinstance(packet, wire.Seen) and is_new:
                    self._reopens = 0
                return is_new
            case wire.Ack() | wire.Answer() | wire.Fault() if self._open and self._outbox is not None:
                return self._on_reply(packet, self._outbox, now)
        return False

    def _progressed(self, now: float) -> None:
        self._progress_at = now
        self._useless.clear()
        self._last_noise = b""
        self._bytes_then = self.statistics.bytes_received
        self._questions_then = self.statistics.questions

    def _on_noise(self, noise: wire.Noise) -> None:
        self.statistics.damaged_packets += 1
        self._last_noise = noise.data
        for line in noise.text.splitlines():
            if line.strip():
                self.statistics.log_lines += 1
                self._notes.append(Note(NoteKind.LOG, line.strip()))

    def _on_hello(self, packet: wire.HelloPacket, now: float) -> bool:
        hello = Hello.from_packet(packet)
        if self._open:
            if hello.session != self._number:
                self._reopen("the device has restarted", now)
        elif hello.session != self._number:
            self._request_at = now  # it has just started: what was sent before is lost
        else:
            if self.hello is None:
                self.hello = hello
                self._outbox = Outbox(hello, self.statistics)
            hello.check(self.hello.identity())
            self._open = True
            self.resume(now, 0.0)
            self._request_at, self._requests = now, 0
            return True
        return False

    def _on_reply(self, packet: wire.Ack | wire.Answer | wire.Fault, outbox: Outbox, now: float) -> bool:
        match packet:
            case wire.Ack():
                return outbox.acknowledged(packet.seq, packet.offset, packet.count, now)
            case wire.Answer():
                return self._on_answer(packet, outbox, now)
            case wire.Fault(code=ErrorCode.NO_SESSION):
                self._reopen("the device has restarted and knows no session", now)
            case wire.Fault(code=ErrorCode.FRAME_CHECK):
                outbox.damaged(packet.seq)
            case wire.Fault(code=ErrorCode.UNKNOWN_FRAME):
                outbox.unknown(packet.seq, packet.offset, now)
            case wire.Fault(code=ErrorCode.NO_TRACE):
                if self._trace_wanted:
                    raise DeviceError(
                        "the firmware has no trace to show",
                        "run a frame first, on a debug build of the firmware",
                    )
            case wire.Fault() if self._watch is not None and (error := failure(packet)) is not None:
                raise error
            case wire.Fault(code=ErrorCode.CAMERA_FAILED):
                pass  # of a watch that has been stopped
            case wire.Fault(code=ErrorCode.MODEL_FAILED):
                raise model_failure(packet.offset)
            case wire.Fault():
                self._reopen(f"the device refused a packet ({_name(packet.code)})", now)
        return False

    def _on_answer(self, answer: wire.Answer, outbox: Outbox, now: float) -> bool:
        assert self.hello is not None
        if len(answer.scores) != self.hello.output_bytes:
            raise DeviceError(
                f"the device sent {len(answer.scores)} scores for a model with {self.hello.output_bytes}"
            )
        result = outbox.answered(answer, now)
        if result is not None:
            self._reopens = 0
            self.statistics.frames += 1
            self._results[answer.seq] = result
        return result is not None

    # Greeting, the first time and again

    def _reopen(self, reason: str, now: float) -> None:
        self.statistics.resets += 1
        self._count_reopening(reason)
        again = 0 if self._outbox is None else self._outbox.started
        self._notes.append(Note(NoteKind.RESET, f"{reason}; {again} frame(s) are sent again"))
        self._greet(now)

    def _count_reopening(self, reason: str) -> None:
        self._reopens += 1
        if self._reopens > _MAX_REOPENS:
            raise DeviceError(
                f"{reason}, for the {self._reopens}th time without answering a frame in between",
                "it may restart while it computes: look at its power supply and its stack reserve",
            )

    def _greet(self, now: float) -> None:
        if self._open:  # a line that breaks again and again gets one timeout for its greeting, not one each
            self._progressed(now)
        self._open = False
        self._number = self._number % 0xFFFFFFFF + 1
        self._request_at, self._requests = now, 0
        if self._outbox is not None:
            self._outbox.start_over(now)
        if self._watch is not None:
            self._watch.start_over(now)

    # What is to be sent

    def bytes_to_send(self, now: float) -> bytes:
        """Return what may be sent now; it counts as sent."""
        self._check_progress(now)
        out = b""
        if not self._open:
            if self._request_is_due(now):
                out = wire.encode_hello_request(self._number)
        elif self._outbox is not None:
            if self._trace_wanted and self._request_is_due(now):
                out = wire.encode_trace_request()
            if self._watch is not None:
                out += self._watch.bytes_to_send(now)
            elif self._stop_watch:
                out += wire.encode_watch_request(0, 0)
                self._stop_watch = False
            out += self._outbox.bytes_to_send(now)
        self.statistics.bytes_sent += len(out)
        return out

    def next_deadline(self) -> float | None:
        """Return when `bytes_to_send` must be called at the latest; None while nothing is awaited."""
        if not self._waiting:
            return None
        times = [self._progress_at + self._timeout_s]
        if not self._open or self._trace_wanted:
            times.append(self._request_at)
        if self._open and self._outbox:
            times.append(self._outbox.overdue_at)
        if self._open and self._watch is not None:
            times.append(self._watch.ask_at)
        return min(times)

    def _request_is_due(self, now: float) -> bool:
        """Whether to send the request that is being waited for once more; then it counts as sent."""
        if now < self._request_at:
            return False
        self._request_at = now + min(_REPEAT_S * 2.0 ** min(self._requests, _MAX_DOUBLINGS), _MAX_REPEAT_S)
        self._requests += 1
        return True

    @property
    def _waiting(self) -> bool:
        return not self._open or self.unanswered > 0 or self._trace_wanted or self._watch is not None

    @property
    def _only_watches(self) -> bool:
        return self._watch is not None and not self.unanswered and not self._trace_wanted

    def _check_progress(self, now: float) -> None:
        if not self._waiting or now < self._progress_at + self._timeout_s:
            return
        if self._open and self._outbox:
            tried = f"{self.statistics.questions - self._questions_then} questions about frames were sent"
        else:
            kind = "hello" if not self._open else "trace" if self._trace_wanted else "watch"
            asked = self._watch.requests if kind == "watch" and self._watch is not None else self._requests
            tried = f"{asked} {kind} requests were sent"
        received = self.statistics.bytes_received - self._bytes_then
        what, heard = "has not answered", f"only {received:,} bytes came back"
        if self._useless:
            packets = ", ".join(f"{count:,} {name}" for name, count in self._useless.most_common())
            heard = f"only {packets} came back"
        elif not received:
            what, heard = "has been silent", "nothing came back"
        else:
            heard += " and no packet of this protocol"
            if text := wire.Noise(self._last_noise or self._decoder.pending).text:
                heard += f"; the last was '{' '.join(text.split())[-80:]}'"
        raise DeviceError(
            f"the device {what} for {self._timeout_s:g} s: {tried}, {heard}",
            "press its reset button; if one run of its model takes longer than that, raise --timeout"
            if self._open
            else "is edgekit's firmware on the board (edgekit flash), and is this its port and baud rate?",
        )


_NAMES = {
    wire.HelloPacket: "HELLO",
    wire.Ack: "ACK",
    wire.Answer: "PREDICTION",
    wire.Trace: "TRACE",
    wire.Seen: "SEEN",
    wire.Picture: "PICTURE",
}


def _called(packet: wire.Packet) -> str:
    return f"ERROR {_name(packet.code)}" if isinstance(packet, wire.Fault) else _NAMES[type(packet)]


def _name(code: int) -> str:
    try:
        return ErrorCode(code).name
    except ValueError:
        return f"error {code}"
