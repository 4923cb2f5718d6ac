"""Runs external tools, never through a shell. A missing or failing tool becomes a `ToolError`."""

import codecs
import contextlib
import io
import os
import queue
import re
import shutil
import signal
import subprocess
import sys
import threading
import time
from collections import deque
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import cast

from edgekit.errors import ToolError

_LAST_LINES = 20
_END_OF_LINE = re.compile(r"[\r\n]+")
_LONGEST_LINE = 1 << 16
_LONGEST_S = 3600.0
_GRACE_S = 3.0
_MOST_PIECES = 16
_PIECE = 1 << 16
_MOST_OUTPUT = 16 << 20
_NEW_GROUP = 0x200
"""Windows' CREATE_NEW_PROCESS_GROUP."""
_RUNNING: "set[subprocess.Popen[bytes]]" = set()


class StuckToolError(ToolError):
    """A tool that did not end, or came no further, for too long, and was stopped."""


def find(name: str) -> str | None:
    """Return the full path of a program on PATH, or None."""
    return shutil.which(name)


def run(
    command: Sequence[str],
    *,
    cwd: Path | None = None,
    env: Mapping[str, str] | None = None,
    timeout_s: float = _LONGEST_S,
    hint: str = "",
    last_lines: int = _LAST_LINES,
) -> str:
    """Run `command` and return what it wrote to stdout and stderr, in order: the last 16 MiB of it.

    The terminal's Ctrl-C does not reach the program: it reaches the caller, and ends the program and all
    that it has started, as a timeout does. Other threads' programs end by `interrupt`.

    Raises:
        StuckToolError: it takes too long, and was stopped.
        ToolError: the program is missing or fails (its `last_lines` are in the message).
    """
    name = Path(command[0]).name
    running = _start(command, cwd, env, hint)
    pieces: deque[bytes] = deque(maxlen=_MOST_OUTPUT // _PIECE)
    reader = threading.Thread(target=_keep, args=(running, pieces), name="output of a tool", daemon=True)
    end = time.monotonic() + timeout_s
    _RUNNING.add(running)
    try:
        reader.start()
        reader.join(timeout_s)
        if reader.is_alive():
            raise subprocess.TimeoutExpired(name, timeout_s)
        code = running.wait(max(0.0, end - time.monotonic()))
    except subprocess.TimeoutExpired as error:
        _stop(running)
        raise StuckToolError(f"'{name}' did not end within {timeout_s:g} s", hint) from error
    except BaseException:
        _stop(running, signal.SIGINT)
        raise
    finally:
        _RUNNING.discard(running)
    output = b"".join(pieces).decode("utf-8", "replace")
    if code != 0:
        last = "\n".join(output.splitlines()[-last_lines:])
        raise ToolError(f"'{name}' failed with exit code {code}:\n{last}", hint, {"exit_code": code})
    return output


def interrupt() -> None:
    """End what other threads run: a Ctrl-C reaches the main thread alone, and no program of `run`."""
    for running in list(_RUNNING):
        _send(running, signal.SIGINT)


def _start(
    command: Sequence[str], cwd: Path | None, env: Mapping[str, str] | None, hint: str
) -> "subprocess.Popen[bytes]":
    """Start a program in a group of its own, so that whatever it starts can be ended with it."""
    name = Path(command[0]).name
    try:
        return subprocess.Popen(
            list(command),
            cwd=cwd,
            env=None if env is None else dict(env),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            bufsize=0,
            start_new_session=sys.platform != "win32",
            creationflags=_NEW_GROUP if sys.platform == "win32" else 0,
        )
    except FileNotFoundError as error:
        raise ToolError(f"the program '{name}' was not found", hint) from error
    except OSError as error:
        raise ToolError(f"the program '{name}' cannot be run: {error.strerror}", hint) from error


def _keep(running: "subprocess.Popen[bytes]", pieces: deque[bytes]) -> None:
    """Keep the last of a program's output, in pieces of equal size but for the last."""
    assert running.stdout is not None
    with io.BufferedReader(cast(io.RawIOBase, running.stdout), _PIECE) as output:
        while piece := output.read(_PIECE):
            pieces.append(piece)


def stream(
    command: Sequence[str],
    on_line: Callable[[str], bool],
    *,
    cwd: Path | None = None,
    env: Mapping[str, str] | None = None,
    patience_s: float,
    hint: str = "",
) -> int:
    """Run `command`, hand on each line of its stdout and stderr as it comes, and return its exit code.

    A carriage return ends a line too. The program is out of reach of the terminal's Ctrl-C: that reaches
    the caller, and whatever is raised here stops the program first.

    Args:
        on_line: told each line that is not empty, without its end; returns whether it says that the program
            has come further.
        patience_s: how long the program may come no further, whatever it writes.

    Raises:
        StuckToolError: it came no further for so long, and was stopped.
        ToolError: the program is missing or cannot be run.
    """
    name = Path(command[0]).name
    running = _start(command, cwd, env, hint)
    lines = _Lines(running, on_line)
    try:
        lines.hand_on(patience_s)
        return int(running.wait(patience_s))
    except BaseException as error:
        # What it had said before it was stopped is handed on too: it tells how far it came.
        _stop(running)
        with contextlib.suppress(Exception, KeyboardInterrupt):
            lines.hand_on(_GRACE_S)
        if isinstance(error, queue.Empty | subprocess.TimeoutExpired):
            said = f"'{name}' came no further for {patience_s:g} s and was stopped"
            raise StuckToolError(said, hint) from error
        raise


class _Lines:
    """The output of a running program, line by line."""

    def __init__(self, running: "subprocess.Popen[bytes]", on_line: Callable[[str], bool]) -> None:
        self._on_line = on_line
        self._arrived: queue.Queue[bytes] = queue.Queue(_MOST_PIECES)
        self._decoder = codecs.getincrementaldecoder("utf-8")("replace")
        self._pending = ""
        self._ended = False
        self._waiting: deque[str] = deque()
        # Windows cannot wait for a pipe with a time limit, but for a queue.
        threading.Thread(target=self._read, args=(running,), name="output of a tool", daemon=True).start()

    def _read(self, running: "subprocess.Popen[bytes]") -> None:
        assert running.stdout is not None
        with running.stdout as output:
            while content := output.read(65536):
                self._arrived.put(content)
        self._arrived.put(b"")

    def hand_on(self, patience_s: float) -> None:
        """Hand on all lines to the end. Raises queue.Empty where none says anything new for so long."""
        self._hand_on_waiting()
        end = time.monotonic() + patience_s
        while not self._ended:
            if (left := end - time.monotonic()) <= 0:
                raise queue.Empty
            content = self._arrived.get(timeout=left)
            self._ended = not content
            text = self._pending + self._decoder.decode(content, final=self._ended)
            *lines, pending = _END_OF_LINE.split(text)
            self._pending = pending[-_LONGEST_LINE:]
            self._waiting.extend([*lines, self._pending] if self._ended else lines)
            if self._hand_on_waiting():
                end = time.monotonic() + patience_s

    def _hand_on_waiting(self) -> bool:
        has_come_further = False
        while self._waiting:
            if line := self._waiting.popleft():
                has_come_further |= self._on_line(line)
        return has_come_further


def _stop(running: "subprocess.Popen[bytes]", first: int = signal.SIGTERM) -> None:
    """End a program and what it has started; it has a moment to put things in order."""
    try:
        if running.poll() is None:
            _send(running, first)
            with contextlib.suppress(subprocess.TimeoutExpired):
                running.wait(_GRACE_S)
    finally:
        _send(running, getattr(signal, "SIGKILL", signal.SIGTERM))
        running.wait()


def _send(running: "subprocess.Popen[bytes]", number: int) -> None:
    if sys.platform == "win32":
        running.terminate()
    else:
        with contextlib.suppress(ProcessLookupError, PermissionError):
            os.killpg(running.pid, number)
