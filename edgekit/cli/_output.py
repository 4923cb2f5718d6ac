"""How commands speak: data on stdout, talk on stderr, one JSON object (or NDJSON lines) with --json."""

import contextlib
import json
import os
import sys
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import IO, TYPE_CHECKING, Any

from edgekit.errors import EdgekitError, OutputError
from edgekit.plain_text import is_plain

if TYPE_CHECKING:
    from rich.console import Console

SCHEMA = 1

_PLAIN: dict[str, Any] = {"markup": False, "highlight": False, "emoji": False}
"""Text is printed as it is: a path may hold [brackets] and :colons:."""


@dataclass(slots=True)
class Output:
    """Where one command's words go. `warnings` collects for the JSON and is shown at once otherwise."""

    json: bool = False
    verbosity: int = 0
    """-1 quiet, 0 normal, 1 and above verbose."""
    warnings: list[str] = field(default_factory=list)

    def talk(self, text: str) -> None:
        """Say something to a person; nothing under --quiet."""
        if self.verbosity >= 0:
            self.say(text)

    def detail(self, text: str) -> None:
        """Say something only under --verbose."""
        if self.verbosity > 0:
            self.say(text)

    def say(self, text: str) -> None:
        """Print on stderr; where that is lost, the work goes on."""
        try:
            print(printable(text), file=sys.stderr, flush=True)
        except OSError:
            discard(sys.stderr)

    def warn(self, text: str) -> None:
        """Say what the user should know although the command goes on."""
        self.warnings.append(text)
        if not self.json and self.verbosity >= 0:
            self.say(f"warning: {text}")

    def text(self, text: str) -> None:
        """Print the command's result for a person; nothing under --json."""
        if not self.json:
            _print(printable(text))

    def result(self, fields: Mapping[str, Any]) -> None:
        """Print the one JSON object that ends a command; nothing without --json."""
        if self.json:
            self.event({"schema": SCHEMA, "ok": True, "error": None, "warnings": self.warnings, **fields})

    def event(self, fields: Mapping[str, Any]) -> None:
        """Print one line of JSON; nothing without --json."""
        if self.json:
            _print(json.dumps(fields, default=_plain, allow_nan=False))

    def failure(self, error: EdgekitError, exit_code: int) -> None:
        """Print an error, on stderr for a person and on stdout as JSON for a machine."""
        said: dict[str, Any] = {"id": error.id, "exit": exit_code}
        said |= {"message": error.message, "hint": error.hint}
        if error.details:
            said["details"] = dict(error.details)
        if self.json:
            self.event(
                {"schema": SCHEMA, "type": "error", "ok": False, "error": said, "warnings": self.warnings}
            )
            return
        hint = f"  try: {error.hint}" if error.hint else ""
        try:
            console = self.console()
            console.print(printable(f"error: {error.message}"), style="bold red", **_PLAIN)
            if hint:
                console.print(printable(hint), **_PLAIN)
        except (ImportError, MemoryError):  # too little memory for rich
            self.say(f"error: {error.message}\n{hint}")

    def console(self) -> "Console":
        """Return rich's console on stderr; it honours NO_COLOR and whether there is a terminal."""
        from rich.console import Console

        return Console(stderr=True, soft_wrap=True)

    @property
    def interactive(self) -> bool:
        """Whether bars and live views may be drawn: a terminal, and nothing else asked for."""
        return not self.json and self.verbosity >= 0 and sys.stderr.isatty() and "CI" not in os.environ

    @contextmanager
    def status(self, label: str) -> Iterator[Callable[[str], None]]:
        """Show on a terminal what is being done, for as long as the block runs; it is told in words."""
        if not self.interactive:
            yield self.detail
            return
        with self.console().status(label) as shown:
            yield lambda words: shown.update(printable(f"{label}: {words}"))

    @contextmanager
    def progress(self, label: str) -> Iterator[Callable[[float], None]]:
        """Draw a bar on a terminal for as long as the block runs; it is told the fraction done, 0 to 1."""
        if not self.interactive:
            yield lambda _: None
            return
        from rich.progress import BarColumn, Progress, TextColumn, TimeElapsedColumn

        columns = (TextColumn("{task.description}"), BarColumn(), TimeElapsedColumn())
        with Progress(*columns, console=self.console(), transient=True) as bar:
            task = bar.add_task(label, total=1.0)
            yield lambda fraction: bar.update(task, completed=fraction)


def _print(text: str) -> None:
    """Print on stdout. Raises BrokenPipeError if its reader has gone, OutputError if it cannot be written."""
    try:
        # In one piece: Ctrl-C must not come between a line and its end.
        print(f"{text}\n", end="", flush=True)
    except BrokenPipeError:
        raise
    except OSError as error:
        discard(sys.stdout)
        raise OutputError(
            f"cannot write to stdout: {error.strerror or error}", "make room, or send it elsewhere"
        ) from error


def discard(stream: IO[str]) -> None:
    """Send what a stream still holds, and all that follows, nowhere: it would fail again at the end."""
    with contextlib.suppress(OSError, AttributeError):  # no file behind it, or no stream at all
        os.dup2(os.open(os.devnull, os.O_WRONLY), stream.fileno())


def printable(text: str) -> str:
    """Replace what could steer a terminal: labels, names and log lines come from untrusted files."""
    return "".join(c if is_plain(c) or c in "\n\t" else "\N{REPLACEMENT CHARACTER}" for c in text)


def _plain(value: object) -> object:
    """Turn numpy scalars and arrays, paths and enums into JSON; called for what json does not know."""
    if hasattr(value, "tolist"):
        return value.tolist()
    return str(value)
