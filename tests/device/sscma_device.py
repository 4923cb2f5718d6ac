"""A scripted board that speaks SSCMA's AT protocol as the servers of firmware 1.0.x and 2.0 do, with faults.

It serves a socket or, over a pty, a real serial port.
"""

import base64
import io
import json
import os
import select
import socket
import threading
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

from PIL import Image

BOOT = (
    b"\xff\x00ESP-ROM:esp32s3-20210327\r\nBuild:Mar 27 2021\r\nrst:0x1 (POWERON),boot:0x8 (SPI_FAST)\r\n"
    b"\x1b[0;32mI (87) esp_image: segment 0: paddr=00010020 {seg}\x1b[0m\r\n"
)
_EVENT_S = 0.001


def jpeg(width: int = 48, height: int = 32) -> bytes:
    """Return a real JPEG."""
    file = io.BytesIO()
    Image.radial_gradient("L").resize((width, height)).convert("RGB").save(file, "JPEG")
    return file.getvalue()


def stored(value: object) -> str:
    """Return what SenseCraft stores as INFO."""
    return base64.b64encode(json.dumps(value).encode()).decode()


@dataclass
class SscmaBoard:
    """What the board is, and what goes wrong with it."""

    generation: str = "2.0"
    info: str = field(
        default_factory=lambda: stored({"name": "pets", "version": "1.2", "classes": ["cat", "dog"]})
    )
    has_model: bool = True
    algorithm: int = 4
    threshold: int = 50
    picture: bytes = field(default_factory=jpeg)
    results: dict[str, Any] = field(default_factory=lambda: {"classes": [[73, 1], [21, 0]]})

    piece: int = 1 << 20
    """Bytes in one write."""
    between: bytes = b""
    """Comes before every message."""
    silent: frozenset[str] = frozenset()
    """Commands that are never answered."""
    lost: Counter[str] = field(default_factory=Counter)
    """How many times a command is lost before it arrives."""
    codes: dict[str, list[int]] = field(default_factory=dict)
    """What the next replies to a command have for a code, before they succeed."""
    event_codes: dict[int, int] = field(default_factory=dict)
    """The code of the n-th event, which ends the stream."""
    restart_at: Sequence[int] = ()
    """Instead of these events, counted from 1, the board restarts."""
    tells_restart: bool = True
    falls_silent_at: int = 0
    raw_events: dict[int, bytes] = field(default_factory=dict)
    """What is sent instead of the n-th event."""
    stale: bool = False
    """Each reply follows one with an older tag, and one with ours for another command."""
    streams_already: bool = False
    """An earlier program, with another tag, left it running."""

    commands: list[str] = field(default_factory=list)
    """What has been understood, without tags."""
    sent_events: int = 0
    running: str | None = None
    """The name under which events are sent."""
    alone: bool = True
    dead: bool = False

    def start(self) -> bytes:
        """Return what is sent when the line is opened."""
        self.running = "OLD000@INVOKE" if self.streams_already else None
        return self.between

    def execute(self, line: str) -> bytes:
        """Return what one line of commands makes it send."""
        text, _, arguments = "".join(c for c in line if c.isprintable()).partition("=")
        name = text.upper().removeprefix("AT+")
        command = name.rpartition("@")[2]
        if self.lost[command] > 0:
            self.lost[command] -= 1
            return b""
        if command in self.silent:
            return b""
        given = [a for a in arguments.split(",") if a]
        known = self.arities()
        if not text.upper().startswith("AT+") or command not in known:
            unknown = {"1.0.x": f"Unknown command: {line}", "2.0": f"Uknown command: {name}"}
            return self.refuse(unknown[self.generation])
        enough = len(given) >= known[command]
        if not enough or (self.generation == "1.0.x" and len(given) != known[command]):
            wrong = {"1.0.x": "wrong arguements.", "2.0": "wrong arguments"}
            return self.refuse(f"Command {name} got {wrong[self.generation]}")
        self.commands.append(f"{command}{'=' if arguments else ''}{arguments}")
        return self.answer(name, command, given)

    def arities(self) -> dict[str, int]:
        """Return how many arguments each command takes."""
        known = dict.fromkeys(("ID?", "NAME?", "VER?", "MODEL?", "INFO?", "BREAK"), 0)
        if self.generation == "2.0":
            return known | {"INVOKE": 2, "TSCORE": 1}
        return known | {"INVOKE": 3, "INVOKE?": 0} | ({"TSCORE": 1} if self.running else {})

    def refuse(self, why: str) -> bytes:
        """Return the untagged refusal: a log in 1.0.x, an event in 2.0."""
        return self.message(1 if self.generation == "2.0" else 2, "AT", 5, why)

    def answer(self, name: str, command: str, given: list[str]) -> bytes:
        """Return the reply to a command that was understood."""
        code = self.codes[command].pop(0) if self.codes.get(command) else 0
        if code == 0 and command == "INVOKE":
            code = 0 if self.has_model else {"2.0": 10, "1.0.x": 5}[self.generation]
            if code == 0:
                self.running, self.alone = name, int(given[-1 if self.generation == "1.0.x" else 1]) != 0
        if code == 0 and command == "BREAK":
            self.running = None
        if code == 0 and command == "TSCORE":
            self.threshold = int(given[0])
        reply = self.message(0, name, code, self.data(command))
        if self.stale:
            tag = name.rpartition("@")[0]
            old = self.message(0, f"0LD0@{command}", 6, "late") + self.message(0, f"{tag}@STAT?", 6, "other")
            return old + reply
        return reply

    def data(self, command: str) -> Any:
        """Return the data of a successful reply."""
        new = self.generation == "2.0"
        model = {"id": 1, "type": self.algorithm, "address": 4194304, "size": 267024}
        if not self.has_model:
            model = dict.fromkeys(model, 0)
        config = {"tscore": self.threshold, "tiou": 45}
        match command:
            case "ID?":
                return "7e2d02cf"
            case "NAME?":
                return "Seeed Studio XIAO (ESP32-S3)"
            case "VER?":
                return {"at_api": "v0", "software": "2025.02.11", "hardware": "1"}
            case "MODEL?":
                return ({"models": [model | {"name": 0}]} if self.has_model else {}) if new else model
            case "INFO?":
                return {"info": self.info} if new else {"crc16_maxim": 43073, "info": self.info}
            case "INVOKE":
                algorithm = {"type": self.algorithm, "input_from": 1, "config": config}
                return (
                    {"models": [model], "algorithm": algorithm}
                    if new
                    else {"model": model, "algorithm": algorithm}
                )
            case "TSCORE":
                return self.threshold
            case _:
                return 1530898

    def event(self) -> bytes:
        """Return what it sends when it has run the model once more."""
        self.sent_events += 1
        number, name = self.sent_events, str(self.running)
        if number in self.restart_at:
            return self.restart()
        if number == self.falls_silent_at:
            self.dead = True
            return b""
        if number in self.raw_events:
            return self.raw_events[number]
        if number in self.event_codes:
            self.running = None
            return self.message(1, name, self.event_codes[number], {"count": number})
        data: dict[str, Any] = {"count": number, "perf": [8, 365, 0]} | self.results
        if self.generation == "2.0":
            data |= {"rotation": 90, "width": 240, "height": 160}
        else:
            data["resolution"] = [240, 160]
        if not self.alone:
            data["image"] = base64.b64encode(self.picture).decode()
            data |= {} if self.generation == "2.0" else {"rotate": 90}
        return self.message(1, name, 0, data)

    def restart(self) -> bytes:
        """Return what it says when it starts anew."""
        self.running = None
        starting = self.message(1, "INIT@MODEL", 0, {}) + self.message(1, "INIT@ALGORITHM", 0, {})
        return BOOT + (starting if self.tells_restart else b"")

    def message(self, kind: int, name: str, code: int, data: Any) -> bytes:
        """Return one message as it goes over the line."""
        separators = (",", ":") if self.generation == "2.0" else (", ", ": ")
        text = json.dumps({"type": kind, "name": name, "code": code, "data": data}, separators=separators)
        return self.between + b"\r" + text.encode() + b"\n"


