"""Scripted peers that may do anything, at the other end of a line: on a clock of numbers, or on a terminal.

On the clock of numbers the clients' real code runs, and a wait of an hour takes no time.
"""

import os
import select
import threading
import time
import tty
from collections.abc import Iterator
from contextlib import contextmanager
from types import ModuleType

import pytest

_BYTE_S = 1e-6
"""What a byte takes on the line: a flood is fast, but not infinitely so."""
_PIECE_BYTES = 65536
_MOST_UNREAD = 1 << 20


class Peer:
    """A device that says nothing; subclasses put into `out` what they say."""

    period_s = 0.05

    def __init__(self) -> None:
        self.out = bytearray()

    def hear(self, data: bytes) -> None:
        """Take what the host sends."""

    def idle(self) -> None:
        """Do what is done each `period_s`."""


class Clock:
    """Stands in for the module `time` in a client: only a wait makes it go on."""

    def __init__(self) -> None:
        self.now = 1000.0

    def monotonic(self) -> float:
        return self.now

    def sleep(self, seconds: float) -> None:
        self.now += seconds


class VirtualLine:
    """A transport with a peer at its other end."""

    name = "peer"

    def __init__(self, peer: Peer, clock: Clock) -> None:
        self.peer = peer
        self.clock = clock
        self._idle_at = clock.now

    def exchange(self, data: bytes, timeout_s: float) -> tuple[int, bytes]:
        """See `Transport`."""
        if data:
            self.peer.hear(data)
        deadline = self.clock.now + (0.0 if data else timeout_s)
        self._tick()
        while not self.peer.out and self.clock.now < deadline:
            self.clock.now = min(deadline, self._idle_at)
            self._tick()
        heard = bytes(self.peer.out[:_PIECE_BYTES])
        del self.peer.out[:_PIECE_BYTES]
        self.clock.now += len(heard) * _BYTE_S
        return len(data), heard

    def _tick(self) -> None:
        while self._idle_at <= self.clock.now and len(self.peer.out) < _MOST_UNREAD:
            self.peer.idle()
            self._idle_at = max(self._idle_at + self.peer.period_s, self.clock.now - 1.0)

    def close(self) -> None:
        """See `Transport`."""


def connect(patch: pytest.MonkeyPatch, peer: Peer, client: ModuleType) -> VirtualLine:
    """Return a line to a peer, and let a client's module live on the line's clock."""
    clock = Clock()
    patch.setattr(client, "time", clock)
    return VirtualLine(peer, clock)


@contextmanager
def on_terminal(peer: Peer) -> Iterator[str]:
    """Yield the path of a serial port with the peer at its other end, in real time."""
    theirs, ours = os.openpty()
    tty.setraw(ours)
    os.set_blocking(theirs, False)
    stop = threading.Event()

    def serve() -> None:
        idle_at = time.monotonic()
        while not stop.is_set():
            readable, writable, _ = select.select([theirs], [theirs] if peer.out else [], [], 0.005)
            if readable:
                peer.hear(os.read(theirs, _PIECE_BYTES))
            if writable:
                del peer.out[: os.write(theirs, peer.out)]
            if time.monotonic() >= idle_at and len(peer.out) < _MOST_UNREAD:
                peer.idle()
                idle_at = time.monotonic() + peer.period_s

    thread = threading.Thread(target=serve)
    thread.start()
    try:
        yield os.ttyname(ours)
    finally:
        stop.set()
        thread.join()
        os.close(ours)
        os.close(theirs)
