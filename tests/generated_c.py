"""Compiles generated C, runs it, and compares every step with the oracle."""

import ctypes
import subprocess
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import small_models
from numpy.typing import NDArray

from edgekit import contract, resources, toolchain
from edgekit.codegen.generator import GeneratedModel, generate
from edgekit.graph import tflite
from edgekit.graph.ir import Graph
from edgekit.oracle import Oracle

RUNTIME = resources.firmware_templates() / "runtime"
WARNINGS = ["-std=c11", "-Werror", "-Wall", "-Wextra", "-Wpedantic", "-Wconversion", "-Wsign-conversion"]
WARNINGS += ["-Wshadow", "-Wcast-qual", "-Wstrict-prototypes", "-Wmissing-prototypes", "-Wundef", "-Wvla"]
TRACE = """
#include "model.h"
#include <stddef.h>
void ek_trace_step(uint32_t step, const int8_t *output, uint32_t size);
static int8_t *record;
void set_record(int8_t *to);
void set_record(int8_t *to) { record = to; }
void ek_trace_step(uint32_t step, const int8_t *output, uint32_t size) {
    (void)step;
    for (uint32_t i = 0; record != NULL && i < size; i++) {
        *record++ = output[i];
    }
}
"""


def made(model: bytes | None = None, **options: Any) -> GeneratedModel:
    graph = tflite.parse(model or small_models.classifier())
    return generate(graph, contract.of(graph), **options)


def compiler(name: str) -> list[str]:
    return list(toolchain.find("host", (name,)).command)


def write(generated: GeneratedModel, folder: Path) -> None:
    for name, content in generated.files.items():
        (folder / name).write_bytes(content)


def build(generated: GeneratedModel, folder: Path, extra: Sequence[str] = ()) -> ctypes.CDLL:
    """Return the model as a shared library, traced; `extra` goes behind all other arguments."""
    write(generated, folder)
    (folder / "trace.c").write_text(TRACE)
    kernels = sorted(
        {RUNTIME / "src" / step.folder / f"{step.kernel}.c" for step in generated.steps if step.kernel}
    )
    sources = [folder / "model.c", folder / "trace.c", *kernels]
    library = folder / "model.so"
    command = [*compiler("cc"), *WARNINGS, "-O2", "-DEK_TRACE=1", "-shared", "-fPIC", "-o", str(library)]
    command += [f"-I{RUNTIME / 'include'}", f"-I{folder}", *map(str, sources), *extra]
    done = subprocess.run(command, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr[:3000]
    return ctypes.CDLL(str(library))


def run(
    library: ctypes.CDLL, generated: GeneratedModel, graph: Graph, frame: NDArray[np.int8]
) -> tuple[bytes, bytes]:
    """Return the scores, and the outputs of all steps one after the other."""
    sizes = [graph.tensor(step.output).size for step in generated.steps]
    record = ctypes.create_string_buffer(sum(sizes))
    block = np.full(generated.plan.arena_bytes + 32, 0x5A, np.uint8)
    start = -block.ctypes.data % 16
    arena = block[start : start + generated.plan.arena_bytes]
    place = generated.plan.offsets[graph.inputs[0]]
    arena[place : place + frame.size] = frame.reshape(-1).view(np.uint8)
    library.set_record(record)
    library.ek_model_run(ctypes.c_void_p(arena.ctypes.data))
    place = generated.plan.offsets[graph.outputs[0]]
    assert set(block[:start]) | set(block[start + len(arena) :]) == {0x5A}
    return arena[place : place + generated.contract.classes].tobytes(), record.raw


def check_against_oracle(model: bytes, folder: Path, count: int) -> None:
    graph = tflite.parse(model)
    generated = made(model)
    library = build(generated, folder)
    oracle = Oracle(model)
    frames = np.random.default_rng(5).integers(-128, 128, (count, *generated.contract.frame_shape), np.int8)
    expected = oracle.run(frames)
    for frame, scores in zip(frames, expected, strict=True):
        found, record = run(library, generated, graph, frame)
        assert found == scores.tobytes()
    tensors = oracle.tensors(frames[-1])
    assert record == b"".join(tensors[step.output].astype(np.int8).tobytes() for step in generated.steps)
