"""Runs external tools, never through a shell. A missing or failing tool becomes a `ToolError`."""

import shutil
import subprocess
from collections.abc import Mapping, Sequence
from pathlib import Path

from edgekit.errors import ToolError

_LAST_LINES = 20


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
    last_lines: int = _LAST_LINES,
) -> str:
    """Run `command` and return what it wrote to stdout and stderr, in order.

    Raises:
        ToolError: the program is missing, fails (its `last_lines` are in the message) or takes too long.
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
        last = "\n".join(output.splitlines()[-last_lines:])
        raise ToolError(f"'{name}' failed with exit code {done.returncode}:\n{last}", hint)
    return output
