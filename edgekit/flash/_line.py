"""A serial line to a bootloader, byte by byte and with deadlines."""

from collections.abc import Callable

from edgekit.device.transport import LineBrokenError, Transport

_WRITE_S = 10.0
_ROUNDS = 64
_MOST = 65536  # that wait to be read: of a line that floods what came last
_SHOWN = 60


class Line:
    """Reads single bytes, and keeps what comes in while something is written.

    Args:
        transport: the line.
        clock: seconds, going forward.
    """

    def __init__(self, transport: Transport, clock: Callable[[], float]) -> None:
        self._transport = transport
        self._heard = bytearray()
        self._count = 0
        self._last = b""
        self.clock = clock

    def byte(self, timeout_s: float) -> int | None:
        """Return the next byte, or None after a silence of `timeout_s`."""
        deadline = self.clock() + timeout_s
        while not self._heard:
            left = deadline - self.clock()
            if left <= 0:
                return None
            self._keep(self._transport.exchange(b"", left)[1])
        return self._heard.pop(0)

    def take(self) -> bytes:
        """Return what is here already; from a line that never stops only so much."""
        for _ in range(_ROUNDS):
            more = self._transport.exchange(b"", 0.0)[1]
            if not more:
                break
            self._keep(more)
        taken = bytes(self._heard)
        self._heard.clear()
        return taken

    def write(self, data: bytes, limit_s: float = _WRITE_S) -> None:
        """Write all of `data`. Raises LineBrokenError where it is not taken in time."""
        deadline = self.clock() + limit_s
        rest = data
        while rest:
            written, heard = self._transport.exchange(rest, 0.1)
            self._keep(heard)
            rest = rest[written:]
            if rest and self.clock() >= deadline:
                raise LineBrokenError(f"the line {self._transport.name} takes no more bytes")

    def came(self) -> str:
        """Say in brackets how much has come so far, and what its end looks like; nothing of nothing."""
        text = "".join(chr(byte) for byte in self._last if 0x20 <= byte < 0x7F)
        return f" ({self._count:,} bytes came, the last of them '{text}')" if self._count else ""

    def _keep(self, heard: bytes) -> None:
        self._count += len(heard)
        self._last = (self._last + heard)[-_SHOWN:]
        self._heard += heard
        del self._heard[:-_MOST]
