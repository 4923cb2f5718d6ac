"""Many models in one image of an emulated board, compared with LiteRT's reference kernels step by step.

The image is a debug build of the firmware in which `graphs.c` stands in the place of main and application.
"""

import struct
import tempfile
import zlib
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import bare_metal
import numpy as np
import random_graphs
from numpy.typing import NDArray

from edgekit import contract
from edgekit.board import Board
from edgekit.codegen.generator import GeneratedModel, generate
from edgekit.errors import EdgekitError
from edgekit.firmware.image import FirmwareImage
from edgekit.graph import tflite
from edgekit.oracle import Oracle

FRAMES = 6
_HERE = Path(__file__).parent
_RUN_S = 600
_PROGRAM = {"main.c": "graphs.c", "graphs.h": "graphs.h"}


@dataclass(frozen=True)
class Case:
    """A model that both sides can run, its frames, and what the reference makes of them."""

    seed: int
    model: GeneratedModel
    frames: NDArray[np.int8]
    """[FRAMES, ...frame shape]"""
    expected: tuple[bytes, ...]
    """For each frame the CRC-32 of each step's output, and the scores."""


@dataclass(frozen=True)
class Difference:
    """Rows of one model that a board did not answer as the reference did."""

    seed: int
    rows: int
    what: str


def case(seed: int) -> Case | str:
    """Return the case of a seed, or why edgekit or the reference refuses its model."""
    return of_model(seed, random_graphs.graph(seed))


def of_model(seed: int, content: bytes) -> Case | str:
    """Return the case of any model; the seed names it, and draws its frames."""
    try:
        graph = tflite.parse(content)
        model = generate(graph, contract.of(graph), name=f"ek_seed_{seed}")
        oracle = Oracle(content)
        frames = _frames(seed, model.contract.frame_shape)
        expected = []
        for frame in frames:
            tensors = oracle.tensors(frame)
            crcs = [zlib.crc32(tensors[step.output].astype(np.int8).tobytes()) for step in model.steps]
            scores = tensors[graph.outputs[0]].astype(np.int8).tobytes()
            expected.append(struct.pack(f"<{len(crcs)}I", *crcs) + scores)
    except (EdgekitError, RuntimeError) as error:
        return str(error)
    return Case(seed, model, frames, tuple(expected))


def _frames(seed: int, shape: tuple[int, ...]) -> NDArray[np.int8]:
    """Return random frames; the second and third are almost all of the least and the largest value."""
    rng = np.random.default_rng(seed)
    frames = rng.integers(-128, 128, (FRAMES, *shape), np.int8)
    for place, extreme in ((1, -128), (2, 127)):
        frames[place] = np.where(rng.random(shape) < 0.9, np.int8(extreme), frames[place])
    return frames


def compare(cases: Sequence[Case], board: Board, level: str, folder: Path) -> list[Difference]:
    """Build the models for a board with `-O<level>`, run all frames, and return what differs.

    `folder` keeps the project, and with it the objects that do not depend on the models.
    """
    image = _image(cases, board, level, folder)
    runs = [(number, frame) for number in range(len(cases)) for frame in range(FRAMES)]
    answers = _answers(image, board, cases, runs)
    found: dict[int, list[tuple[int, bytes | str]]] = {}
    for (number, frame), answer in zip(runs, answers, strict=True):
        if answer != cases[number].expected[frame]:
            found.setdefault(number, []).append((frame, answer))
    return [
        Difference(cases[number].seed, len(wrong), _first(cases[number], *wrong[0]))
        for number, wrong in found.items()
    ]


def _first(case: Case, frame: int, answer: bytes | str) -> str:
    """Say at which step a row begins to differ."""
    if isinstance(answer, str):
        return f"frame {frame}: {answer}"
    expected = case.expected[frame]
    for number, step in enumerate(case.model.steps):
        place = slice(4 * number, 4 * number + 4)
        if answer[place] != expected[place]:
            return f"frame {frame}, step {number} {step.kind}"
    return f"frame {frame}, the scores"


def _image(cases: Sequence[Case], board: Board, level: str, folder: Path) -> FirmwareImage:
    steps = tuple(step for case in cases for step in case.model.steps)
    whole = replace(cases[0].model, files={"model.c": _source(cases)}, steps=steps)
    files = {name: (_HERE / source).read_bytes() for name, source in _PROGRAM.items()}
    return bare_metal.program(whole, board, files, level, folder)


def _source(cases: Sequence[Case]) -> bytes:
    """Return the C of all models, and the table of them."""
    parts = [b'#include "graphs.h"\n']
    rows = []
    for case in cases:
        header, source = case.model.files["model.h"], case.model.files["model.c"]
        parts += [header, source.replace(b'#include "model.h"\n', b"")]
        name = case.model.name
        words = ("ARENA_BYTES", "INPUT_OFFSET", "INPUT_BYTES", "OUTPUT_OFFSET", "OUTPUT_BYTES")
        rows.append(f"{{{name}_run, {', '.join(f'{name.upper()}_{word}' for word in words)}}},\n")
    largest = max(case.model.arena_bytes for case in cases)
    parts.append(f"_Alignas(16) uint8_t graphs_arena[{largest}];\n".encode())
    parts.append(f"const graph graphs[] = {{\n{''.join(rows)}}};\n".encode())
    return b"".join(parts)


def _answers(
    image: FirmwareImage, board: Board, cases: Sequence[Case], runs: Sequence[tuple[int, int]]
) -> list[bytes | str]:
    """Return what the board says to each run; where it stops, why, and the image starts again behind it."""
    found: list[bytes | str] = []
    while len(found) < len(runs):
        left = runs[len(found) :]
        frames = b"".join(struct.pack("<I", number) + cases[number].frames[i].tobytes() for number, i in left)
        content, problem = _emulate(image, board, frames)
        place = 0
        for number, frame in left:
            size = len(cases[number].expected[frame])
            if place + size > len(content):
                found.append(problem or "it has no answer")
                break
            found.append(content[place : place + size])
            place += size
    return found


def _emulate(image: FirmwareImage, board: Board, frames: bytes) -> tuple[bytes, str]:
    """Return the answers of one start of the board, and why there are not more of them."""
    with tempfile.TemporaryDirectory(prefix="edgekit-") as name:
        folder = Path(name)
        (folder / "graphs-frames.bin").write_bytes(frames)
        answers = folder / "graphs-answers.bin"
        problem = ""
        try:
            bare_metal.run(image, board, folder, _RUN_S)
        except EdgekitError as error:
            problem = error.message
        return answers.read_bytes() if answers.exists() else b"", problem
