"""A serial line to a bootloader, byte by byte and with deadlines."""

from collections.abc import Callable

from edgekit.device.transport import LineBrokenError, Transport

_WRITE_S = 10.0
_ROUNDS = 64


class Line:
    """Reads single bytes, and keeps what comes in while something is written.

    Args:
        transport: the line.
        clock: seconds, going forward.
    """

    def __init__(self, transport: Transport, clock: Callable[[], float]) -> None:
        self._transport = transport
        self._heard = bytearray()
        self.clock = clock

    def byte(self, timeout_s: float) -> int | None:
        """Return the next byte, or None after a silence of `timeout_s`."""
        deadline = self.clock() + timeout_s
        while not self._heard:
            left = deadline - self.clock()
            if left <= 0:
                return None
            self._heard += self._transport.exchange(b"", left)[1]
        return self._heard.pop(0)

    def take(self) -> bytes:
        """Return what is here already; from a line that never stops only so much."""
        for _ in range(_ROUNDS):
            more = self._transport.exchange(b"", 0.0)[1]
            if not more:
                break
            self._heard += more
        taken = bytes(self._heard)
        self._heard.clear()
        return taken

    def write(self, data: bytes) -> None:
        """Write all of `data`. Raises LineBrokenError where it is not taken."""
        deadline = self.clock() + _WRITE_S
        rest = data
        while rest:
            written, heard = self._transport.exchange(rest, 0.1)
            self._heard += heard
            rest = rest[written:]
            if rest and self.clock() >= deadline:
                raise LineBrokenError(f"the line {self._transport.name} takes no more bytes")
