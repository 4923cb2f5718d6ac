"""Predictions that the device makes on its own camera.

They are asked for a few at a time, so that the device stops by itself when nobody listens any more.
"""

import math
from collections import deque
from dataclasses import dataclass

from edgekit.device import frame as wire
from edgekit.errors import DeviceError

_CREDIT = 16
"""So many predictions are asked for at a time; at half of them the next ones are."""
_REPEAT_S = 1.0
_MAX_DOUBLINGS = 5  # a slow board must not find its receive buffer full of requests
_KEPT = 4 * _CREDIT
"""So many predictions wait for a caller who is busy elsewhere; an honest device makes no more unasked."""
_CAMERA_FAILURES = {
    0: "the camera of the board does not answer",
    1: "the camera of the board gives pictures that are smaller than the model's frames",
}


@dataclass(frozen=True, slots=True)
class Sight:
    """One prediction, and its frame if it was asked for and arrived whole."""

    seen: wire.Seen
    frame: bytes | None
    arrived_at: float


class Watch:
    """What is asked of the device's camera, and what has come. Times as in `Session`.

    Args:
        every: whose frames are wanted: 1 for all, n for each nth, 0 for none.
        frame_bytes: bytes of one frame.
        output_bytes: scores of one prediction.
    """

    def __init__(self, every: int, frame_bytes: int, output_bytes: int, now: float) -> None:
        self._every = every
        self._frame_bytes = frame_bytes
        self._output_bytes = output_bytes
        self._credit = 0
        self._ask_at = now
        self._pieces = bytearray()
        self._pieces_of: int | None = None
        self._unexplained = 0
        self._begun = 0
        self._requests = 0
        self._last: int | None = None
        self._sights: deque[Sight] = deque(maxlen=_KEPT)

    @property
    def ask_at(self) -> float:
        """When `bytes_to_send` has something to send, unless predictions come before."""
        return math.inf if self._is_full else self._ask_at

    @property
    def requests(self) -> int:
        """How often in a row the device was asked, without a prediction."""
        return self._requests

    @property
    def _is_full(self) -> bool:
        """Whether the caller has not fetched what is here: no more is asked for until then."""
        return len(self._sights) >= _CREDIT

    def start_over(self, now: float) -> None:
        """Ask again at once: the device has forgotten what was asked."""
        self._credit, self._ask_at, self._pieces_of = 0, now, None
        self._requests, self._last = 0, None

    def bytes_to_send(self, now: float) -> bytes:
        """Return a request if one is due; it counts as sent."""
        if now < self.ask_at:
            return b""
        # A repeated request does no harm: it says what is wanted from now on, not what is wanted besides.
        self._credit, self._ask_at = _CREDIT, now + _REPEAT_S * 2.0 ** min(self._requests, _MAX_DOUBLINGS)
        self._requests += 1
        return wire.encode_watch_request(_CREDIT, self._every)

    def take(self, packet: wire.Seen | wire.Picture, now: float) -> bool:
        """Take what the device says and return whether it is new: a prediction, or more of a frame.

        Raises:
            DeviceError: it contradicts its HELLO, or sends pictures for ever and never a prediction.
        """
        match packet:
            case wire.Picture():
                return self._on_picture(packet)
            case wire.Seen():
                if len(packet.scores) != self._output_bytes:
                    raise DeviceError(
                        f"the device sent {len(packet.scores)} scores for a model with {self._output_bytes}"
                    )
                if packet.seq == self._last:
                    return False  # the line has doubled it
                self._last = packet.seq
                whole = self._pieces_of == packet.seq and len(self._pieces) == self._frame_bytes
                self._sights.append(Sight(packet, bytes(self._pieces) if whole else None, now))
                self._pieces_of = None
                self._unexplained = self._begun = self._requests = 0
                self._credit -= 1
                self._ask_at = now if self._credit <= _CREDIT // 2 else now + _REPEAT_S
        return True

    def take_sights(self) -> list[Sight]:
        """Return what has come since the last call."""
        found = list(self._sights)
        self._sights.clear()
        return found

    def _on_picture(self, piece: wire.Picture) -> bool:
        """Pieces come in order; one that does not follow the last leaves the frame incomplete."""
        self._unexplained += max(1, len(piece.data))
        begins = piece.offset == 0 and piece.seq != self._pieces_of
        self._begun += begins
        # A lossy line loses a few predictions, not all.
        if self._unexplained > _CREDIT * self._frame_bytes or self._begun > _CREDIT:
            raise DeviceError("the device sends pictures, but no prediction comes with them")
        if piece.offset == 0:
            self._pieces_of = piece.seq
            self._pieces.clear()
        room = self._frame_bytes - len(self._pieces)
        if self._pieces_of != piece.seq or piece.offset != len(self._pieces) or len(piece.data) > room:
            self._pieces_of = None
            return False
        self._pieces += piece.data
        return begins or piece.offset > 0


def failure(fault: wire.Fault) -> DeviceError | None:
    """Return the error that ends a watch, or None for a fault of another kind."""
    if fault.code == wire.ErrorCode.NO_CAMERA:
        return DeviceError(
            "the firmware on the board was built without its camera", "flash it with `edgekit flash --camera`"
        )
    if fault.code == wire.ErrorCode.CAMERA_FAILED:
        said = _CAMERA_FAILURES.get(fault.offset, f"the camera of the board failed (reason {fault.offset})")
        return DeviceError(said, "look at its ribbon cable, and whether it is the sensor of the board file")
    return None
