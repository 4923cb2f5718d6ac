"""Runs many one-operator models through the real kernels, under sanitizers, in one process.

Each case goes the way of production: .tflite bytes, reader, `ops.lower`, the generator's C for constants and
parameters. Only the call is ours: every input, output and scratch is an allocation of its own with exactly
the size that the step states, so that AddressSanitizer sees any access beyond it. Or the output lies over one
of the inputs, at a stated distance, and both are one allocation of just that size.
"""

import os
import struct
import subprocess
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from edgekit import kernels, ops, resources
from edgekit.codegen import generator
from edgekit.graph import tflite
from edgekit.graph.ir import Graph
from edgekit.ops.step import PORTABLE, Step

RUNTIME = resources.firmware_templates() / "runtime"
WARNINGS = ["-std=c11", "-Wall", "-Wextra", "-Wpedantic", "-Wconversion", "-Wsign-conversion", "-Wshadow"]
WARNINGS += ["-Wcast-qual", "-Wstrict-prototypes", "-Wmissing-prototypes", "-Wundef", "-Wvla", "-Werror"]
SANITIZERS = ["-fsanitize=address,undefined", "-fno-sanitize-recover=all"]
MAX_INPUTS = 8
FRAMES = 4
"""Random inputs per case."""

Array = NDArray[Any]


Layout = tuple[int | None, ...]
"""For each input of a step, how far behind the output's beginning it begins; None: elsewhere."""


@dataclass(frozen=True)
class Variant:
    """Kernels beside the portable ones: their folder, and what they are compiled and linked with."""

    folder: str = PORTABLE
    flags: tuple[str, ...] = ()
    objects: tuple[Path, ...] = ()


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
) -> list[Array]:
    """Return the kernels' outputs [frames, bytes] by case; `layouts` has one for each frame of each case."""
    steps = [lower(item.model, variant.folder, item.output) for item in cases]
    graphs = [tflite.parse(item.model) for item in cases]
    (folder / "cases.c").write_text(generator.headers(steps) + _cases_c(graphs, steps))
    (folder / "driver.h").write_text(_DRIVER_H)
    (folder / "driver.c").write_text(_DRIVER_C)
    needed = sorted({(step.folder, step.kernel) for step in steps if step.kernel})
    program = _compile(folder, needed, sources, sanitizers, variant)
    feed = bytearray()
    for number, (item, step, graph) in enumerate(zip(cases, steps, graphs, strict=True)):
        order = [graph.inputs.index(index) for index in step.inputs]
        apart: list[Layout] = [(None,) * len(order)] * len(item.frames)
        feed += struct.pack("<i", len(item.frames))
        for frame, layout in zip(item.frames, layouts[number] if layouts else apart, strict=True):
            feed += _places(graph, step, layout)
            for place in order:
                feed += frame[place].tobytes()
    environment = {**os.environ, "ASAN_OPTIONS": "detect_leaks=0", "UBSAN_OPTIONS": "print_stacktrace=1"}
    done = subprocess.run([program], input=bytes(feed), capture_output=True, env=environment, timeout=120)
    assert done.returncode == 0, done.stderr.decode()[-4000:]
    found, at = [], 0
    for item, step, graph in zip(cases, steps, graphs, strict=True):
        size = graph.tensor(step.output).size
        end = at + size * len(item.frames)
        found.append(np.frombuffer(done.stdout[at:end], np.int8).reshape(len(item.frames), size))
        at = end
    assert at == len(done.stdout)
    return found


def _places(graph: Graph, step: Step, layout: Layout) -> bytes:
    """Return what the driver reads before a frame: the common block's size, and places in it or -1."""
    spans = [(0, graph.tensor(step.output).size)]
    for index, distance in zip(step.inputs, layout, strict=True):
        if distance is not None:
            spans.append((distance, distance + graph.tensor(index).size))
    low, high = min(first for first, _ in spans), max(end for _, end in spans)
    places = [-1 if distance is None else distance - low for distance in layout]
    return struct.pack(f"<{2 + MAX_INPUTS}i", high - low, -low, *places, *[-1] * (MAX_INPUTS - len(places)))


def _cases_c(graphs: Sequence[Graph], steps: Sequence[Step]) -> str:
    """Return C with the generator's own constants and parameters, and a table of calls."""
    text = ['#include "driver.h"\n']
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
    needed: Sequence[tuple[str, str]],
    sources: dict[str, str],
    sanitizers: Sequence[str],
    variant: Variant,
) -> str:
    files = [folder / "driver.c", folder / "cases.c"]
    for place, kernel in needed:
        if kernel in sources:
            (folder / f"{kernel}.c").write_text(sources[kernel])
            files.append(folder / f"{kernel}.c")
        else:
            files.append(RUNTIME / "src" / place / f"{kernel}.c")
    program = folder / "cases"
    include = [f"-I{RUNTIME / 'include'}", f"-I{RUNTIME / 'src' / variant.folder}", f"-I{folder}"]
    files += variant.objects
    command = ["gcc", *WARNINGS, "-O1", "-g0", *sanitizers, *include, "-o", str(program), *map(str, files)]
    command += variant.flags
    done = subprocess.run(command, capture_output=True, timeout=300)
    assert done.returncode == 0, done.stderr.decode()[:4000]
    return str(program)


_DRIVER_H = """
#ifndef DRIVER_H
#define DRIVER_H
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include "ek_nn.h"
typedef struct {
    void (*run)(int8_t *const *inputs, int8_t *output, void *scratch);
    int inputs;
    size_t input_size[8];
    size_t output_size;
    size_t scratch_size;
} ek_case;
extern const ek_case ek_cases[];
extern const int ek_case_count;
#endif
"""

_DRIVER_C = r"""
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "driver.h"

static int8_t *read_block(size_t size) {
    int8_t *block = malloc(size);
    if (block == NULL || fread(block, 1, size, stdin) != size) {
        fprintf(stderr, "short input\n");
        exit(2);
    }
    return block;
}

int main(void) {
    for (int number = 0; number < ek_case_count; number++) {
        const ek_case *item = &ek_cases[number];
        int32_t frames;
        if (fread(&frames, sizeof frames, 1, stdin) != 1) {
            return 2;
        }
        for (int32_t frame = 0; frame < frames; frame++) {
            int32_t place[10]; /* the block's size, the output in it, the inputs in it or -1 */
            if (fread(place, sizeof place, 1, stdin) != 1) {
                return 2;
            }
            int8_t *block = malloc((size_t)place[0]);
            int8_t *inputs[8] = {NULL};
            if (block == NULL) {
                return 2;
            }
            memset(block, 0x55, (size_t)place[0]);
            for (int i = 0; i < item->inputs; i++) {
                inputs[i] = read_block(item->input_size[i]);
                if (place[2 + i] >= 0) {
                    memcpy(block + place[2 + i], inputs[i], item->input_size[i]);
                    free(inputs[i]);
                    inputs[i] = block + place[2 + i];
                }
            }
            int8_t *output = block + place[1];
            void *scratch = item->scratch_size ? malloc(item->scratch_size) : NULL;
            if (item->scratch_size && scratch == NULL) {
                return 2;
            }
            if (scratch != NULL) {
                memset(scratch, 0x55, item->scratch_size);
            }
            fprintf(stderr, "case %d frame %d\n", number, (int)frame);
            item->run(inputs, output, scratch);
            fwrite(output, 1, item->output_size, stdout);
            for (int i = 0; i < item->inputs; i++) {
                if (place[2 + i] < 0) {
                    free(inputs[i]);
                }
            }
            free(block);
            free(scratch);
        }
    }
    return 0;
}
"""
