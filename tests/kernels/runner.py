"""Runs many one-operator models through the real kernels, under sanitizers, in one process.

Each case goes the way of production: .tflite bytes, reader, `ops.lower`, the generator's C for constants and
parameters. Only the call is ours: every input, output and scratch is an allocation of its own with exactly
the size that the step states, so that AddressSanitizer sees any access beyond it. Or the output lies over one
of the inputs, at a stated distance, and both are one allocation of just that size.
"""

import os
import struct
import subprocess
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import bare_metal
import numpy as np
import small_models
from numpy.typing import NDArray

from edgekit import board, contract, kernels, ops, resources
from edgekit.board import Board
from edgekit.codegen import generator
from edgekit.graph import tflite
from edgekit.graph.ir import Graph
from edgekit.ops.step import PORTABLE, Step

RUNTIME = resources.firmware_templates() / "runtime"
WARNINGS = ["-std=c11", "-Wall", "-Wextra", "-Wpedantic", "-Wconversion", "-Wsign-conversion", "-Wshadow"]
WARNINGS += ["-Wcast-qual", "-Wstrict-prototypes", "-Wmissing-prototypes", "-Wundef", "-Wvla", "-Werror"]
SANITIZERS = ["-fsanitize=address,undefined", "-fno-sanitize-recover=all"]
DRIVER = Path(__file__).parent / "driver"
MAX_INPUTS = 7
"""Of a case: driver.c has four bits for the place of each, and of the output."""
FRAMES = 4
"""Random inputs per case."""

Array = NDArray[Any]


Layout = tuple[int | None, ...]
"""For each input of a step, how far behind the output's beginning it begins; None: elsewhere."""


@dataclass(frozen=True)
class Variant:
    """Kernels: their folder, what they are compiled and linked with, and where they run."""

    folder: str = PORTABLE
    flags: tuple[str, ...] = ()
    objects: tuple[Path, ...] = ()
    board: str | None = None
    """An emulated board; None: this machine, under the sanitizers."""


@dataclass(frozen=True)
class Case:
    """A one-step model and the frames to feed it; frames[f][i] is input i of frame f."""

    model: bytes
    frames: list[list[Array]]
    note: str
    output: int = 0
    """Which of the model's outputs, and so which of its steps."""


def frames_for(model: bytes, rng: np.random.Generator, count: int = FRAMES) -> list[list[Array]]:
    """Return random int8 inputs for a model; the first two frames are the extremes of int8."""
    graph = tflite.parse(model)
    shapes = [graph.tensor(i).shape for i in graph.inputs]
    found: list[list[Array]] = []
    for number in range(count):
        values = [rng.integers(-128, 128, shape).astype(np.int8) for shape in shapes]
        if number < 2:
            extreme = -128 if number == 0 else 127
            values = [np.where(rng.random(v.shape) < 0.9, extreme, v).astype(np.int8) for v in values]
        found.append(values)
    return found


def case(model: bytes, rng: np.random.Generator, note: str = "") -> Case:
    """Return a case with random frames."""
    return Case(model, frames_for(model, rng), note)


def reference(case: Case) -> Array:
    """Return LiteRT's BUILTIN_REF outputs [frames, bytes]."""
    from ai_edge_litert.interpreter import Interpreter, OpResolverType

    interpreter = Interpreter(
        model_content=case.model, experimental_op_resolver_type=OpResolverType.BUILTIN_REF, num_threads=1
    )
    interpreter.allocate_tensors()
    inputs = [detail["index"] for detail in interpreter.get_input_details()]
    # The order of LiteRT's details is that of the file's tensors' names, not of its outputs.
    output = tflite.parse(case.model).outputs[case.output]
    rows = []
    for frame in case.frames:
        for index, values in zip(inputs, frame, strict=True):
            interpreter.set_tensor(index, values)
        interpreter.invoke()
        rows.append(interpreter.get_tensor(output).reshape(-1).copy())
    return np.stack(rows)