def serve(board: SscmaBoard, number: int, stop: threading.Event) -> None:
    """Be the board on a descriptor until `stop` is set or the line is closed."""
    os.set_blocking(number, False)
    got, unsent = b"", board.start()
    while not stop.is_set():
        readable, writable, _ = select.select([number], [number] if unsent else [], [], _EVENT_S)
        try:
            if readable:
                data = os.read(number, 4096)
                if not data:
                    return
                got += data
            if writable:
                unsent = unsent[os.write(number, unsent[: board.piece]) :]
        except BlockingIOError:
            continue
        except OSError:
            return
        *lines, got = got.replace(b"\r", b"\n").split(b"\n")
        for line in lines:
            if line and not board.dead:
                unsent += board.execute(line.decode("ascii", "replace"))
        if board.running and not unsent and not board.dead:
            unsent += board.event()


@contextmanager
def served(board: SscmaBoard, number: int) -> Iterator[None]:
    """Be the board in a thread."""
    stop = threading.Event()
    thread = threading.Thread(target=serve, args=(board, number, stop))
    thread.start()
    try:
        yield
    finally:
        stop.set()
        thread.join()


@contextmanager
def on_socket(board: SscmaBoard) -> Iterator[socket.socket]:
    """Yield our end of a line to the board."""
    ours, theirs = socket.socketpair()
    with theirs, ours, served(board, theirs.fileno()):
        yield ours


@contextmanager
def on_pty(board: SscmaBoard) -> Iterator[str]:
    """Yield the path of a serial port with the board at its other end."""
    import tty

    theirs, ours = os.openpty()
    tty.setraw(ours)
    try:
        with served(board, theirs):
            yield os.ttyname(ours)
    finally:
        os.close(ours)
        os.close(theirs)


@contextmanager
def on_tcp(board: SscmaBoard) -> Iterator[str]:
    """Yield the URL of a socket that the board answers once."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        stop = threading.Event()
        server.settimeout(30)

        def run() -> None:
            line, _ = server.accept()
            with line:
                serve(board, line.fileno(), stop)

        thread = threading.Thread(target=run)
        thread.start()
        try:
            yield f"socket://127.0.0.1:{server.getsockname()[1]}"
        finally:
            stop.set()
            thread.join()
