"""Runs the firmware of a virtual board, and gives the other end of its serial line.

    with emulator.start(image, board) as line: ...            # one run
    with RunningBoard(image, board) as running:               # for a client that reconnects
        line = running.connect()                              # power on
        line = running.connect()                              # power off and on: a new process

The board's serial line is one end of a socket pair: stdin and stdout of a firmware that is a process, the
UART of one that runs in QEMU. A board never outlives its user, however that one ends: a process reads the
end of its line and exits, and QEMU is killed by the kernel with the thread that started it (Linux).
"""

import contextlib
import socket
import subprocess
import tempfile
from collections.abc import Iterator
from types import TracebackType
from typing import IO, Self

from edgekit.board import Board, EmulatorKind
from edgekit.emulator import ending, qemu
from edgekit.errors import ToolError, UsageError
from edgekit.firmware.image import FirmwareImage

# How long the firmware may take to see that its line was cut: one inference and the report of a sanitizer.
_ORDERLY_S = 5.0


class RunningBoard:
    """A virtual board: `connect` turns it on (again), `close` turns it off.

    Raises:
        UsageError: the board is not a virtual one, or one that nothing here can run.
        ToolError: the image was built for another board, or QEMU is missing or too old.
    """

    def __init__(self, image: FirmwareImage, board: Board) -> None:
        check_runnable(board)
        if image.board_id != board.id:
            raise ToolError(
                f"the image '{image.path}' was built for the board '{image.board_id}', not for '{board.id}'",
                f"run `edgekit flash --board {board.argument} --model MODEL`, which builds it too",
            )
        self._image = image
        self._board = board
        self._qemu = qemu.find(board.emulator) if ending.in_qemu(board) else None
        self._process: subprocess.Popen[bytes] | None = None
        self._line: socket.socket | None = None
        self._errors: IO[bytes] | None = None
        self._last_words = ""
        self._exit_code: int | None = None

    def connect(self) -> socket.socket:
        """Turn the board off, if it is on, and on; return the host's end of its serial line.

        The socket is closed when the board is turned off.

        Raises:
            FaultError: the firmware that ran in QEMU until now has crashed.
            ToolError: the image cannot be run, or QEMU has ended by itself.
        """
        self.close()
        self.check()
        ours, theirs = socket.socketpair()
        errors = tempfile.TemporaryFile()  # noqa: SIM115 - lives as long as the process that writes it
        try:
            self._process = self._start(theirs, errors)
        except OSError as error:
            ours.close()
            errors.close()
            raise ToolError(
                f"cannot start the firmware '{self._image.path}': {error.strerror}",
                "run `edgekit build` again",
            ) from error
        finally:
            theirs.close()
        self._line, self._errors = ours, errors
        return ours

    def _start(self, line: socket.socket, errors: IO[bytes]) -> subprocess.Popen[bytes]:
        if self._qemu is None:
            return subprocess.Popen(
                [str(self._image.path.absolute())],
                stdin=line.fileno(),
                stdout=line.fileno(),
                stderr=errors,
                process_group=0,  # Ctrl-C is for the user of the board
            )
        arguments = ["-chardev", f"socket,id=serial,fd={line.fileno()}", "-serial", "chardev:serial"]
        return self._qemu.start(self._board, self._image.path, arguments, errors, inherit=(line.fileno(),))

    def check(self) -> None:
        """Say how firmware in QEMU ended, if it did so by itself and not in order.

        Raises:
            FaultError: it crashed; the message has what it said of its registers.
            ToolError: QEMU ended for a reason of its own.
        """
        ending.check(self._image, self._board, self.exit_code(), self.last_words())

    def close(self) -> None:
        """Turn the board off: cut its line, and end the process if that does not."""
        if self._process is None or self._line is None or self._errors is None:
            return
        with contextlib.suppress(OSError):  # closed by its user, or cut by the firmware's own end
            self._line.shutdown(socket.SHUT_RDWR)
        self._line.close()
        try:
            if self._qemu is None:
                self._process.wait(_ORDERLY_S)
        except subprocess.TimeoutExpired:
            pass
        finally:
            # Also on Ctrl-C during the wait. QEMU has nothing to put in order; if it was ending by itself,
            # its exit code stays what it was.
            if self._process.poll() is None:
                self._process.kill()
                self._process.wait()
            self._exit_code = self._process.returncode
            self._last_words = ending.last_lines(self._errors)
            self._errors.close()
            self._process = self._line = self._errors = None

    @property
    def pid(self) -> int | None:
        """The process that runs the firmware; None while the board is off."""
        return None if self._process is None else self._process.pid

    def exit_code(self) -> int | None:
        """Return how the firmware ended: 0 in order, negative for a signal, None while it runs."""
        return self._exit_code if self._process is None else self._process.poll()

    def last_words(self) -> str:
        """Return the last lines that the firmware wrote to stderr, such as a sanitizer's report."""
        return self._last_words if self._errors is None else ending.last_lines(self._errors)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, value: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()


def runs_on(board: Board) -> str:
    """Return in a few words where the firmware of a board runs."""
    if board.emulator is None:
        return "the board"
    return {
        EmulatorKind.PROCESS: "this machine",
        EmulatorKind.QEMU: "QEMU",
        EmulatorKind.NONE: "not run",
    }[board.emulator.kind]


def check_runnable(board: Board) -> None:
    """Refuse a board that edgekit cannot run itself. Raises UsageError."""
    if board.emulator is None:
        raise UsageError(
            f"the board '{board.id}' is not a virtual one, so edgekit cannot start it",
            "name the serial port of the real board with --port",
        )
    if board.emulator.kind is EmulatorKind.NONE:
        raise UsageError(
            f"the board '{board.id}' is compiled and linked only: nothing here runs its {board.soc.cpu}",
            "name the serial port of a real board with --port, or choose another one of `edgekit boards`",
        )


@contextlib.contextmanager
def start(image: FirmwareImage, board: Board) -> Iterator[socket.socket]:
    """Turn a virtual board on, and off at the end; yield the host's end of its serial line.

    Raises as `RunningBoard` and its `connect`.
    """
    with RunningBoard(image, board) as running:
        yield running.connect()