def lower(model: bytes, folder: str = PORTABLE, output: int = 0) -> Step:
    """Return the step that makes an output of a model, for the kernels of a folder where they can run it."""
    graph = tflite.parse(model)
    steps = kernels.adapt(graph, ops.lower(graph), (folder,))
    (step,) = [step for step in steps if step.output == graph.outputs[output]]
    return step


def compare(cases: Sequence[Case], folder: Path, sources: dict[str, str] | None = None) -> list[str]:
    """Return a line for each case whose output differs from the reference; [] is success.

    Args:
        cases: what to run.
        folder: an empty folder for the program.
        sources: other source text by kernel name, to see broken kernels caught.

    Raises:
        AssertionError: the compiler or a sanitizer objects.
    """
    outputs = run(cases, folder, sources or {})
    wrong = []
    for number, (item, found) in enumerate(zip(cases, outputs, strict=True)):
        expected = reference(item)
        difference = np.abs(expected.astype(int) - found.astype(int))
        if difference.any():
            wrong.append(
                f"case {number} {item.note}: {np.count_nonzero(difference)} of {difference.size} "
                f"differ, by up to {difference.max()}"
            )
    return wrong


def run(
    cases: Sequence[Case],
    folder: Path,
    sources: dict[str, str],
    layouts: Sequence[Sequence[Layout]] | None = None,
    sanitizers: Sequence[str] = SANITIZERS,
    variant: Variant = Variant(),
    shifts: Sequence[int] | None = None,
) -> list[Array]:
    """Return the kernels' outputs [frames, bytes] by case.

    Args:
        cases: what to run.
        folder: an empty folder for the program; on a board it may keep one's objects for the next call.
        sources: other source text by kernel name.
        layouts: one for each frame of each case; None: all apart.
        sanitizers: of the host's compiler.
        variant: whose kernels, and where they run.
        shifts: for each case, four bits an input, and the last four the output: how many bytes behind a
            multiple of 16 it begins.

    Raises:
        AssertionError: the compiler, a sanitizer or the board objects.
    """
    steps = [lower(item.model, variant.folder, item.output) for item in cases]
    graphs = [tflite.parse(item.model) for item in cases]
    cases_c = '#include "driver.h"\n' + generator.headers(steps) + _cases_c(graphs, steps)
    feed = bytearray()
    for number, (item, step, graph) in enumerate(zip(cases, steps, graphs, strict=True)):
        order = [graph.inputs.index(index) for index in step.inputs]
        apart: list[Layout] = [(None,) * len(order)] * len(item.frames)
        feed += struct.pack("<i", len(item.frames))
        for frame, layout in zip(item.frames, layouts[number] if layouts else apart, strict=True):
            feed += _places(graph, step, layout, shifts[number] if shifts else 0)
            for place in order:
                feed += frame[place].tobytes()
    if variant.board is None:
        needed = sorted({(step.folder, step.kernel) for step in steps if step.kernel})
        answers = _on_host(_compile(folder, cases_c, needed, sources, sanitizers, variant), feed)
    else:
        answers = _on_board(cases_c, steps, board.load(variant.board), folder, feed)
    found, at = [], 0
    for item, step, graph in zip(cases, steps, graphs, strict=True):
        size = graph.tensor(step.output).size
        end = at + size * len(item.frames)
        found.append(np.frombuffer(answers[at:end], np.int8).reshape(len(item.frames), size))
        at = end
    assert at == len(answers)
    return found


def _on_host(program: Path, feed: bytes) -> bytes:
    environment = {**os.environ, "ASAN_OPTIONS": "detect_leaks=0", "UBSAN_OPTIONS": "print_stacktrace=1"}
    done = subprocess.run([program], input=feed, capture_output=True, env=environment, timeout=120)
    assert done.returncode == 0, done.stderr.decode()[-4000:]
    return done.stdout


