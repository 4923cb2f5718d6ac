"""Gives the serial line of a virtual board a path, so that programs which open a serial port can open it.

with open_terminal() as terminal:
    print(terminal.path)
    join(line, terminal)
"""

import contextlib
import os
import selectors
import socket
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from enum import StrEnum

from edgekit.errors import DeviceError, PortError

LIMIT_BYTES = 65536
"""What may wait in each direction; beyond that the sender has to."""

_READ_BYTES = 16384
_READY = b"m-ready\r\n"
_BOOT_BYTES = 65536
_LOOK_AGAIN_S = 0.05


class End(StrEnum):
    """The end of a bridge that was closed."""

    LINE = "line"
    TERMINAL = "terminal"


@dataclass(frozen=True, slots=True)
class Terminal:
    """Our end of a pseudo-terminal, and the path of the other one."""

    descriptor: int
    path: str


@contextmanager
def open_terminal(*, keep: bool = False) -> Iterator[Terminal]:
    """Make a pseudo-terminal in raw mode: no echo, no line editing, every byte passes as it is.

    Args:
        keep: stay open when the program that uses it closes it, for the next one. Otherwise that ends `join`.

    Raises:
        PortError: this system has no pseudo-terminals, or none is left.
    """
    try:
        import tty

        ours, theirs = os.openpty()
    except (ImportError, AttributeError, OSError) as error:
        raise PortError(f"cannot make a pseudo-terminal: {error}", "Linux and macOS have them") from error
    with contextlib.ExitStack() as descriptors:
        descriptors.callback(os.close, ours)
        with contextlib.ExitStack() as early:
            (descriptors if keep else early).callback(os.close, theirs)
            tty.setraw(theirs)
            path = os.ttyname(theirs)
        os.set_blocking(ours, False)
        yield Terminal(ours, path)


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
        left = end - time.monotonic()
        try:
            line.settimeout(max(left, 1e-3))
            data = line.recv(_READ_BYTES)
        except (TimeoutError, ConnectionError):
            data = b""
        said += data
        if not data or len(said) > _BOOT_BYTES:
            raise DeviceError(
                f"the board did not boot: expected 'm-ready' within {timeout_s:g} s, got {said[-60:]!r}",
                "is its firmware an MLPerf Tiny one? Flash it with --protocol mlperf_tiny",
            )
    return said


def join(line: socket.socket, terminal: Terminal) -> End:
    """Carry bytes between a line and a pseudo-terminal until one of them closes; say which.

    Until a program opens the terminal, what the line says waits for it.
    """
    line.setblocking(False)
    to_line, to_terminal = bytearray(), bytearray()
    in_use = False
    with selectors.DefaultSelector() as selector:
        while True:
            connected = _read_terminal(terminal.descriptor, to_line)
            if in_use and not connected:
                _write_line(line, to_line)
                return End.TERMINAL
            in_use = connected
            if not _read_line(line, to_terminal):
                if connected:
                    _write_terminal(terminal.descriptor, to_terminal)
                return End.LINE
            _write_line(line, to_line)
            if connected:
                _write_terminal(terminal.descriptor, to_terminal)
            _watch(selector, line, len(to_terminal) < LIMIT_BYTES, bool(to_line))
            # A terminal that nobody has open counts as readable all the time: look again later.
            _watch(
                selector,
                terminal.descriptor,
                connected and len(to_line) < LIMIT_BYTES,
                connected and bool(to_terminal),
            )
            selector.select(None if connected else _LOOK_AGAIN_S)


def _read_line(line: socket.socket, backlog: bytearray) -> bool:
    """Read what there is and room for; False at the end of the line."""
    if len(backlog) >= LIMIT_BYTES:
        return True
    try:
        data = line.recv(_READ_BYTES)
    except (BlockingIOError, InterruptedError):
        return True
    except OSError:
        return False
    backlog += data
    return bool(data)


def _write_line(line: socket.socket, backlog: bytearray) -> None:
    with contextlib.suppress(OSError):  # a broken line is found by reading it
        if backlog:
            del backlog[: line.send(backlog)]


def _read_terminal(descriptor: int, backlog: bytearray) -> bool:
    """Read what there is and room for; False if no program has the terminal open."""
    if len(backlog) >= LIMIT_BYTES:
        return True
    try:
        data = os.read(descriptor, _READ_BYTES)
    except (BlockingIOError, InterruptedError):
        return True
    except OSError:
        return False
    backlog += data
    return bool(data)


def _write_terminal(descriptor: int, backlog: bytearray) -> None:
    with contextlib.suppress(OSError):
        if backlog:
            del backlog[: os.write(descriptor, backlog)]


def _watch(
    selector: selectors.BaseSelector, what: socket.socket | int, readable: bool, writable: bool
) -> None:
    """Wake up when `what` can be read or written, as far as asked; with neither, do not watch it."""
    events = (selectors.EVENT_READ if readable else 0) | (selectors.EVENT_WRITE if writable else 0)
    known = selector.get_map().get(what)
    if known is None and events:
        selector.register(what, events)
    elif known is not None and not events:
        selector.unregister(what)
    elif known is not None and known.events != events:
        selector.modify(what, events)
