"""Gives a virtual board's serial line an address that any client can open: a TCP port, or a terminal.

What the board sends while nobody is connected waits for the next client, as in the buffer of an adapter. A
client that goes leaves the board running.
"""

import contextlib
import os
import selectors
import socket
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import TypeAlias

from edgekit.emulator import RunningBoard
from edgekit.errors import DeviceError, PortError

_PIECE_BYTES = 65536
_READY = b"m-ready\r\n"


@dataclass(slots=True)
class _End:
    """One end of a bridge; `waiting` is what it has still to be given."""

    handle: int
    waiting: bytearray = field(default_factory=bytearray)


Told: TypeAlias = Callable[[str], None]
Boot: TypeAlias = Callable[[socket.socket], object]


def listen(host: str, port: int) -> socket.socket:
    """Return a listening socket; port 0 takes a free one. Raises PortError."""
    try:
        return socket.create_server((host, port))
    except OSError as error:
        raise PortError(
            f"cannot listen on {host}:{port}: {error.strerror}", "choose another port, or 0 for a free one"
        ) from error


def skip_boot(line: socket.socket, timeout_s: float) -> bytes:
    """Read what MLPerf Tiny firmware says while it boots, and return it.

    A runner takes the first `m-ready` for the answer to its first command. So the boot messages, which a
    board on a desk has long sent when its port is opened, must not reach it.

    Raises:
        DeviceError: no `m-ready` comes in time.
    """
    end = time.monotonic() + timeout_s
    said = b""
    while not said.endswith(_READY):
        data, left = b"", end - time.monotonic()
        with contextlib.suppress(TimeoutError, ConnectionError):
            line.settimeout(max(left, 1e-3))
            data = line.recv(_PIECE_BYTES) if left > 0 else b""
        said += data
        if not data or len(said) > _PIECE_BYTES:
            raise DeviceError(
                f"the board did not boot: expected 'm-ready' within {timeout_s:g} s, got {said[-60:]!r}",
                "is its firmware an MLPerf Tiny one? Flash it with --protocol mlperf_tiny",
            )
    return said


def serve_tcp(
    running: RunningBoard,
    server: socket.socket,
    told: Told = lambda _: None,
    *,
    boot: Boot = lambda _: None,
) -> None:
    """Turn the board on and connect one client after another to it, for ever.

    Args:
        running: the board.
        server: listens; it is not closed.
        told: who came and went, in words.
        boot: given the board's line when it has been turned on, before anything passes.

    Raises:
        FaultError: the firmware crashed.
        ToolError: QEMU failed.
        DeviceError: the firmware ended.
    """
    line = _turn_on(running, boot)
    while True:
        client, (host, port, *_) = server.accept()
        told(f"{host}:{port} is connected")
        with client:
            client.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            client.setblocking(False)
            _join(running, line, client.fileno())
        told(f"{host}:{port} has gone")


def serve_terminal(running: RunningBoard, handle: int, *, boot: Boot = lambda _: None) -> None:
    """Turn the board on and connect it to the primary side of a pseudo-terminal, for ever.

    Raises as `serve_tcp`.
    """
    os.set_blocking(handle, False)
    _join(running, _turn_on(running, boot), handle)


@contextlib.contextmanager
def terminal() -> Iterator[tuple[str, int]]:
    """Make a pseudo-terminal that passes all bytes as they are; yield its path and the primary side.

    Raises:
        PortError: this system has none.
    """
    try:
        import pty
        import tty

        primary, replica = pty.openpty()
    except (ImportError, OSError) as error:
        raise PortError(f"cannot make a pseudo-terminal: {error}", "use the TCP port instead") from error
    try:
        tty.setraw(replica)
        yield os.ttyname(replica), primary
    finally:
        # The replica was held open, or the line would break each time a client closes its end.
        os.close(replica)
        os.close(primary)


def _turn_on(running: RunningBoard, boot: Boot) -> socket.socket:
    line = running.connect()
    try:
        boot(line)
    except DeviceError:
        running.close()
        running.check()  # a crash says more
        raise
    return line


def _join(running: RunningBoard, line: socket.socket, handle: int) -> None:
    """Carry bytes both ways until the client goes; raise when the board ends."""
    line.setblocking(False)
    board, client = _End(line.fileno()), _End(handle)
    with selectors.DefaultSelector() as selector:
        for end in (board, client):
            selector.register(end.handle, selectors.EVENT_READ, end)
        while True:
            for key, events in selector.select():
                if not _move(key.data, client if key.data is board else board, events):
                    if key.data is client:
                        return
                    running.close()
                    running.check()
                    raise DeviceError("the firmware has ended", "start it again")
            for end, other in ((board, client), (client, board)):
                # Nothing more is taken from one end than the other has room for.
                wanted = selectors.EVENT_WRITE if end.waiting else 0
                wanted |= selectors.EVENT_READ if len(other.waiting) < _PIECE_BYTES else 0
                _want(selector, end, wanted)


def _want(selector: selectors.BaseSelector, end: _End, events: int) -> None:
    known = selector.get_map()
    if events and end.handle in known:
        selector.modify(end.handle, events, end)
    elif events:
        selector.register(end.handle, events, end)
    elif end.handle in known:
        selector.unregister(end.handle)


def _move(end: _End, other: _End, events: int) -> bool:
    """Write what waits and read what is there; return whether the end is still open."""
    try:
        if events & selectors.EVENT_WRITE:
            del end.waiting[: os.write(end.handle, end.waiting)]
        if events & selectors.EVENT_READ:
            data = os.read(end.handle, _PIECE_BYTES)
            other.waiting += data
            return bool(data)
    except (BlockingIOError, InterruptedError):
        pass
    except OSError:
        return False
    return True
