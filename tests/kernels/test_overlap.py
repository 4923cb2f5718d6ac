"""What each step says of its overlaps is not much less than what could be said.

That it is true, test_folders.py sees.

Every operator of cases.CASES takes part by itself; a step without `overlaps` claims nothing.
"""

from pathlib import Path

import numpy as np
import pytest
from kernels import runner
from kernels.cases import CASES, rng_of
from kernels.test_folders import claims, layout

from edgekit.graph import tflite
from edgekit.graph.ir import Graph
from edgekit.ops.step import Step

SMALL = 600
"""Bytes of input and output together up to which all distances are tried."""
POOL = 480
SEARCHES = 16
FRAMES = 4


def row_bytes(graph: Graph, step: Step) -> int:
    """Return the bytes of a row of the image, the larger one's; of the last dimension of what is none."""
    shapes = [graph.tensor(index).shape for index in (*step.inputs, step.output)]
    return max(int(np.prod(shape[-2:] if len(shape) == 4 else shape[-1:])) for shape in shapes)


def least_distance(expected: runner.Array, found: runner.Array, distances: list[int]) -> int:
    """Return the least distance from which on everything is right; `found` has the distances in order."""
    right = [np.array_equal(expected, row) for row in found.reshape(len(distances), *expected.shape)]
    wrong = [number for number, good in enumerate(right) if not good]
    return distances[wrong[-1] + 1] if wrong else distances[0]


def small_cases(kind: str, folder: Path) -> list[tuple[runner.Case, int]]:
    """Return cases with an input to move, whose outputs tell when a byte of it is wrong.

    Random models often do not: their activation saturates, or the other operand's scale hides this one's.
    """
    rng = rng_of(kind, 2)
    pool: list[tuple[runner.Case, int]] = []
    while len(pool) < POOL:
        model = CASES[kind][1](rng)
        step, graph = runner.lower(model), tflite.parse(model)
        bytes_of = [graph.tensor(index).size for index in (*step.inputs, step.output)]
        if not claims(step) or sum(bytes_of) > SMALL:
            continue
        which = claims(step)[0][0]
        moved = graph.inputs.index(step.inputs[which])
        frames = runner.frames_for(model, rng, FRAMES + 2)[2:]
        for frame in frames[1:]:
            frame[:] = [frame[i] if i == moved else frames[0][i] for i in range(len(frame))]
        pool.append((runner.Case(model, frames, ""), which))
    folder.mkdir()
    outputs = runner.run([item for item, _ in pool], folder, {}, sanitizers=[])
    telling = [bool(((found != found[0]).any(axis=0)).mean() > 0.9) for found in outputs]
    return [item for item, tells in zip(pool, telling, strict=True) if tells][:SEARCHES]


@pytest.mark.parametrize("kind", CASES)
def test_no_distance_could_be_smaller_by_more_than_a_row(kind: str, tmp_path: Path) -> None:
    """Tries every distance on small shapes, from nothing overlapping on one side to the other.

    Without sanitizers: at a distance that is too small, a kernel may compute a place in a table from garbage.
    """
    cases, places, asked = [], [], []
    for item, which in small_cases(kind, tmp_path / "pool"):
        step, graph = runner.lower(item.model), tflite.parse(item.model)
        distances = list(range(-graph.tensor(step.inputs[which]).size, graph.tensor(step.output).size + 1))
        cases.append(runner.Case(item.model, item.frames * len(distances), ""))
        places.append([layout(step, which, d) for d in distances for _ in item.frames])
        asked.append((step, graph, which, distances))
    assert len(cases) >= SEARCHES // 2
    found = runner.run(cases, tmp_path, {}, places, sanitizers=[])
    slack = []
    for outputs, (step, graph, which, distances) in zip(found, asked, strict=True):
        expected = outputs[-FRAMES:]  # the last distance is beyond the output
        least = least_distance(expected, outputs, distances)
        claimed = step.overlaps[which]
        assert claimed is not None
        claimed = min(max(claimed, distances[0]), distances[-1])
        slack.append(claimed - least)
        assert claimed - least <= row_bytes(graph, step), f"{step} says {claimed}, {least} would do"
    print(f"{kind}: bytes that the claims are above the least distance: {sorted(slack)}")
