"""The host's side of the MLPerf Tiny device protocol: drives anyone's firmware that speaks it.

    with MlperfDevice.open("/dev/ttyACM0") as device:
        device.load(frame.tobytes())
        print(device.infer(iterations=10, warmup=10))

The host sends a command and waits for the line `m-ready` (docs/reference/mlperf-tiny.md). `Replies` takes the
bytes apart and does no I/O.
"""

import math
import re
import time
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, replace
from types import TracebackType
from typing import Self

from edgekit.board import Serial
from edgekit.device import ports
from edgekit.device.transport import Transport, open_port
from edgekit.errors import DeviceError, EdgekitError

PIECE_BYTES = 31
"""Bytes of input in one `db` command, as the benchmark's own runner sends them."""
MAX_REPLY_BYTES = 1 << 21
BAUD = 115200

_READY = "m-ready"
_GREETING_S = 1.0
_PROBE_S = 3.0
_COUNTER = 1 << 32
_SHOWN = 60  # characters of a line, in a message
_SERIAL = Serial(usb_ids=(), baud=BAUD, dtr=False, rts=False)


@dataclass(frozen=True, slots=True)
class Inference:
    """The answer to one `infer` command."""

    scores: tuple[float, ...]
    """Real values, as the device rounded them to thousandths."""
    elapsed: int
    """Between the two timestamps, all iterations together; microseconds by the protocol."""
    iterations: int

    @property
    def index(self) -> int:
        """The class with the highest score; the first of equal ones."""
        return self.scores.index(max(self.scores))


class Replies:
    """Cuts what a device sends into replies: the lines up to each `m-ready`."""

    def __init__(self) -> None:
        self._rest = bytearray()
        self._lines: list[str] = []
        self._bytes = 0
        self._whole: deque[tuple[str, ...]] = deque()

    @property
    def unfinished(self) -> tuple[str, ...]:
        """The lines of the reply that is still coming; of the last one the beginning."""
        begun = self._rest[:_SHOWN].decode("ascii", "replace").strip("\r\0\ufffd")
        return (*self._lines, begun) if begun else tuple(self._lines)

    def feed(self, data: bytes) -> None:
        """Take what has arrived. Raises DeviceError if a reply is endless."""
        self._rest += data
        self._bytes += len(data)
        *lines, self._rest = self._rest.split(b"\n") if b"\n" in data else [self._rest]
        for line in lines:
            # Bytes of a line that was just plugged in come before the first text.
            text = line.decode("ascii", "replace").strip("\r\0\ufffd")
            if text.endswith(_READY):
                before = text.removesuffix(_READY)
                self._whole.append((*self._lines, *([before] if before else [])))
                self._lines = []
                self._bytes = len(self._rest)
            else:
                self._lines.append(text)
        if self._bytes > MAX_REPLY_BYTES:
            raise DeviceError(
                f"the device sent {self._bytes:,} bytes without '{_READY}'",
                "is it MLPerf Tiny firmware, and the baud rate right?",
            )

    def take(self) -> tuple[str, ...] | None:
        """Return the oldest whole reply without its `m-ready`, or None."""
        return self._whole.popleft() if self._whole else None


