"""Opening a port must not reset a board: how DTR and RTS stand, step by step."""

import fcntl
import os
import struct
import sys
import termios
import tty
from collections.abc import Iterator
from typing import Any

import pytest

from edgekit.board import Serial
from edgekit.device.transport import open_port

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="what Linux does with the lines")

DTR, RTS = termios.TIOCM_DTR, termios.TIOCM_RTS
RESET = RTS
"""A board with Espressif's circuit, or its USB Serial/JTAG, is held in reset in this state."""


@pytest.fixture
def states(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """Return the list to which each state of the lines is added, from what the kernel does on opening."""
    import serial

    seen: list[int] = []
    ioctl = fcntl.ioctl

    def watched(descriptor: Any, request: int, argument: Any = 0, *more: Any) -> Any:
        if request in (termios.TIOCMBIS, termios.TIOCMBIC):
            (bits,) = struct.unpack("I", argument)
            before = seen[-1] if seen else DTR | RTS
            seen.append(before | bits if request == termios.TIOCMBIS else before & ~bits)
            return 0
        return ioctl(descriptor, request, argument, *more)

    monkeypatch.setattr(serial.serialposix.fcntl, "ioctl", watched)
    return seen


@pytest.fixture
def port() -> Iterator[str]:
    master, slave = os.openpty()
    tty.setraw(slave)
    yield os.ttyname(slave)
    os.close(master)
    os.close(slave)


@pytest.mark.parametrize("dtr", [False, True])
@pytest.mark.parametrize("rts", [False, True])
def test_the_lines_end_as_the_board_file_says(states: list[int], port: str, dtr: bool, rts: bool) -> None:
    settings = Serial(usb_ids=(), baud=115200, dtr=dtr, rts=rts)
    open_port(port, settings).close()
    assert states[-1] == (DTR if dtr else 0) | (RTS if rts else 0)
    if states[-1] != RESET:
        assert RESET not in states


def test_a_port_without_such_lines_is_opened_all_the_same(port: str) -> None:
    open_port(port, Serial(usb_ids=(), baud=115200, dtr=False, rts=False)).close()
