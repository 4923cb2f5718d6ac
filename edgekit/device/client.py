"""A device as a Python object: open it, check it, stream frames to it."""

import secrets
import time
from collections.abc import Callable, Iterable, Iterator
from dataclasses import replace
from types import TracebackType
from typing import Any

import numpy as np
from numpy.typing import NDArray

from edgekit.answers import Answers, Each, Frames, Progress, ignore
from edgekit.board import Serial
from edgekit.contract import Contract
from edgekit.device import ports
from edgekit.device.events import Note, Result, Statistics
from edgekit.device.frame import Answer, PacketType
from edgekit.device.hello import Hello, Unit
from edgekit.device.prediction import Prediction, Sighting
from edgekit.device.session import Session
from edgekit.device.transport import LineBrokenError, Transport, open_port
from edgekit.device.watch import Sight
from edgekit.errors import DeviceError, EdgekitError, PortError, UsageError

_LONGEST_WAIT_S = 0.5
_AWAY_S = 0.1
_MOST_WRITTEN = 65536
_PROBE_S = 2.0
_RETRY_S = 0.1
_DEFAULT_SERIAL = Serial(usb_ids=(), baud=921600, dtr=False, rts=False)


class Device:
    """A board (or emulator, or host process) that runs edgekit's firmware.

    Made by `Device.open`; a context manager. Not for use by several threads at a time.
    """

    def __init__(
        self,
        transport: Transport,
        reopen: Callable[[], Transport] | None,
        session: Session,
        timeout_s: float,
        on_note: Callable[[Note], None] | None,
    ) -> None:
        self._transport = transport
        self._reopen = reopen
        self._session = session
        self._timeout_s = timeout_s
        self._on_note = on_note
        self._backlog = bytearray()
        self._looked_at = time.monotonic()
        self._broken_at: float | None = None
        self._answered_at = 0.0
        self._closed = False
        self._labels: tuple[str, ...] = ()

    @classmethod
    def open(
        cls,
        port: str | Transport | Callable[[], Transport] = "auto",
        *,
        contract: Contract | None = None,
        model_digest: str | None = None,
        serial: Serial | None = None,
        timeout_s: float = 10.0,
        on_note: Callable[[Note], None] | None = None,
    ) -> "Device":
        """Open a port, greet the device, and check that it runs the expected firmware.

        Args:
            port: a device path, a URL (`socket://`, `rfc2217://`), `auto`, an open transport, or a
                function that opens one. All but an open transport are opened again if the line breaks.
            contract: what the device must agree to; None skips the check.
            model_digest: the digest of the model that must be on the device; None skips the check.
            serial: how to open a serial port, and the USB ids by which `auto` knows it.
            timeout_s: how long the device may be silent while something is expected of it; longer than
                one invoke. Also how long a broken line may take to come back.
            on_note: told of restarts, reconnections and the device's log lines.

        Raises:
            PortError: the port is absent, busy or not permitted, or `auto` finds none or several.
            DeviceError: the device does not answer or breaks the protocol.
            ContractMismatchError: the firmware is another contract's or model's.
        """
        settings = serial or _DEFAULT_SERIAL
        reopen: Callable[[], Transport] | None = None
        if isinstance(port, str):
            path = _find(settings) if port == "auto" else port
            reopen = lambda: open_port(path, settings)  # noqa: E731 - a function of what was found
            transport = reopen()
        elif callable(port):
            reopen = port
            transport = port()
        else:
            transport = port
        device = cls(transport, reopen, _new_session(timeout_s), timeout_s, on_note)
        try:
            while not device._session.is_open:
                device._pump()
            device.check(contract, model_digest)
        except BaseException:
            device.close()
            raise
        return device

    def __enter__(self) -> "Device":
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()

    @property
    def hello(self) -> Hello:
        """What the device said of itself."""
        assert self._session.hello is not None
        return self._session.hello

    @property
    def statistics(self) -> Statistics:
        """What has happened on the line so far: a copy."""
        return replace(self._session.statistics)

    def check(self, contract: Contract | None, model_digest: str | None = None) -> None:
        """Compare the device with what the host expects, and take the labels from the contract.

        Raises:
            ContractMismatchError: naming every field that differs.
        """
        expected: dict[str, Any] = {}
        if contract is not None:
            expected = {
                "input_shape": contract.input_shape,
                "output_bytes": contract.classes,
                "accepts_pixels": contract.table is not None,
                "contract_digest": contract.digest(),
            }
        if model_digest is not None:
            expected["model_digest"] = model_digest
        self.hello.check(expected)
        if contract is not None:
            self._labels = contract.labels

    def stream(self, frames: Iterable[NDArray[Any]]) -> Iterator[Prediction]:
        """Classify frames, in order; the next one travels while the device computes.

        Args:
            frames: uint8 pixels or int8 tensors, each of the model's input shape without the batch.
                Taken one by one as the device has room; up to one more than it holds is taken ahead.

        Raises:
            UsageError: a frame has another shape or type.
            DeviceError: the device falls silent or breaks the protocol.
        """
        self._drain()
        source = iter(frames)
        more = True
        while more or self._session.unanswered:
            while more and self._session.wants_frame:
                frame = next(source, None)
                if frame is None:
                    more = False
                else:
                    self._submit(frame)
            self._pump()
            for result in self._session.take_results():
                yield self._prediction(result)

    def classify(self, frame: NDArray[Any]) -> Prediction:
        """Classify one frame; see `stream`."""
        (prediction,) = self.stream([frame])
        return prediction

    def scores(self, frames: Frames, *, each: Each = ignore, progress: Progress = ignore) -> Answers:
        """Classify frames [N, ...] and return all answers: a `Runner`; see `stream`."""
        found = []
        for number, answer in enumerate(self.stream(frames)):
            found.append(answer)
            each(number, answer.scores)
            progress((number + 1) / len(frames))
        line = self._session.statistics
        return Answers(
            np.array([one.scores for one in found], np.int8).reshape(-1, self.hello.output_bytes),
            "serial",
            self.hello.unit,
            tuple(one.preprocess_ticks for one in found),
            tuple(one.invoke_ticks for one in found),
            tuple(round(one.link_s * 1e3, 3) for one in found),
            line.retransmissions,
            line.resets,
            line.reconnections,
        )

    def watch(self, *, every: int = 0) -> Iterator[Sighting]:
        """Yield the device's predictions on what its own camera sees, until the caller stops.

        The device makes them as fast as it can and keeps none back: while the caller is busy elsewhere,
        it stops after a few.

        Args:
            every: whose frames shall come with the prediction: 1 for all, n for each nth, 0 for none.

        Raises:
            DeviceError: the firmware has no camera, the camera fails, or the device falls silent.
            UsageError: the device was closed, or a newer watch has taken the place of this one.
        """
        if not self.hello.has_camera:
            raise DeviceError(
                "the firmware on the board was built without a camera",
                "flash it with `edgekit flash --camera`",
            )
        self._drain()
        watch = self._session.watch(every, time.monotonic())
        self._answered_at = time.monotonic()
        try:
            while True:
                if not self._session.is_watching(watch):
                    raise UsageError("a device is watched by one at a time, and a newer watch has begun")
                self._pump()
                for sight in self._session.take_sights():
                    yield self._sighting(sight)
        finally:
            self._session.stop_watch(watch)

    def _sighting(self, sight: Sight) -> Sighting:
        seen = sight.seen
        ticks = seen.capture_ticks + seen.preprocess_ticks + seen.invoke_ticks
        answer = Answer(seen.seq, seen.preprocess_ticks, seen.invoke_ticks, seen.scores)
        spent = max(0.0, sight.arrived_at - self._answered_at)
        self._answered_at = sight.arrived_at
        if self.hello.unit is Unit.MICROSECONDS:
            spent -= ticks / 1e6
        frame = None
        if sight.frame is not None:
            frame = np.frombuffer(sight.frame, np.uint8).reshape(self.hello.input_shape[1:])
        return Sighting(self._predicted(answer, spent, 0), seen.capture_ticks, frame)

    def trace(self) -> tuple[int, ...]:
        """Return the CRC-32 of every step's output in the last run. Needs a debug build.

        Raises:
            DeviceError: the firmware keeps no trace, or nothing has run yet.
        """
        if not self.hello.has_trace:
            raise DeviceError(
                "the firmware on the device keeps no trace of its steps", "build it as a debug build"
            )
        self._drain()
        self._session.request_trace(time.monotonic())
        while self._session.trace is None:
            self._pump()
        return self._session.trace

    def close(self) -> None:
        """Let go of the port, for good. Closing twice is allowed."""
        self._closed = True
        self._transport.close()

    def _drain(self) -> None:
        """Wait for the answers that a stream, left early, did not fetch."""
        while self._session.unanswered:
            self._pump()
        self._session.take_results()

    def _submit(self, frame: NDArray[Any]) -> None:
        shape = self.hello.input_shape[1:]
        kinds = {np.dtype(np.uint8): PacketType.CHUNK_PIXELS, np.dtype(np.int8): PacketType.CHUNK_TENSOR}
        kind = kinds.get(frame.dtype)
        if kind is None or frame.shape != shape:
            raise UsageError(
                f"a frame is {frame.dtype} {list(frame.shape)}, but the device takes {list(shape)} "
                "of uint8 (pixels) or int8 (quantised)",
                "prepare the frames for this model's input shape",
            )
        self._session.submit(frame.tobytes(), kind, time.monotonic())

    def _prediction(self, result: Result) -> Prediction:
        answer = result.answer
        spent = result.answered_at - max(result.first_byte_at, self._answered_at)
        self._answered_at = max(self._answered_at, result.answered_at)
        if self.hello.unit is Unit.MICROSECONDS:
            spent -= (answer.preprocess_ticks + answer.invoke_ticks) / 1e6
        return self._predicted(answer, spent, result.retransmissions)

    def _predicted(self, answer: Answer, spent: float, retransmissions: int) -> Prediction:
        scores = np.frombuffer(answer.scores, np.int8)
        index = int(np.argmax(scores))
        return Prediction(
            seq=answer.seq,
            scores=scores,
            index=index,
            label=self._labels[index] if index < len(self._labels) else str(index),
            preprocess_ticks=answer.preprocess_ticks,
            invoke_ticks=answer.invoke_ticks,
            link_s=max(0.0, spent),
            retransmissions=retransmissions,
        )

    def _pump(self) -> None:
        """Send and receive what is there, or wait for it a while."""
        if self._closed:  # the line must not be opened again behind the caller's back
            raise UsageError("the device was closed")
        now = time.monotonic()
        if (away_s := now - self._looked_at) > _AWAY_S:
            self._session.resume(now, away_s)  # the caller was busy; the device was not silent for it
        try:
            self._backlog += self._session.bytes_to_send(now)
            deadline = self._session.next_deadline()
            wait = _LONGEST_WAIT_S if deadline is None else min(deadline - now, _LONGEST_WAIT_S)
            written, received = self._transport.exchange(bytes(self._backlog[:_MOST_WRITTEN]), wait)
            del self._backlog[:written]
            if received:
                self._session.feed(received, time.monotonic())
            self._looked_at = time.monotonic()  # what a flood of packets takes to read counts as well
            if self._session.is_open:
                self._broken_at = None
        except LineBrokenError as error:
            self._reconnect(error)
        for note in self._session.take_notes():
            if self._on_note is not None:
                self._on_note(note)

    def _reconnect(self, error: LineBrokenError) -> None:
        """Open the line again, for at most `timeout_s` since it broke."""
        if self._reopen is None:
            raise error
        self._transport.close()
        self._backlog.clear()
        if self._broken_at is None:
            self._broken_at = time.monotonic()
        else:
            time.sleep(_RETRY_S)  # it broke again before the device was greeted
        deadline = self._broken_at + self._timeout_s
        while True:
            try:
                self._transport = self._reopen()
                break
            except PortError:
                if time.monotonic() > deadline:
                    raise
                time.sleep(_RETRY_S)
        if time.monotonic() > deadline:
            raise error
        self._looked_at = time.monotonic()
        self._session.reconnected(f"{error.message} and was opened again", self._looked_at)


def _new_session(timeout_s: float) -> Session:
    return Session(1 + secrets.randbelow(0xFFFFFFFF), time.monotonic(), timeout_s)


def _find(settings: Serial) -> str:
    def answers(path: str) -> bool:
        try:
            Device.open(path, serial=settings, timeout_s=_PROBE_S).close()
        except EdgekitError:
            return False
        return True

    return ports.choose(ports.list_ports(), settings.usb_ids, answers)
