"""Reads what esptool says while it writes: how far it is, what is verified, and why it gave up.

esptool's exit code is what counts; its words only make progress and errors clearer. They are those of
esptool 5.1 to 5.6, and words that are not known are shown as they are.
"""

import re
from collections.abc import Sequence
from dataclasses import dataclass

from edgekit.board import Board
from edgekit.errors import EdgekitError, FlashError, PortError
from edgekit.flash import Progress

_ERASING = re.compile(r"Flash will be erased from ")
_WRITING = re.compile(r"Writing at 0x[0-9a-fA-F]+ .*?([0-9]{1,3}(?:\.[0-9]+)?)%")
_CONNECTED = re.compile(r"Connected to ")
_WROTE = re.compile(r"Wrote [0-9]+ bytes .*?at (0x[0-9a-fA-F]+) in ")
_VERIFIED = re.compile(r"Hash of data verified")
_LAST_WORDS = re.compile(r"^(?:ERROR: )?(?:A (?:fatal|serial exception) error occurred: )", re.MULTILINE)
_MOST_LINES = 200

_WRONG_CHIP = re.compile(r"This chip is (.+?), not (.+?)\. Wrong chip")
_NO_ANSWER = re.compile(r"Failed to connect to [^:]*: (.+)")
_TOO_SMALL = re.compile(r"will not fit in ([0-9]+) bytes of flash")
_MISMATCH = re.compile(r"MD5 of file does not match|written flash region is empty")
_REFUSED = re.compile(r"Failed to (?:write|enter|leave|calculate) .*result was ([0-9A-Fa-f]{4})")
_BROKEN = re.compile(r"serial exception|could not open port|Could not open|Lost connection|disconnected")
_SILENT = re.compile(r"No more data|stopped responding|stream stopped|Timed out|No serial data|no response")
# The second byte of a status: of the chip's own loader, and of esptool's.
_DAMAGED = ("07", "C1")
_INCOMPLETE = ("05", "C0")

_LINE_HINT = (
    "use another cable or USB port, without a hub, and flash again; at a serial bridge, ESPTOOL_BAUD=115200 "
    "makes it slower and safer"
)


@dataclass(frozen=True, slots=True)
class Region:
    """One file on its way to flash."""

    name: str
    offset: int
    """In bytes, a multiple of the sector's 4096."""
    size_bytes: int


