"""What a target in Python is, and what may come of one input: nothing, or an EdgekitError with words."""

import atexit
import functools
import hashlib
import random
import shutil
import signal
import sys
import tempfile
import time
import traceback
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path

from edgekit import board
from edgekit.board import Board
from edgekit.errors import EdgekitError

CPU_SECONDS = 5.0
"""No input of a few kilobytes may take longer."""


@dataclass(frozen=True, slots=True)
class Target:
    """One reader, and where fuzzing it begins."""

    name: str
    feeds: str
    """What the bytes are, in the words of docs/reference/fuzzing.md."""
    run: Callable[[bytes], object]
    seeds: Callable[[], Iterable[bytes]]
    """Makes sound inputs, and a few that are nearly so."""
    mutate: Callable[[bytes, random.Random], bytes] | None = None
    """Changes an input behind a checksum or inside a structure, where changed bytes would not get."""
    max_bytes: int = 4096


@dataclass(frozen=True, slots=True)
class Finding:
    """What is wrong with how an input was taken."""

    kind: str
    """The same for inputs that fail in the same place: part of a file's name."""
    said: str


class TooSlowError(Exception):
    """An input has taken its processor time, and goes on."""


def examine(target: Target, data: bytes) -> Finding | None:
    """Run one input, and return what must not happen if it does."""
    signal.signal(signal.SIGVTALRM, _too_slow)
    signal.setitimer(signal.ITIMER_VIRTUAL, CPU_SECONDS)
    start = time.process_time()
    try:
        target.run(data)
    except EdgekitError as error:
        if not error.message:
            return Finding("without-words", repr(error))
    except TooSlowError:
        pass  # the processor time below says it
    except (Exception, SystemExit) as error:
        place = traceback.extract_tb(error.__traceback__)[-1]
        kind = f"{type(error).__name__}-{Path(place.filename).stem}-{place.lineno}"
        return Finding(kind, "".join(traceback.format_exception(error)))
    finally:
        signal.setitimer(signal.ITIMER_VIRTUAL, 0)
    used = time.process_time() - start
    return Finding("slow", f"{used:.1f} s of processor time") if used >= CPU_SECONDS else None


def _too_slow(*_: object) -> None:
    raise TooSlowError


class Findings:
    """The folder of what was found, one input for each place in the code."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._kinds = {path.name.rpartition("-")[0] for path in folder.iterdir()}

    def take(self, target: Target, data: bytes) -> None:
        """Run one input, and keep it and say so if it is the first that fails in its way."""
        found = examine(target, data)
        if found is None or found.kind in self._kinds:
            return
        self._kinds.add(found.kind)
        path = self._folder / f"{found.kind}-{hashlib.sha256(data).hexdigest()[:8]}"
        path.write_bytes(data)
        print(f"finding: {path}\n{found.said}", file=sys.stderr, flush=True)


@functools.cache
def scratch() -> Path:
    """Return a folder of this process alone, in memory where there is a place for it."""
    memory = Path("/dev/shm")
    folder = Path(tempfile.mkdtemp(prefix="edgekit-fuzz-", dir=memory if memory.is_dir() else None))
    atexit.register(shutil.rmtree, folder, ignore_errors=True)
    return folder


@functools.cache
def board_of(name: str) -> Board:
    """Return a board that comes with edgekit; reading it takes longer than most inputs."""
    return board.load(name)


def written(name: str, data: bytes) -> Path:
    """Return a file with this content; the next one of that name takes its place."""
    path = scratch() / name
    path.write_bytes(data)
    return path
