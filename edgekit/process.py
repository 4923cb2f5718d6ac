"""Runs external tools, never through a shell. A missing or failing tool becomes a `ToolError`."""

import codecs
import contextlib
import os
import queue
import re
import shutil
import subprocess
import sys
import threading
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

from edgekit.errors import ToolError

_LAST_LINES = 20
_END_OF_LINE = re.compile(r"[\r\n]+")
_LONGEST_LINE = 1 << 16
_GRACE_S = 3.0
_NEW_GROUP = 0x200
"""Windows' CREATE_NEW_PROCESS_GROUP."""


class SilentToolError(ToolError):
    """A tool that should say how far it is said nothing for too long, and was stopped."""


def find(name: str) -> str | None:
    """Return the full path of a program on PATH, or None."""
    return shutil.which(name)


def run(
    command: Sequence[str],
    *,
    cwd: Path | None = None,
    env: Mapping[str, str] | None = None,
    timeout_s: float | None = None,
    hint: str = "",
) -> str:
    """Run `command` and return what it wrote to stdout and stderr, in order.

    Raises:
        ToolError: the program is missing, fails (its last lines are in the message) or takes too long.
    """
    name = Path(command[0]).name
    try:
        done = subprocess.run(
            list(command),
            cwd=cwd,
            env=None if env is None else dict(env),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            timeout=timeout_s,
            check=False,
        )
    except FileNotFoundError as error:
        raise ToolError(f"the program '{name}' was not found", hint) from error
    except OSError as error:
        raise ToolError(f"the program '{name}' cannot be run: {error.strerror}", hint) from error
    except subprocess.TimeoutExpired as error:
        raise ToolError(f"'{name}' did not end within {timeout_s:g} s", hint) from error
    output = done.stdout.decode("utf-8", "replace")
    if done.returncode != 0:
        last = "\n".join(output.splitlines()[-_LAST_LINES:])
        raise ToolError(f"'{name}' failed with exit code {done.returncode}:\n{last}", hint)
    return output


def stream(
    command: Sequence[str],
    on_line: Callable[[str], None],
    *,
    env: Mapping[str, str] | None = None,
    silence_s: float,
    hint: str = "",
) -> int:
    """Run `command`, hand on each line of its stdout and stderr as it comes, and return its exit code.

    A carriage return ends a line too. The program is out of reach of the terminal's Ctrl-C: that reaches
    the caller, and whatever is raised here stops the program first.

    Args:
        on_line: told each line that is not empty, without its end.
        silence_s: how long the program may write nothing.

    Raises:
        SilentToolError: it wrote nothing for so long, and was stopped.
        ToolError: the program is missing or cannot be run.
    """
    name = Path(command[0]).name
    try:
        running = subprocess.Popen(
            list(command),
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
    try:
        assert running.stdout is not None
        _hand_on_lines(running.stdout.fileno(), on_line, silence_s)
        return int(running.wait(silence_s))
    except (queue.Empty, subprocess.TimeoutExpired) as error:
        raise SilentToolError(f"'{name}' said nothing for {silence_s:g} s and was stopped", hint) from error
    finally:
        _stop(running)


def _hand_on_lines(descriptor: int, on_line: Callable[[str], None], silence_s: float) -> None:
    """Read to the end. Raises queue.Empty where nothing comes for `silence_s`."""
    arrived: queue.Queue[bytes] = queue.Queue()

    def read() -> None:
        # Windows cannot wait for a pipe with a time limit, but for a queue.
        with contextlib.suppress(OSError):
            while content := os.read(descriptor, 65536):
                arrived.put(content)
        arrived.put(b"")

    threading.Thread(target=read, name="output of a tool", daemon=True).start()
    decoder = codecs.getincrementaldecoder("utf-8")("replace")
    pending = ""
    while content := arrived.get(timeout=silence_s):
        *lines, pending = _END_OF_LINE.split(pending + decoder.decode(content))
        pending = pending[-_LONGEST_LINE:]
        for line in filter(None, lines):
            on_line(line)
    if pending:
        on_line(pending)


def _stop(running: "subprocess.Popen[bytes]") -> None:
    if running.poll() is None:
        running.terminate()
        try:
            running.wait(_GRACE_S)
        except subprocess.TimeoutExpired:
            running.kill()
            running.wait()
    assert running.stdout is not None
    running.stdout.close()
