"""Keeps what converters print out of the user's sight, and what they leave out of the temporary folder."""

import logging
import os
import sys
import tempfile
import warnings
from collections.abc import Iterator
from contextlib import contextmanager, redirect_stderr, redirect_stdout
from pathlib import Path

from edgekit import scratch

_LOG = logging.getLogger("edgekit.convert")


@contextmanager
def captured(what: str) -> Iterator[None]:
    """Send stdout and stderr, that of C++ code too, to the debug log of `edgekit.convert`.

    The file descriptors 1 and 2 are the process's own, so other threads are silent meanwhile.
    """
    with tempfile.TemporaryFile() as file:
        _flush()
        saved = {number: os.dup(number) for number in (1, 2) if _is_open(number)}
        try:
            for number in saved:
                os.dup2(file.fileno(), number)
            with (
                os.fdopen(os.dup(file.fileno()), "w", encoding="utf-8", errors="replace") as text,
                redirect_stdout(text),
                redirect_stderr(text),
                warnings.catch_warnings(),
            ):
                warnings.simplefilter("ignore")
                yield
        finally:
            for number, copy in saved.items():
                os.dup2(copy, number)
                os.close(copy)
            file.seek(0)
            said = file.read().decode("utf-8", "replace").strip()
            if said:
                _LOG.debug("%s said:\n%s", what, said)


@contextmanager
def own_temporary_files() -> Iterator[Path]:
    """Give temporary files a folder of their own, which is removed with all that is in it.

    TensorFlow compiles code that it writes there, and removes neither before the process ends.
    """
    before = tempfile.tempdir
    with scratch.folder() as place:
        tempfile.tempdir = str(place)
        try:
            yield place
        finally:
            tempfile.tempdir = before


def _flush() -> None:
    for stream in (sys.stdout, sys.stderr):
        if stream is not None:
            stream.flush()


def _is_open(number: int) -> bool:
    try:
        os.fstat(number)
    except OSError:
        return False
    return True
