"""Waits for an emulator end at their deadline, whatever the emulator says or writes."""

import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any, cast

import numpy as np
import pytest
from hostile_line import Clock

from edgekit import board
from edgekit.emulator import batch, bridge
from edgekit.errors import DeviceError

CLASSES = 3
RECORD = np.dtype([("preprocess", "<u8"), ("invoke", "<u8"), ("scores", "i1", (CLASSES,))])


class Line:
    """A socket on which something has come each time somebody looks."""

    def __init__(self, clock: Clock, said: bytes, every_s: float) -> None:
        self.clock, self.said, self.every_s = clock, said, every_s

    def settimeout(self, seconds: float) -> None:
        self.patience_s = seconds

    def recv(self, _size: int) -> bytes:
        self.clock.now += min(self.every_s, self.patience_s)
        if self.every_s > self.patience_s:
            raise TimeoutError
        return self.said


@pytest.mark.parametrize(
    ("said", "every_s"), [(b"x", 0.0005), (b"x", 3.0), (b"m-ready\r\nx", 0.01), (b"x" * 65536, 0.001)]
)
def test_a_board_that_talks_but_does_not_boot(
    monkeypatch: pytest.MonkeyPatch, said: bytes, every_s: float
) -> None:
    clock = Clock()
    monkeypatch.setattr(bridge, "time", clock)
    with pytest.raises(DeviceError, match="the board did not boot: expected 'm-ready' within 10 s"):
        bridge.skip_boot(cast(Any, Line(clock, said, every_s)), 10.0)
    assert clock.now - 1000.0 <= 10.01


@pytest.mark.parametrize(
    ("script", "said"),
    [
        ("while True: file.write(bytes(65536))", "the file of scores is not one that this firmware writes"),
        ("while True: file.truncate(5); file.truncate(4)", "has given no answer for 0.5 s"),
        ("import time; time.sleep(600)", "has given no answer for 0.5 s"),
    ],
)
def test_scores_that_never_become_whole(tmp_path: Path, script: str, said: str) -> None:
    scores = tmp_path / batch.SCORES
    program = f"file = open({str(scores)!r}, 'wb', buffering=0)\n{script}"
    with tempfile.TemporaryFile() as errors, subprocess.Popen([sys.executable, "-c", program]) as process:
        try:
            part = batch._Part(np.zeros((100, 4), np.uint8), scores, process, errors)
            with pytest.raises(DeviceError, match=said):
                batch._wait([part], cast(Any, None), board.load("host"), RECORD, 0.5, lambda _: None)
        finally:
            process.kill()
