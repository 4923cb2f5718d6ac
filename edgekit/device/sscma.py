"""The host's side of Seeed's SSCMA firmware: AT commands out, JSON replies and events in.

    with SscmaDevice.open("/dev/ttyACM0") as device:
        print(device.identity, device.model)
        device.invoke(pictures=True)
        for prediction in device.predictions():
            print(prediction.results, prediction.perf)

The board's own camera is the only source of frames: the firmware takes none from the host.
"""

import secrets
import time
from collections.abc import Callable, Iterator
from itertools import count
from types import TracebackType
from typing import Any, Self

from edgekit.board import Serial
from edgekit.device import ports, sscma_answers
from edgekit.device.events import Note, NoteKind
from edgekit.device.sscma_answers import DeviceIdentity, Invocation, ModelIdentity, Prediction
from edgekit.device.sscma_errors import AGAIN, BUSY, NotUnderstoodError, RefusedError, refused
from edgekit.device.sscma_framing import Event, Losses, Message, Messages, Reply, plain
from edgekit.device.transport import Transport, open_port
from edgekit.errors import DeviceError, EdgekitError, UsageError

TRIES = 5
"""So often is a command sent to a board that is busy, and so often may a stream stop without a result."""

_RESEND_S = 1.0
_SENDS = 3
_PAUSE_S = 0.2
_BREAK_S = 2.0
_PROBE_S = 3.0
_REFUSALS = "AT"
_STARTING = "INIT"
_WRONG_ARGUMENTS = "wrong argu"
_SERIAL = Serial(usb_ids=(), baud=921600, dtr=False, rts=False)
_SILENT_HINT = (
    "does the board run Seeed's SSCMA firmware (Grove Vision AI V1 and SenseCAP A1101 have another)? "
    "is no other program using it? press its reset button, and try again"
)


