"""A scripted bootloader at the other end of a pseudo-terminal, in real time."""

import os
import threading
import time
import tty
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from flash.we2_bootloader import Bootloader, Line


@contextmanager
def terminal(
    bootloader: Bootloader, until: Callable[[], bool] = lambda: False
) -> Iterator[tuple[str, Callable[[], None]]]:
    """Yield the port's path and what presses RESET; as soon as `until` is true the port is pulled out."""
    host, board = os.openpty()
    tty.setraw(board)
    os.set_blocking(host, False)
    reset, stop = threading.Event(), threading.Event()

    def serve() -> None:
        line = Line(bootloader)
        started = time.monotonic()
        while not stop.is_set() and not until():
            if reset.is_set():
                reset.clear()
                bootloader.press_reset()
            try:
                data = os.read(host, 4096)
            except BlockingIOError:
                data = b""
                stop.wait(0.001)
            bootloader.now = max(bootloader.now, time.monotonic() - started)
            _, heard = line.exchange(data, 0.0)
            if heard:
                os.write(host, heard)
        os.close(host)

    thread = threading.Thread(target=serve)
    thread.start()
    try:
        yield os.ttyname(board), reset.set
    finally:
        stop.set()
        thread.join()
        os.close(board)
