"""Byte streams to a device: a socket, a serial port, or a URL that pyserial understands.

A transport reads while it writes: two ends that both only write would wait for each other for ever.
"""

import contextlib
import errno
import os
import selectors
import socket
from collections.abc import Callable
from typing import Any, Protocol
from urllib.parse import urlsplit

from edgekit.board import Serial
from edgekit.errors import DeviceError, PortError

_READ_BYTES = 65536
_POLL_S = 0.01
_PIECE_BYTES = 512
_CONNECT_S = 5.0
_WRITE_S = 5.0
_LONGEST_WAIT_S = 3600.0  # the system's own limit is 24 days


class LineBrokenError(DeviceError):
    """The other end has closed the line, or the port was unplugged."""


class Transport(Protocol):
    """A byte stream in both directions."""

    @property
    def name(self) -> str:
        """What to call it in a message."""

    def exchange(self, data: bytes, timeout_s: float) -> tuple[int, bytes]:
        """Write what is accepted at once of `data` and read what is there.

        Waits up to `timeout_s` until at least one of the two is possible. Returns how many bytes were
        written and what was read. Raises LineBrokenError at the end of the stream.
        """

    def close(self) -> None:
        """Let go of the line. Closing twice is allowed."""


class _Descriptor:
    """Exchanges bytes over a non-blocking file descriptor or socket."""

    def __init__(
        self, line: Any, name: str, read: Callable[[int], bytes], write: Callable[[bytes], int]
    ) -> None:
        self._selector: selectors.BaseSelector | None = selectors.DefaultSelector()
        self._key = self._selector.register(line, selectors.EVENT_READ)
        self._name = name
        self._read = read
        self._write = write

    def exchange(self, data: bytes, timeout_s: float) -> tuple[int, bytes]:
        if self._selector is None:
            raise LineBrokenError(f"{self._name} is closed")
        wanted = selectors.EVENT_READ | (selectors.EVENT_WRITE if data else 0)
        if self._key.events != wanted:
            self._key = self._selector.modify(self._key.fileobj, wanted)
        written, received = 0, b""
        for _, events in self._selector.select(min(max(0.0, timeout_s), _LONGEST_WAIT_S)):
            try:
                if events & selectors.EVENT_READ:
                    received = self._read(_READ_BYTES)
                    if not received:
                        raise LineBrokenError(f"the line {self._name} was closed by the other end")
                if events & selectors.EVENT_WRITE and data:
                    written = self._write(data)
            except (BlockingIOError, InterruptedError):
                pass
            except OSError as error:
                raise LineBrokenError(f"the line {self._name} broke: {error.strerror}") from error
        return written, received

    def close(self) -> None:
        if self._selector is not None:
            self._selector.close()
            self._selector = None


class SocketTransport:
    """A connected stream socket, which it owns from now on."""

    def __init__(self, line: socket.socket, name: str = "socket") -> None:
        line.setblocking(False)
        self.name = name
        self._socket = line
        self._descriptor = _Descriptor(line, name, line.recv, line.send)

    def exchange(self, data: bytes, timeout_s: float) -> tuple[int, bytes]:
        """See `Transport`."""
        return self._descriptor.exchange(data, timeout_s)

    def close(self) -> None:
        """See `Transport`."""
        self._descriptor.close()
        self._socket.close()


