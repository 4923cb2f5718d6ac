"""What MLPerf Tiny firmware must answer, written a second time from docs/reference/mlperf-tiny.md.

The one thing that cannot be foretold, the device's clock, stands as `m-lap-us-T`; see `mask`.
"""

import re
from collections.abc import Callable, Sequence

PROFILE = "ULPMark for tinyML Firmware V0.0.1"
COMMAND_CHARS = 80


def mask(said: bytes) -> bytes:
    """Replace the numbers of timestamps by T."""
    return re.sub(rb"m-lap-us-[0-9]+", b"m-lap-us-T", said)


def number(text: str) -> int:
    """Return what C's atoi would, saturated."""
    found = re.match(r"[+-]?[0-9]+", text)
    return max(-(2**31) + 1, min(2**31 - 1, int(found.group()))) if found else 0


class ReferenceDevice:
    """Answers bytes with bytes. `run` turns the input's bytes into the texts of the scores."""

    def __init__(
        self, input_bytes: int, run: Callable[[bytes], Sequence[str]], first_scores: Sequence[str], model: str
    ) -> None:
        self._data = bytearray(input_bytes)
        self._run = run
        self._scores = first_scores
        self._model = model
        self._command = bytearray()
        self._expected = self._loaded = 0

    @staticmethod
    def boot() -> bytes:
        """Return what comes after power-on."""
        return b"m-timestamp-mode-performance\r\nm-lap-us-T\r\nm-init-done\r\nm-ready\r\n"

    def feed(self, data: bytes) -> bytes:
        """Take bytes, return the answer to the commands that they complete."""
        answer = b""
        for byte in data:
            if byte == ord("%"):
                # Latin 1: what is no ASCII comes back as it came.
                text = self._command[:COMMAND_CHARS].decode("latin-1")
                self._command.clear()
                lines = [*self._obey([word for word in text.split(" ") if word]), "m-ready"]
                answer += "".join(f"{line}\r\n" for line in lines).encode("latin-1")
            else:
                self._command.append(byte)
        return answer

    def _obey(self, words: list[str]) -> list[str]:
        match words:
            case []:
                return []
            case ["name", *_]:
                return ["m-name-dut-[edgekit]"]
            case ["timestamp", *_]:
                return ["m-lap-us-T"]
            case ["profile", *_]:
                return [f"m-profile-[{PROFILE}]", f"m-model-[{self._model}]"]
            case ["help", *_]:
                return HELP
            case ["results", *_]:
                return [self._results()]
            case ["infer", *rest]:
                return self._infer(rest)
            case ["db", *rest]:
                return self._db(rest)
            case [word, *_]:
                return [f"e-[Unknown command: {word}]"]
        raise AssertionError(words)

    def _db(self, words: list[str]) -> list[str]:
        match words:
            case []:
                return ["e-[Command 'db' requires a subcommand]"]
            case ["load", *rest]:
                return self._load(rest)
            case ["print", *_]:
                return self._print()
        return self._bytes(words[0])

    def _results(self) -> str:
        return f"m-results-[{','.join(self._scores)}]"

    def _infer(self, rest: list[str]) -> list[str]:
        count = number(rest[0]) if rest else 1
        warmup = number(rest[1]) if len(rest) > 1 else 10
        if count <= 0:
            return ["e-[Inference iterations must be >0]"]
        if warmup < 0:
            return ["e-[Inference warmup must be >=0]"]
        self._scores = self._run(bytes(self._data))
        return [
            f"m-warmup-start-{warmup}",
            "m-warmup-done",
            f"m-infer-start-{count}",
            *("m-lap-us-T", "m-lap-us-T", "m-infer-done"),
            self._results(),
        ]

    def _load(self, rest: list[str]) -> list[str]:
        self._expected = self._loaded = 0
        if not rest:
            return ["e-[Command 'db load' requires the # of bytes]"]
        size = number(rest[0])
        if size <= 0:
            return ["e-[Command 'db load' must be >0 bytes]"]
        if size > len(self._data):
            return [f"Supplied buffer size {size} exceeds maximum of {len(self._data)}"]
        self._expected = size
        return [f"m-[Expecting {size} bytes]"]

    def _print(self) -> list[str]:
        shown = self._data[: self._expected]
        rows = [shown[i : i + 8] for i in range(0, len(shown), 8)]
        return ["m-buffer-" + "-".join(f"{byte:02x}" for byte in row) for row in rows]

    def _bytes(self, digits: str) -> list[str]:
        if len(digits) % 2:
            return ["e-[Insufficent number of hex digits]"]
        for i in range(0, len(digits), 2):
            if self._loaded == self._expected:
                break
            pair = digits[i : i + 2]
            if not re.fullmatch("[0-9A-Fa-f]{2}", pair):
                return [f"e-[Invalid hex digit '{pair}']"]
            self._data[self._loaded] = int(pair, 16)
            self._loaded += 1
            if self._loaded == self._expected:
                return ["m-load-done"]
        return []


HELP = [
    PROFILE,
    "name           the vendor of this device",
    "timestamp      the device's clock",
    "profile        the firmware and the model",
    "db load N      expect N bytes of input",
    "db HEX...      some of these bytes",
    "db print       show them",
    "infer [N [W]]  N timed runs after W others; 1 and 10 if left out",
    "results        the scores of the last run",
]
