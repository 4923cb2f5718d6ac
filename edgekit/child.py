"""A module of edgekit in a Python process of its own, asked over pipes: if it dies, its death is an answer.

A message is a head (JSON) and a body (bytes), each behind its length. The process ends when its standard
input does, so it does not outlive whoever asks it.
"""

import contextlib
import json
import math
import os
import signal
import struct
import subprocess
import sys
import tempfile
import threading
import weakref
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import IO, Any, TypeAlias

from edgekit.errors import ToolError

Message: TypeAlias = tuple[dict[str, Any], bytes]

_LENGTHS = struct.Struct("<IQ")
_MAX_HEAD = 1 << 26
_PIECE = 1 << 20
_LAST_BYTES = 4096
_GRACE_S = 3.0
_LOOK_S = 0.5
_UNCAUGHT = 1
"""The exit code of Python for an exception that nobody has caught."""
_STOPPED = ("SIGKILL", "SIGTERM", "SIGHUP", "SIGINT", "SIGALRM")
"""Signals that come from outside: nothing that the process does raises them."""


class ChildDiedError(ToolError):
    """The process ended instead of answering. `crashed`: by what it did itself."""

    def __init__(self, code: int | None, words: str) -> None:
        names = {-number: number.name for number in signal.Signals}
        self.how = "its answer is damaged" if code is None else names.get(code, f"exit code {code}")
        self.crashed = code != _UNCAUGHT and self.how not in _STOPPED
        super().__init__(f"a process of edgekit's ended ({self.how}){f': {words}' if words else ''}")


class ChildSilentError(ToolError):
    """The process did not answer in time, and was stopped."""


class Child:
    """`python -m module` in a process of its own; the module calls `serve`.

    Args:
        module: its full name.

    Raises:
        ToolError: no process can be started.
    """

    def __init__(self, module: str) -> None:
        self._heard = 0
        try:
            self._said = tempfile.TemporaryFile()  # noqa: SIM115 (closed by `_end`)
            self._running = subprocess.Popen(
                command(module),
                env=environment(),
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=self._said,
            )
        except OSError as error:
            raise ToolError(f"no Python process can be started: {error.strerror or error}") from error
        self._watch = _Watch(self._running)
        self._end = weakref.finalize(self, _end, self._running, self._watch, self._said)

    def ask(self, head: Mapping[str, Any], body: bytes = b"", *, timeout_s: float) -> Message:
        """Send a request and return the answer; whatever is raised, the process has ended by then.

        An answer whose head has the key `refused` says why the module raised an exception.

        Raises:
            ChildDiedError: it ended instead.
            ChildSilentError: it took longer than it may.
        """
        source, target = self._running.stdout, self._running.stdin
        assert source is not None
        assert target is not None
        self._heard = os.fstat(self._said.fileno()).st_size
        self._watch.limit = (timeout_s,)
        try:
            _send(target, {**head, "timeout_s": timeout_s}, body)
            return _receive(source)
        except (OSError, EOFError) as error:
            with contextlib.suppress(subprocess.TimeoutExpired):
                self._running.wait(_GRACE_S)
            raise self._failure(timeout_s) from error
        except ValueError as error:
            raise self._failure(timeout_s) from error
        except BaseException:
            self.close()
            raise
        finally:
            self._watch.limit = None

    def words(self) -> str:
        """Return the last of what the module and the C++ below it have printed since they were asked."""
        end = os.fstat(self._said.fileno()).st_size
        # The process writes at the same position: not while it works, and back to the end.
        self._said.seek(max(self._heard, end - _LAST_BYTES))
        return self._said.read().decode("utf-8", "replace").strip()

    def close(self) -> None:
        """End the process. Does nothing if it has ended."""
        self._end()

    def _failure(self, timeout_s: float) -> ToolError:
        code, words = self._running.poll(), self.words()
        self.close()
        if self._watch.late:
            return ChildSilentError(f"a process of edgekit's did not answer within {timeout_s:g} s")
        return ChildDiedError(code, _last_line(words))