class SerialTransport:
    """A port of pyserial: a device path, or one of its URLs (`rfc2217://`, `loop://`)."""

    def __init__(self, url: str, settings: Serial) -> None:
        self.name = url
        self._port = _open_serial(url, settings)
        self._descriptor = None
        if os.name == "posix" and "://" not in url:
            number = self._port.fileno()
            self._descriptor = _Descriptor(
                number, url, lambda size: os.read(number, size), lambda data: os.write(number, data)
            )

    def exchange(self, data: bytes, timeout_s: float) -> tuple[int, bytes]:
        """See `Transport`."""
        if self._descriptor is not None:
            return self._descriptor.exchange(data, timeout_s)
        # A URL or a Windows port cannot be waited for in both directions: small pieces, short waits.
        try:
            written = self._port.write(data[:_PIECE_BYTES]) if data else 0
            received = self._port.read(max(1, self._port.in_waiting)) if timeout_s > 0 or written else b""
            received += self._port.read(self._port.in_waiting) if received else b""
        except _serial_errors() as error:
            raise LineBrokenError(f"the line {self.name} broke: {error}") from error
        return written or 0, received

    def close(self) -> None:
        """See `Transport`. What has not left the computer yet is thrown away."""
        if self._descriptor is not None:
            self._descriptor.close()
        with contextlib.suppress(*_serial_errors()):
            self._port.reset_output_buffer()
        with contextlib.suppress(*_serial_errors()):
            self._port.close()


def open_port(port: str, settings: Serial) -> Transport:
    """Open a serial device (`/dev/ttyUSB0`, `COM3`) or a URL (`socket://host:port`, `rfc2217://host:port`).

    Raises:
        PortError: the port is absent, busy, not permitted or not understood.
    """
    if port.startswith("socket://"):
        return _open_socket(port)
    return SerialTransport(port, settings)


def _open_socket(url: str) -> SocketTransport:
    try:
        parts = urlsplit(url)
        host, number = parts.hostname, parts.port
    except ValueError as error:
        raise PortError(f"'{url}' is no address: {error}", "write it as socket://HOST:PORT") from error
    if not host or number is None:
        raise PortError(f"'{url}' names no host and port", "write it as socket://HOST:PORT")
    try:
        line = socket.create_connection((host, number), timeout=_CONNECT_S)
        line.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    except OSError as error:
        raise PortError(f"cannot connect to {url}: {error.strerror or error}", "is it listening?") from error
    return SocketTransport(line, url)


def _open_serial(url: str, settings: Serial) -> Any:
    import serial

    try:
        port = serial.serial_for_url(url, do_not_open=True, timeout=_POLL_S)
        if not url.lower().startswith("rfc2217://"):  # which has a limit of its own, and refuses another
            port.write_timeout = _WRITE_S
        port.baudrate = settings.baud
        if os.name == "posix" and "://" not in url:
            port.exclusive = True
        # Many boards are reset while RTS is on and DTR is off. Linux switches both on when it opens a port,
        # so RTS must go off first: pyserial alone would do it second, and pulse their reset.
        port.dtr = settings.dtr or not settings.rts
        port.rts = settings.rts
        port.open()
        if not settings.dtr and not settings.rts:
            with contextlib.suppress(*_serial_errors()):  # a pseudo-terminal has no such lines
                port.dtr = False
    except _serial_errors() as error:
        raise _port_error(url, error) from error
    except ValueError as error:
        raise PortError(f"the port '{url}' cannot be opened: {error}") from error
    return port


def _serial_errors() -> tuple[type[Exception], ...]:
    """Return what pyserial raises when a port fails: on POSIX also termios' own, which is no OSError."""
    if os.name != "posix":
        return (OSError,)
    import termios

    return (OSError, termios.error)


def _port_error(url: str, error: Exception) -> PortError:
    text = str(error)
    number = error.errno if isinstance(error, OSError) else error.args[0] if error.args else None
    if number in (errno.ENOENT, errno.ENODEV, errno.ENXIO) or "FileNotFoundError" in text:
        return PortError(
            f"there is no port '{url}'",
            "plug the board in with a cable that carries data; `edgekit doctor` lists the ports",
        )
    if number in (errno.EBUSY, errno.EAGAIN) or "exclusively lock" in text or "PermissionError" in text:
        return PortError(
            f"the port '{url}' is in use by another program",
            "close serial monitors, IDEs and other edgekit commands that hold it",
        )
    if number in (errno.EACCES, errno.EPERM):
        return PortError(
            f"no permission to use the port '{url}'",
            "add yourself to its group, usually `sudo usermod -aG dialout $USER`, and log in again",
        )
    return PortError(f"the port '{url}' cannot be opened: {text}")
