"""ek_requantize.h against edgekit.graph.fixed_point, at the corners, under UBSan."""

import subprocess
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from kernels.runner import RUNTIME, SANITIZERS, WARNINGS

from edgekit.graph import fixed_point

PROGRAM = """
#include <stdio.h>
#include "ek_requantize.h"
int main(void) {
    int32_t row[5];
    while (fread(row, sizeof row, 1, stdin) == 1) {
        const int32_t result = row[0] == 2 ? ek_requantize_twice(row[1], row[2], row[4])
                                           : ek_requantize_once(row[1], row[2], row[3], row[4]);
        fwrite(&result, sizeof result, 1, stdout);
    }
    return 0;
}
"""
LOW, HIGH = -(1 << 31), (1 << 31) - 1
WORD = HIGH


def accumulators(rng: np.random.Generator) -> list[int]:
    """Return the corners of int32, small numbers, powers of two with neighbours, and random ones."""
    found = [LOW, LOW + 1, HIGH, HIGH - 1, *range(-5, 6)]
    found += [sign * (1 << bit) + near for bit in range(31) for near in (-1, 0, 1) for sign in (-1, 1)]
    found += [int(v) for v in rng.integers(LOW, HIGH, 100)]
    return [v for v in found if LOW <= v <= HIGH]


def in_c(rows: Sequence[tuple[int, ...]], folder: Path) -> list[int]:
    """Return what C makes of (2 or 1, accumulator, multiplier, low, shift)."""
    (folder / "main.c").write_text(PROGRAM)
    program = str(folder / "main")
    command = [
        "gcc",
        *WARNINGS,
        *SANITIZERS,
        f"-I{RUNTIME / 'include'}",
        "-o",
        program,
        str(folder / "main.c"),
    ]
    subprocess.run(command, check=True, timeout=60)
    feed = np.array(rows, np.int32).tobytes()
    done = subprocess.run([program], input=feed, capture_output=True, timeout=60)
    assert done.returncode == 0, done.stderr.decode()
    return [int(v) for v in np.frombuffer(done.stdout, np.int32)]


def test_twice(tmp_path: Path) -> None:
    rng = np.random.default_rng(2)
    multipliers = [0, 1 << 30, (1 << 30) + 1, HIGH, *(int(v) for v in rng.integers(1 << 30, HIGH, 6))]
    shifts = [-31, -30, -17, -8, -2, -1, 0, 1, 2, 7, 30]
    rows = [(2, a, m, 0, s) for a in accumulators(rng) for m in multipliers for s in shifts]
    expected = [fixed_point.requantize_twice(a, m, s) for _, a, m, _, s in rows]
    assert in_c(rows, tmp_path) == expected


def test_once(tmp_path: Path) -> None:
    rng = np.random.default_rng(3)
    rows: list[tuple[int, ...]] = []
    expected = []
    for real in [1.0, 0.5, 0.25, 0.7071, 3.0, 1e-3, 2.0**-20, 2.0**-33, *rng.random(6) / 100]:
        limit = min(HIGH, int(HIGH / 2 / max(real, 1e-9)))
        multiplier, shift = fixed_point.fit_once(float(real), min(limit, 1000), 256)
        for value in accumulators(rng):
            if abs(value) <= limit:
                rows.append((1, value, multiplier >> 31, multiplier & WORD, shift - 31))
                expected.append(fixed_point.requantize_once(value, multiplier, shift))
    assert in_c(rows, tmp_path) == expected
