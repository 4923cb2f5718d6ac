"""Hostile .tflite files never crash, hang or swell the reader, the planner or the generator."""

import subprocess
import sys
from pathlib import Path

import pytest

TESTS = Path(__file__).parents[1]


@pytest.mark.parametrize("seed", [11, 12])
def test_hostile_files_end_in_an_error_with_words(seed: int) -> None:
    # A process of its own, because its memory is limited.
    done = subprocess.run(
        [sys.executable, "-m", "model_fuzzer", "1500", str(seed)],
        cwd=TESTS,
        capture_output=True,
        text=True,
        timeout=500,
    )
    assert done.returncode == 0, done.stdout + done.stderr[-3000:]
    assert "ModelError" in done.stdout
    assert "generated" in done.stdout