class MlperfDevice:
    """A board whose firmware speaks the MLPerf Tiny device protocol; made by `open`, a context manager."""

    def __init__(self, transport: Transport, timeout_s: float) -> None:
        self._transport = transport
        self._timeout_s = timeout_s
        self._replies = Replies()
        self.vendor = ""
        self.firmware = ""
        self.model = ""
        """The benchmark's name of the model, such as `ic01`."""

    @classmethod
    def open(
        cls,
        port: str | Transport | Callable[[], Transport] = "auto",
        *,
        serial: Serial | None = None,
        timeout_s: float = 10.0,
    ) -> Self:
        """Open a port and ask the device who it is, whether or not it is still booting.

        Args:
            port: a device path, a URL, `auto`, an open transport, or a function that opens one.
            serial: how to open a serial port; its baud rate is replaced by the protocol's.
            timeout_s: how long the greeting may take, and then the whole reply to each command, whatever else
                arrives; longer than all runs of one `infer`.

        Raises:
            PortError: the port is absent, busy or not permitted, or `auto` finds none or several.
            DeviceError: nothing answers as the protocol says.
        """
        settings = _SERIAL if serial is None else replace(serial, baud=BAUD)
        if isinstance(port, str):
            transport = open_port(_find(settings) if port == "auto" else port, settings)
        else:
            transport = port() if callable(port) else port
        device = cls(transport, timeout_s)
        try:
            device._greet()
        except BaseException:
            device.close()
            raise
        return device

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        """Let go of the port. Closing twice is allowed."""
        self._transport.close()

    def command(self, text: str) -> tuple[str, ...]:
        """Send one command and return the lines of its reply, without `m-ready`.

        Raises:
            DeviceError: the reply is not whole in time, is an error, or the device has restarted.
        """
        unasked = self._replies.take()
        if unasked is not None:
            raise DeviceError(f"the device spoke unasked: {_shown(unasked)}", "did it restart?")
        reply = self._exchange(text, time.monotonic() + self._timeout_s)
        if reply is None:
            raise self._silent(text)
        if any(line.startswith("m-timestamp-mode-") for line in reply):
            raise DeviceError(
                f"the device restarted during '{text[:40]}'", "check its power and its reset line"
            )
        refused = next((line for line in reply if line.startswith("e-[")), None)
        if refused is not None:
            raise DeviceError(f"the device answered '{text[:40]}' with {refused}")
        return reply

    def load(self, data: bytes) -> None:
        """Send one frame. Raises DeviceError if the device does not take this many bytes."""
        self._expect(f"db load {len(data)}", rf"m-\[Expecting {len(data)} bytes\]")
        reply: tuple[str, ...] = ()
        for start in range(0, len(data), PIECE_BYTES):
            reply = self.command(f"db {data[start : start + PIECE_BYTES].hex()}")
        if "m-load-done" not in reply:
            raise DeviceError(f"after {len(data)} bytes: expected 'm-load-done', got {_shown(reply)}")

    def infer(self, iterations: int = 1, warmup: int = 0) -> Inference:
        """Run the frame that was loaded last, `iterations` times between the timestamps."""
        command = f"infer {iterations} {warmup}"
        reply = self.command(command)
        laps = [_lap(line) for line in reply if line.startswith("m-lap-us-")]
        if len(laps) != 2 or "m-infer-done" not in reply:
            raise DeviceError(
                f"'{command}': expected two lines 'm-lap-us-...' and 'm-infer-done', got {_shown(reply)}",
                "firmware in energy mode sends no timestamps: use its performance mode",
            )
        # A counter of 32 bits passes zero every 71 minutes.
        return Inference(_scores(command, reply), (laps[1] - laps[0]) % _COUNTER, iterations)

    def results(self) -> tuple[float, ...]:
        """Return the scores of the last run."""
        return _scores("results", self.command("results"))

    def timestamp(self) -> int:
        """Return the device's clock in microseconds."""
        return _lap(self._expect("timestamp", "m-lap-us-.*").group())

    def _greet(self) -> None:
        """Find the answer to a command of ours among boot messages and replies to what came before.

        `name` may have to be asked again, so more than one answer to it may come; `profile` is asked once,
        and all that was asked before it is answered before it.
        """
        end = time.monotonic() + self._timeout_s
        found, _ = self._await("name", r"m-name-dut-\[(.*)\]", end, again_s=_GREETING_S)
        self.vendor = found.group(1)
        found, reply = self._await("profile", r"m-profile-\[(.*)\]", end)
        self.firmware = found.group(1)
        model = _match(reply, r"m-model-\[(.*)\]")
        if model is None:
            raise DeviceError(f"'profile': expected 'm-model-[...]', got {_shown(reply)}")
        self.model = model.group(1)

    def _await(
        self, command: str, pattern: str, end: float, again_s: float | None = None
    ) -> tuple[re.Match[str], tuple[str, ...]]:
        """Ask once or each `again_s`, pass over other replies; return the wanted line and its reply."""
        others, asks = 0, True
        last: tuple[str, ...] = ()
        while (now := time.monotonic()) < end:
            until = end if again_s is None else min(end, now + again_s)
            reply = self._exchange(command if asks else "", until)
            if reply is not None and (found := _match(reply, pattern)) is not None:
                return found, reply
            asks = again_s is not None and (reply is None or any(line.startswith("e-[") for line in reply))
            if reply is not None:
                others, last = others + 1, reply
        raise self._silent(command, others, last)

    def _exchange(self, command: str, end: float) -> tuple[str, ...] | None:
        """Send a command, if there is one, and return the next reply; None if it is not whole by then."""
        unsent = f"{command}%".encode("ascii") if command else b""
        while (reply := self._replies.take()) is None and (left := end - time.monotonic()) > 0:
            written, received = self._transport.exchange(unsent, left)
            unsent = unsent[written:]
            self._replies.feed(received)
        return reply

    def _expect(self, command: str, pattern: str) -> re.Match[str]:
        reply = self.command(command)
        found = _match(reply, pattern)
        if found is None:
            raise DeviceError(f"'{command}': expected '{pattern}', got {_shown(reply)}")
        return found

    def _silent(self, command: str, others: int = 0, last: tuple[str, ...] = ()) -> DeviceError:
        said = f"expected '{_READY}', got {_shown(self._replies.unfinished)}"
        if others:
            said = f"it answers, but only with {others:,} other replies, the last {_shown((*last, _READY))}"
        return DeviceError(
            f"no answer from {self._transport.name} to '{command[:40]}' within {self._timeout_s:g} s: {said}",
            "is the firmware an MLPerf Tiny one (`edgekit flash --protocol mlperf_tiny`), "
            "and --timeout longer than one `infer`?",
        )


def _match(lines: tuple[str, ...], pattern: str) -> re.Match[str] | None:
    return next((found for line in lines if (found := re.fullmatch(pattern, line))), None)


def _shown(lines: tuple[str, ...]) -> str:
    more = f"{len(lines):,} lines, the last " if len(lines) > 4 else ""
    return more + " | ".join(f"'{line[:_SHOWN]}'" for line in lines[-4:]) or "nothing"


def _lap(line: str) -> int:
    digits = line.removeprefix("m-lap-us-")
    if not re.fullmatch("[0-9]{1,20}", digits):
        raise DeviceError(f"expected 'm-lap-us-' and a decimal number, got '{line[:60]}'")
    return int(digits)


def _scores(command: str, reply: tuple[str, ...]) -> tuple[float, ...]:
    found = _match(reply, r"m-results-\[(.*)\]")
    if found is not None:
        try:
            scores = tuple(float(text) for text in found.group(1).split(","))
        except ValueError:
            pass
        else:
            if all(map(math.isfinite, scores)):
                return scores
    raise DeviceError(f"'{command}': expected 'm-results-[a,b,...]' with numbers, got {_shown(reply)}")


def _find(settings: Serial) -> str:
    def answers(path: str) -> bool:
        try:
            MlperfDevice.open(path, serial=settings, timeout_s=_PROBE_S).close()
        except EdgekitError:
            return False
        return True

    return ports.choose(ports.list_ports(), settings.usb_ids, answers)
