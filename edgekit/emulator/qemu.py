"""QEMU: where it is, whether it will do, and how a board starts in it."""

import ctypes
import os
import re
import signal
import subprocess
import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import IO

from edgekit import process
from edgekit.board import Board, Emulator, TickUnit
from edgekit.errors import ToolError

FAULT_EXIT = 71
"""The exit code of firmware that has crashed: MACHINE_EXIT_FAULT in bare_metal/machine.h."""
HINT = "`edgekit doctor --board ID` shows which QEMU is used"
OLDEST = (7, 2)
"""What the boards were tried with; earlier ones lack machines, processors or semihosting calls."""

_VERSION = re.compile(r"QEMU emulator version ((\d+)\.(\d+)[^\s]*)")
_VERSION_S = 30
_PR_SET_PDEATHSIG = 1


@dataclass(frozen=True, slots=True)
class Qemu:
    """A QEMU that was asked for its version."""

    path: str
    version: str

    def start(
        self,
        board: Board,
        image: Path,
        arguments: Sequence[str],
        errors: IO[bytes],
        *,
        inherit: Sequence[int] = (),
        folder: Path | None = None,
        steady: bool = False,
    ) -> subprocess.Popen[bytes]:
        """Start a board; it ends with the thread that calls this (on Linux).

        Args:
            board: its emulator is this QEMU's.
            image: the ELF file.
            arguments: what this run needs beside the board.
            errors: gets what QEMU and the firmware's last words say.
            inherit: file descriptors that QEMU gets under the same numbers.
            folder: where the firmware finds and makes files; None for the image's own.
            steady: for a run without a serial line, which never waits for anything: its clock is the same
                on every run, to the nanosecond.

        Raises:
            OSError: it cannot be started.
        """
        emulator = board.emulator
        assert emulator is not None
        image = image.absolute()
        command = [self.path, "-M", emulator.machine]
        if emulator.cpu:
            command += ["-cpu", emulator.cpu]
        command += ["-display", "none", "-monitor", "none", "-nic", "none"]
        command += ["-semihosting-config", "enable=on,target=native"]
        if board.ticks.unit is TickUnit.INSTRUCTIONS:
            command += ["-icount", "shift=0,sleep=off" if steady else "shift=0"]
        return subprocess.Popen(
            [*command, *emulator.arguments, *arguments, "-kernel", str(image)],
            cwd=folder or image.parent,
            stdin=subprocess.DEVNULL,
            stdout=errors,
            stderr=errors,
            pass_fds=tuple(inherit),
            process_group=0,  # Ctrl-C is for the user of the board
            preexec_fn=_dying_with_its_parent(),
        )


def find(emulator: Emulator | None) -> Qemu:
    """Return the QEMU that a board needs.

    Raises:
        ToolError: it is missing, too old, or does not say its version.
    """
    assert emulator is not None
    name, hint = emulator.program, how_to_get(emulator.program)
    path = process.find(name)
    if path is None:
        raise ToolError(f"the program '{name}' was not found", hint)
    said = process.run([path, "--version"], timeout_s=_VERSION_S, hint=hint)
    found = _VERSION.search(said)
    if found is None:
        raise ToolError(f"'{path}' does not say what version of QEMU it is: {said.strip()[:200]!r}", hint)
    if (int(found[2]), int(found[3])) < OLDEST:
        oldest = ".".join(map(str, OLDEST))
        raise ToolError(f"'{path}' is QEMU {found[1]}; {oldest} or later is needed", hint)
    return Qemu(str(Path(path).absolute()), found[1])


def how_to_get(program: str) -> str:
    """Return in words how to get a QEMU."""
    package = "qemu-system-arm" if program == "qemu-system-arm" else "qemu-system-misc"
    return f"Debian: apt-get install {package}; macOS: brew install qemu"


def _dying_with_its_parent() -> Callable[[], None] | None:
    if sys.platform != "linux":
        return None
    prctl = ctypes.CDLL(None).prctl
    parent = os.getpid()

    def ask() -> None:
        prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)
        if os.getppid() != parent:  # it died before the request
            os._exit(1)

    return ask
