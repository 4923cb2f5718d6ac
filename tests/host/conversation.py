"""A plain conversation with a running firmware: frames in, results out, no client in between."""

import socket
import time
from collections.abc import Sequence

from edgekit.device.events import Result
from edgekit.device.frame import PacketType
from edgekit.device.session import Session

DEADLINE_S = 60.0


def classify(line: socket.socket, frames: Sequence[bytes], kind: PacketType) -> tuple[Session, list[Result]]:
    """Send all frames and return the session with all results in order."""
    end = time.monotonic() + DEADLINE_S
    session = Session(1, time.monotonic(), timeout_s=DEADLINE_S)
    waiting = list(frames)
    results: list[Result] = []
    while not session.is_open or len(results) < len(frames):
        now = time.monotonic()
        assert now < end, f"{len(results)} of {len(frames)} frames were answered"
        if session.is_open and waiting and session.wants_frame:
            session.submit(waiting.pop(0), kind, now)
        if data := session.bytes_to_send(now):
            line.sendall(data)
        deadline = session.next_deadline()
        wait = end - now if deadline is None else deadline - now
        line.settimeout(max(wait, 1e-3))
        try:
            data = line.recv(65536)
        except TimeoutError:
            continue
        assert data, "the firmware has ended"
        session.feed(data, time.monotonic())
        results += session.take_results()
    return session, results