class _Watch:
    """Kills a process whose answer is late, which ends the wait of whoever reads from it or writes to it.

    It adds up its own waits, so that a machine that sleeps meanwhile does not make an answer late.
    """

    def __init__(self, running: "subprocess.Popen[bytes]") -> None:
        self.limit: tuple[float] | None = None
        """In seconds, another object for each answer that is waited for; only the asker sets it."""
        self.late = False
        self.over = threading.Event()
        self._running = running
        threading.Thread(target=self._look, name="deadline of a process", daemon=True).start()

    def _look(self) -> None:
        seen, waited_s = self.limit, 0.0
        while not self.over.wait(_LOOK_S):
            limit = self.limit
            waited_s = waited_s + _LOOK_S if limit is seen else 0.0
            seen = limit
            if limit is not None and waited_s > limit[0]:
                self.late = True
                self._running.kill()
                return


def _end(running: "subprocess.Popen[bytes]", watch: _Watch, said: IO[bytes]) -> None:
    watch.over.set()
    running.kill()
    with contextlib.suppress(subprocess.TimeoutExpired):
        running.wait(_GRACE_S)
    for pipe in (running.stdin, running.stdout, said):
        with contextlib.suppress(OSError):  # what was never read cannot be written any more
            assert pipe is not None
            pipe.close()


def serve(answer: Callable[[Mapping[str, Any], bytes], Message]) -> None:
    """Answer the requests on standard input until it ends; called by the module that a `Child` runs.

    An exception becomes an answer. What is printed goes to stderr. Ctrl-C is the asker's matter.
    """
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    with contextlib.suppress(ImportError, OSError, ValueError):
        import resource

        resource.setrlimit(resource.RLIMIT_CORE, (0, 0))  # a death that is expected leaves no file
    source, target = sys.stdin.buffer, os.fdopen(os.dup(1), "wb")
    os.dup2(2, 1)
    with contextlib.suppress(OSError, EOFError):
        while True:
            head, body = _receive(source)
            if hasattr(signal, "alarm"):  # also where the asker has died, and waits no longer
                signal.alarm(math.ceil(head["timeout_s"] + _GRACE_S))
            try:
                reply = answer(head, body)
            except Exception as error:
                reply = {"refused": str(error) or type(error).__name__}, b""
            _send(target, *reply)
    os._exit(0)


def command(module: str, *arguments: str) -> list[str]:
    """Return the command that runs a module of edgekit; it needs `environment`."""
    # -P: a file `numpy.py` in the user's folder is not what is meant.
    return [sys.executable, "-P", "-m", module, *arguments]


def environment() -> dict[str, str]:
    """Return an environment in which the other process finds this very edgekit, installed or not."""
    folders = [str(Path(__file__).parents[1]), os.environ.get("PYTHONPATH", "")]
    return dict(os.environ) | {"PYTHONPATH": os.pathsep.join(filter(None, folders))}


def _send(target: IO[bytes], head: Mapping[str, Any], body: bytes) -> None:
    text = json.dumps(head).encode()
    target.write(_LENGTHS.pack(len(text), len(body)) + text)
    target.write(body)
    target.flush()


def _receive(source: IO[bytes]) -> Message:
    """Return the next message. Raises EOFError at the end, ValueError if it is none."""
    length, size = _LENGTHS.unpack(_exactly(source, _LENGTHS.size))
    if length > _MAX_HEAD:
        raise ValueError(f"a head of {length} bytes")
    head = json.loads(_exactly(source, length))
    if not isinstance(head, dict):
        raise ValueError(f"a head of type {type(head).__name__}")
    return head, _exactly(source, size)


def _exactly(source: IO[bytes], size: int) -> bytes:
    # In pieces: nothing is allocated for a length that was only claimed.
    found = bytearray()
    while len(found) < size:
        piece = source.read(min(size - len(found), _PIECE))
        if not piece:
            raise EOFError
        found += piece
    return bytes(found)


def _last_line(words: str) -> str:
    lines = words.splitlines() or [""]
    return "".join(c for c in lines[-1] if c.isprintable())[:300]