class SscmaDevice:
    """A board whose firmware speaks SSCMA's AT protocol; made by `open`, a context manager."""

    def __init__(
        self, transport: Transport, timeout_s: float, on_note: Callable[[Note], None] = lambda _: None
    ) -> None:
        self._transport = transport
        self._timeout_s = timeout_s
        self._note = on_note
        self._messages = Messages()
        self._unsent = bytearray()
        self._tags = (f"{secrets.token_hex(3)}{number:X}".upper() for number in count())
        self._pictures: bool | None = None  # None: it was not told to begin
        self._stream = ""
        self._arguments = 2
        self._others = self._unread_then = 0
        self.identity = DeviceIdentity("", "", "", "", "")
        self.model: ModelIdentity | None = None
        """None if the firmware found no model."""
        self.restarts = 0
        """Times that the board had stopped by itself and was told to go on."""
        self.damaged_events = 0
        """Events that held no results because their data are no object."""

    @classmethod
    def open(
        cls,
        port: str | Transport = "auto",
        *,
        serial: Serial = _SERIAL,
        timeout_s: float = 10.0,
        on_note: Callable[[Note], None] = lambda _: None,
    ) -> Self:
        """Open a port, stop what the board may be doing, and ask it who it is.

        Args:
            port: a device path, a URL, `auto`, or an open transport.
            serial: how to open a serial port.
            timeout_s: how long opening may take, and then each reply and each result, whatever else arrives;
                longer than one run of its model.
            on_note: is told the device's log lines and its restarts.

        Raises:
            PortError: the port is absent, busy or not permitted, or `auto` finds none or several.
            DeviceError: nothing answers as the protocol says.
        """
        if isinstance(port, str):
            port = open_port(_find(serial) if port == "auto" else port, serial)
        device = cls(port, timeout_s, on_note)
        try:
            device._introduce()
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

    @property
    def losses(self) -> Losses:
        """The lines that could not be used."""
        return self._messages.losses

    def close(self) -> None:
        """Tell the board to stop, if it was told to begin, and let go of the port. May be called twice."""
        try:
            if self._pictures is not None:
                self._pictures = None
                self._exchange("BREAK", None, time.monotonic() + min(_BREAK_S, self._timeout_s), 1)
        except EdgekitError:
            pass  # it is silent or gone: nothing is left to stop
        finally:
            self._transport.close()

    def invoke(self, *, pictures: bool = False, threshold: int | None = None) -> Invocation:
        """Let the board run its model on its camera's frames again and again; see `predictions`.

        Args:
            pictures: send each frame as a JPEG too, which takes most of the line's time.
            threshold: 1 to 100, results with scores above it are sent. The board keeps it in flash.

        Raises:
            DeviceError: the board has no model or no camera, or refuses.
            UsageError: the threshold is out of range.
        """
        if threshold is not None and not 1 <= threshold <= 100:
            raise UsageError(f"a threshold of {threshold} is not in 1..100")
        self._pictures = pictures
        reply = self._begin(pictures)
        # 1.0.x knows this command only while the model runs.
        if threshold is not None:
            self._ask("TSCORE", str(threshold))
        return sscma_answers.invocation(reply.data, self._arguments)

    def predictions(self) -> Iterator[Prediction]:
        """Yield the results of each frame, without end. A board that restarts is told to go on.

        Raises:
            DeviceError: no result comes in time, twice in a row; the board reports an error, or stops again
                and again.
        """
        stops = 0
        was_late = False
        deadline = time.monotonic() + self._timeout_s
        while True:
            message = self._next(deadline)
            why = self._why_stopped(message)
            if why is not None:
                stops += 1
                if stops == TRIES or (was_late and message is None):
                    raise why
                was_late = message is None
                self._resume(why)
            elif isinstance(message, Event) and message.tag == self._stream and self._stream:
                found = sscma_answers.prediction(message.data) if message.command == "INVOKE" else None
                if found is None:
                    self.damaged_events += 1
                    self._others += 1
                    continue
                stops, was_late = 0, False
                yield found
            else:
                self._tell(message)
                continue
            self._begin_wait()
            deadline = time.monotonic() + self._timeout_s

    def _begin(self, pictures: bool) -> Reply:
        alone = 0 if pictures else 1
        # 2.0 ignores arguments beyond its two, so that three would be misread; 1.0.x refuses two, and
        # changes nothing by it. What VER? says is a date of the build in both.
        try:
            reply = self._ask("INVOKE", f"-1,{alone}" if self._arguments == 2 else f"-1,0,{alone}")
        except NotUnderstoodError as error:
            # 1.0.x says "wrong arguements", 2.0 "wrong arguments"; a damaged command would be "unknown".
            if self._arguments == 3 or _WRONG_ARGUMENTS not in error.message:
                raise
            reply = self._ask("INVOKE", f"-1,0,{alone}")
            self._arguments = 3
        self._stream = reply.tag
        return reply

    def _why_stopped(self, message: Message | None) -> DeviceError | None:
        """Return why no more results come, if so. Raises it where telling the board to go on is no use."""
        if message is None:
            return DeviceError(
                f"no result from {self._transport.name} for {self._timeout_s:g} s{self._instead()}",
                _SILENT_HINT,
            )
        if message.tag == _STARTING:
            return DeviceError(
                f"the board at {self._transport.name} restarted", "check its power supply and its cable"
            )
        if isinstance(message, Event) and message.tag == self._stream and message.code != 0:
            error = refused("INVOKE", message.code)
            if message.code not in (AGAIN, BUSY):
                raise error
            return error
        return None

    def _resume(self, why: DeviceError) -> None:
        self.restarts += 1
        self._note(Note(NoteKind.RESET, f"{why.message}; telling it to go on"))
        self._pause(_PAUSE_S)
        self._greet(time.monotonic() + self._timeout_s)
        self._begin(bool(self._pictures))

    def _introduce(self) -> None:
        end = time.monotonic() + self._timeout_s
        id_ = self._greet(end)
        # It may still send what an earlier program, or its own start-up command, told it to.
        self._ask("BREAK", end=end)
        self.identity = sscma_answers.device_identity(
            id_, self._ask_if_known("NAME?", end), self._ask_if_known("VER?", end)
        )
        info = sscma_answers.model_info(self._ask_if_known("INFO?", end))
        self.model = sscma_answers.model_identity(self._ask_if_known("MODEL?", end), info)

    def _greet(self, end: float) -> Any:
        """Return the board's id, asked for until it answers: while it starts, commands are lost."""
        sends = max(_SENDS, int(self._timeout_s / _RESEND_S))
        return self._exchange("ID?", None, end, sends).data

    def _ask_if_known(self, command: str, end: float) -> Any:
        """Return the data of a reply; None if the firmware does not know the command, or has nothing."""
        try:
            return self._ask(command, end=end).data
        except NotUnderstoodError:
            return None
        except RefusedError as error:
            if error.details["code"] in (AGAIN, BUSY):
                raise
            return None

    def _ask(self, command: str, arguments: str | None = None, end: float | None = None) -> Reply:
        """Send a command until it is answered and the board is not busy, or it is too late for either.

        Raises:
            DeviceError: it is not answered in time, or with an error.
        """
        deadline = time.monotonic() + self._timeout_s if end is None else end
        for attempt in range(TRIES):
            if attempt:
                self._pause(_PAUSE_S)
            reply = self._exchange(command, arguments, deadline, _SENDS)
            if reply.code not in (AGAIN, BUSY):
                break
        if reply.code != 0:
            raise refused(command, reply.code)
        return reply

    def _exchange(self, command: str, arguments: str | None, deadline: float, sends: int) -> Reply:
        """Send a command, up to `sends` times if it is not answered, and return the reply to it."""
        tag = next(self._tags)
        # \r ends a command; 1.0.x looks for \n first.
        line = f"AT+{tag}@{command}{'' if arguments is None else f'={arguments}'}\r\n".encode("ascii")
        said, restarted = "", False
        self._begin_wait()
        for sent in range(sends):
            self._unsent += line
            now = time.monotonic()
            until = deadline if sent == sends - 1 else min(deadline, now + _RESEND_S)
            while (message := self._next(until)) is not None:
                if isinstance(message, Reply) and (message.tag, message.command) == (tag, command):
                    return message
                if message.name == _REFUSALS and f"{tag}@" in str(message.data)[:500]:
                    raise NotUnderstoodError(
                        f"the firmware does not understand '{command}': {plain(str(message.data))}",
                        "update the board's firmware with SenseCraft",
                    )
                said = self._tell(message) or said
                restarted |= message.tag == _STARTING
            if time.monotonic() >= deadline:
                break
        heard = f"; it said: {said}" if said else ""
        if restarted:
            raise DeviceError(
                f"the board at {self._transport.name} restarted on '{command}'{heard}",
                "its firmware may have no use for the model: see docs/how-to/stock-sscma-firmware.md",
            )
        raise DeviceError(
            f"no answer from {self._transport.name} to '{command}' within {self._timeout_s:g} s"
            f"{self._instead()}{heard}",
            _SILENT_HINT,
        )

    def _next(self, deadline: float) -> Message | None:
        """Return the next message, None if there is none before the deadline."""
        while (message := self._messages.take()) is None:
            left = deadline - time.monotonic()
            if left <= 0:
                return None
            written, received = self._transport.exchange(bytes(self._unsent), left)
            del self._unsent[:written]
            self._messages.feed(received)
        return message

    def _begin_wait(self) -> None:
        self._others, self._unread_then = 0, self.losses.damaged + self.losses.too_long

    def _instead(self) -> str:
        """Say what has come since the wait began that was not awaited."""
        unread = self.losses.damaged + self.losses.too_long - self._unread_then
        came = ((self._others, "other messages"), (unread, "damaged lines"))
        return "".join(f"; {what}: {number:,}" for number, what in came if number)

    def _pause(self, seconds: float) -> None:
        """Wait, and read on meanwhile."""
        deadline = time.monotonic() + seconds
        while (message := self._next(deadline)) is not None:
            self._tell(message)

    def _tell(self, message: Message | None) -> str:
        """Pass on what the device says unasked; return it as text, empty for events and late replies."""
        self._others += message is not None
        if message is None or isinstance(message, Reply) or message.command == "INVOKE":
            return ""
        text = plain(str(message.data)) if isinstance(message.data, str | int) else message.name
        self._note(Note(NoteKind.LOG, text))
        return text


def _find(settings: Serial) -> str:
    def answers(path: str) -> bool:
        try:
            SscmaDevice.open(path, serial=settings, timeout_s=_PROBE_S).close()
        except EdgekitError:
            return False
        return True

    return ports.choose(ports.list_ports(), settings.usb_ids, answers)