class Log:
    """What esptool has said so far; `feed` is told its lines."""

    def __init__(self, regions: Sequence[Region], progress: Progress | None, unfinished: str) -> None:
        """Begin with nothing said.

        Args:
            regions: what is written; esptool does it by offset, and reads each back before the next.
            progress: told the bytes written and the bytes in all; never goes back.
            unfinished: what a board is like when only a part of them is there.
        """
        self._regions = sorted(regions, key=lambda region: region.offset)
        self._progress = progress
        self._unfinished = unfinished
        self._lines: list[str] = []
        self._begun = False
        self._written: list[Region] = []
        self._verified: set[Region] = set()
        self._shown = 0
        self.connected = False

    def feed(self, line: str) -> bool:
        """Take in one line, and return whether it says that esptool has come further."""
        before = self._steps()
        if found := _WRITING.match(line):
            self._show(min(float(found[1]), 100.0) / 100)
            return self._steps() != before
        self._lines = [*self._lines[1 - _MOST_LINES :], line.rstrip()]
        if _ERASING.match(line):
            self._begun = True
            self._show(0)
        elif found := _WROTE.match(line):
            offset = int(found[1], 16)
            self._written += [r for r in self._regions if r.offset == offset and r not in self._written]
        elif _VERIFIED.match(line) and self._written:
            self._verified.add(self._written[-1])
        elif _CONNECTED.match(line):
            self.connected = True
        return self._steps() != before

    def _steps(self) -> tuple[int, ...]:
        """Return what grows as the work goes on."""
        return (self.connected, self._begun, len(self._written), len(self._verified), self._shown)

    def _show(self, of_current: float) -> None:
        """Tell what is written, and this fraction of the file that is on its way."""
        current = next((region for region in self._regions if region not in self._written), None)
        done = sum(region.size_bytes for region in self._regions if region in self._written)
        done += int(current.size_bytes * of_current) if current else 0
        if done > self._shown or not done:
            self._shown = max(self._shown, done)
            if self._progress is not None:
                self._progress(done, sum(region.size_bytes for region in self._regions))

    @property
    def complete(self) -> bool:
        """Whether all was written and read back."""
        return len(self._verified) == len(self._regions)

    def state(self) -> str:
        """Say what state the board is in."""
        if self.complete:
            return "all was written and verified, but the board did not restart"
        if not self._begun:
            return "nothing was written: the board's flash is as it was"
        done = [region for region in self._regions if region in self._verified]
        rest = [region for region in self._regions if region not in self._verified]
        said = f"{_listed(done)} written and verified, " if done else ""
        return f"the board is half flashed: {said}{_listed(rest)} not; {self._unfinished}"

    def failure(self, board: Board, port: str, code: int, boot_mode: str) -> EdgekitError:
        """Return the error for what esptool said before it ended with an exit code that is not 0."""
        text = "\n".join(self._lines)
        begins = _LAST_WORDS.search(text)
        words = " ".join((text[begins.end() :] if begins else text[-600:]).split())
        if self.complete:
            return FlashError(
                f"{self.state()} (esptool: {_short(words)})", "press RESET, or plug the board in again"
            )
        said, hint = self._cause(board, port, text[begins.start() :] if begins else text, boot_mode)
        if not said:
            said, hint = f"esptool failed with exit code {code}: {_short(words)}", hint or _LINE_HINT
        elif not self.connected and said.startswith("the port"):
            return PortError(f"{said}; {self.state()}", hint)
        return FlashError(f"{said}; {self.state()}", hint, {"esptool": words[:500], "exit_code": code})

    def _cause(self, board: Board, port: str, text: str, boot_mode: str) -> tuple[str, str]:
        if found := _WRONG_CHIP.search(text):
            return (
                f"the chip at {port} is an {found[1]}, but the board '{board.id}' has an {found[2]}",
                "name the board that is plugged in with --board; `edgekit boards` lists them. If it does not "
                "run now, press RESET",
            )
        if found := _NO_ANSWER.search(text):
            return (
                f"the chip at {port} does not answer as a boot loader does (esptool: {_short(found[1])})",
                boot_mode,
            )
        if found := _TOO_SMALL.search(text):
            return (
                f"the flash of the board at {port} has {int(found[1]):,} B, and the image does not fit",
                "is it another variant of the board? `edgekit boards` lists them",
            )
        if _MISMATCH.search(text):
            return (
                "what was read back from flash differs from what was written (MD5)",
                "flash again; if it stays so, power the board better or take its flash chip for broken",
            )
        if found := _REFUSED.search(text):
            return _refusal(found[1].upper()), _LINE_HINT
        if _BROKEN.search(text):
            if self.connected:
                return (
                    f"the connection at {port} broke: the board was unplugged or lost its power",
                    "plug it in again, and flash again",
                )
            return f"the port '{port}' cannot be opened any more", "plug the board in again"
        if _SILENT.search(text):
            return f"the chip at {port} stopped answering", _LINE_HINT
        return "", ""


def _refusal(status: str) -> str:
    if status.endswith(_DAMAGED):
        return "the board refused a block again and again: its checksum is wrong, bytes change on the way"
    if status.endswith(_INCOMPLETE):
        return "the board refused a block again and again: it is incomplete, bytes are lost on the way"
    return f"the board refused a command with status {status}"


def _listed(regions: Sequence[Region]) -> str:
    return ", ".join(f"{region.name} at {region.offset:#x}" for region in regions)


def _short(words: str) -> str:
    return words.split(" For troubleshooting")[0].split(" Note: This error")[0][:300].rstrip(". ")