def _on_board(cases_c: str, steps: Sequence[Step], target: Board, folder: Path, feed: bytes) -> bytes:
    files = {"main.c": "board.c", "driver.c": "driver.c", "driver.h": "driver.h"}
    sources = {name: (DRIVER / source).read_bytes() for name, source in files.items()}
    graph = tflite.parse(small_models.classifier())
    model = generator.generate(graph, contract.of(graph))
    whole = replace(model, files={"model.c": cases_c.encode()}, steps=tuple(steps))
    image = bare_metal.program(whole, target, sources, "3", folder)
    with tempfile.TemporaryDirectory(prefix="edgekit-") as name:
        (Path(name) / "input.bin").write_bytes(feed)
        bare_metal.run(image, target, Path(name), 300)
        return (Path(name) / "output.bin").read_bytes()


def _places(graph: Graph, step: Step, layout: Layout, shifts: int) -> bytes:
    """Return what the driver reads before a frame; see `layout` in driver.c."""
    spans = [(0, graph.tensor(step.output).size)]
    for index, distance in zip(step.inputs, layout, strict=True):
        if distance is not None:
            spans.append((distance, distance + graph.tensor(index).size))
    low, high = min(first for first, _ in spans), max(end for _, end in spans)
    places = [-1 if distance is None else distance - low for distance in layout]
    places += [-1] * (MAX_INPUTS - len(places))
    return struct.pack(f"<{2 + MAX_INPUTS}iI", high - low, -low, *places, shifts)


def _cases_c(graphs: Sequence[Graph], steps: Sequence[Step]) -> str:
    """Return C with the generator's own constants and parameters, and a table of calls."""
    text = []
    table = []
    for number, (graph, step) in enumerate(zip(graphs, steps, strict=True)):
        symbol = f"case_{number}"
        if step.kernel is None:  # a view: the same bytes
            size = graph.tensor(step.output).size
            text.append(
                f"static void {symbol}(int8_t *const *inputs, int8_t *output, void *scratch)\n"
                f"{{ (void)scratch; memcpy(output, inputs[0], {size}); }}\n"
            )
            table.append(f"{{{symbol}, 1, {{{size}}}, {size}, 0}},\n")
            continue
        text.append(generator.step_data(symbol, step))
        inputs = ", ".join(f"inputs[{i}]" for i in range(len(step.inputs)))
        if step.gathered:
            inputs = f"(const int8_t *const[]){{{inputs}}}"
        text.append(
            f"static void {symbol}(int8_t *const *inputs, int8_t *output, void *scratch)\n"
            f"{{ {step.kernel}(&{symbol}_params, {inputs}, output, scratch); }}\n"
        )
        sizes = [graph.tensor(i).size for i in step.inputs]
        assert len(sizes) <= MAX_INPUTS
        output = graph.tensor(step.output).size
        listed = ", ".join(map(str, sizes))
        table.append(f"{{{symbol}, {len(step.inputs)}, {{{listed}}}, {output}, {step.scratch_bytes}}},\n")
    text.append(f"const ek_case ek_cases[] = {{\n{''.join(table)}}};\n")
    text.append(f"const int ek_case_count = {len(table)};\n")
    return "".join(text)


def _compile(
    folder: Path,
    cases_c: str,
    needed: Sequence[tuple[str, str]],
    sources: dict[str, str],
    sanitizers: Sequence[str],
    variant: Variant,
) -> Path:
    files = [DRIVER / "driver.c", DRIVER / "host.c", folder / "cases.c"]
    (folder / "cases.c").write_text(cases_c)
    for place, kernel in needed:
        if kernel in sources:
            (folder / f"{kernel}.c").write_text(sources[kernel])
            files.append(folder / f"{kernel}.c")
        else:
            files.append(RUNTIME / "src" / place / f"{kernel}.c")
    program = folder / "cases"
    include = [f"-I{path}" for path in (RUNTIME / "include", RUNTIME / "src" / variant.folder, DRIVER)]
    files += variant.objects
    command = ["gcc", *WARNINGS, "-O1", "-g0", *sanitizers, *include, "-o", str(program), *map(str, files)]
    command += variant.flags
    done = subprocess.run(command, capture_output=True, timeout=300)
    assert done.returncode == 0, done.stderr.decode()[:4000]
    return program
