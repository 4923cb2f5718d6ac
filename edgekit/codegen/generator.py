"""Writes the C of a model: constants, parameters, and one function that runs the network.

The text depends on the graph and the contract alone. `model.c` is data and a list of calls; everything in it
is static but for what `model.h` declares.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from edgekit import __version__, kernels, ops
from edgekit.board import Runtime
from edgekit.codegen import c_source, model_header
from edgekit.codegen.planner import MemoryPlan, plan
from edgekit.codegen.views import without_copies
from edgekit.contract import Contract
from edgekit.graph.digest import model_digest
from edgekit.graph.ir import Graph
from edgekit.ops.step import PORTABLE, Constant, Step

_MAX_NAME = 48
_ALIGN = 16
"""Constants of at least this size are aligned to it, as vector loads want."""


@dataclass(frozen=True, slots=True)
class GeneratedModel:
    """A model as C, and the numbers that later stages and reports need, whatever runtime runs it."""

    runtime: Runtime
    name: str
    """Prefix of the C symbols."""
    files: Mapping[str, bytes] = field(repr=False)
    """By name: model.h, and what the runtime needs; model.bin, if the model is to be stored apart."""
    contract: Contract
    contract_digest: str
    model_digest: str
    """Of the source model, also where another was made of it."""
    arena_bytes: int
    """What the firmware reserves for input, output, scratch, activations, and an interpreter's lists."""
    weight_bytes: int
    """All constants of all steps, or the whole .tflite that an interpreter reads."""
    table_bytes: int
    """The table that turns pixels into int8; 0 where it is the identity or there are no pixels."""
    steps: tuple[Step, ...] = field(default=(), repr=False)
    """The calls of edgekit's kernels, in order; none where an interpreter runs the model."""
    plan: MemoryPlan | None = None
    """Where everything lies; None where an interpreter decides at run time."""
    macs: int | None = None
    """Multiply-accumulates; None where they are not counted."""
    interpreter_bytes: int = 0
    """Flash that an interpreter takes at the least."""
    stored_bytes: int = 0
    """What the model takes in a flash partition of its own; 0 where the firmware holds it."""
    report: Mapping[str, Any] = field(default_factory=dict)
    """What was measured, and by what, as plain data; empty where there is nothing to say."""


def generate(
    graph: Graph, contract: Contract, *, name: str = "ek_model", folders: Sequence[str] = (PORTABLE,)
) -> GeneratedModel:
    """Turn an int8 graph into C. Equal input gives equal bytes.

    Args:
        graph: one input and one output; every operator must be supported.
        contract: the graph's contract, whose table and digest go into the C.
        name: prefix of the C symbols.
        folders: of kernels, the preferred one first: `build.kernels` of a board.

    Raises:
        UnsupportedOpError: listing every operator that cannot be run, with the reason.
        UsageError: `name` is no C identifier.
    """
    steps = without_copies(graph, kernels.adapt(graph, ops.lower(graph), folders))
    return render(graph, contract, steps, name=name)


def render(
    graph: Graph, contract: Contract, steps: tuple[Step, ...], *, name: str = "ek_model"
) -> GeneratedModel:
    """Write the C of a graph that has been lowered to `steps`; see `generate`."""
    prefix = c_source.identifier(name)
    memory = plan(graph, steps)
    table = model_header.stored_tables(contract)
    digests = {"digest": model_digest(graph), "contract_digest": contract.digest()}
    arrays = [
        _array(f"{prefix}_{key}", np.frombuffer(bytes.fromhex(value), np.uint8))
        for key, value in digests.items()
    ]
    if table:
        arrays.append(
            _array(f"{prefix}_table", np.frombuffer(table, np.int8).reshape(-1, model_header.TABLE_BYTES))
        )
    header = _header(prefix, graph, contract, memory)
    source = _source(prefix, arrays, headers(steps), _steps(prefix, graph, memory, steps))
    return GeneratedModel(
        runtime=Runtime.COMPILED,
        name=prefix,
        files={"model.c": source.encode("ascii"), "model.h": header.encode("ascii")},
        steps=steps,
        plan=memory,
        contract=contract,
        contract_digest=digests["contract_digest"],
        model_digest=digests["digest"],
        weight_bytes=sum(constant.size for step in steps for constant in step.constants),
        arena_bytes=memory.arena_bytes,
        table_bytes=len(table),
        macs=sum(step.macs for step in steps),
    )


def _array(name: str, values: NDArray[np.generic]) -> str:
    return c_source.array(name, values, qualifier="")


def _header(prefix: str, graph: Graph, contract: Contract, memory: MemoryPlan) -> str:
    upper, sizes = prefix.upper(), model_header.shape(contract)
    defined = {
        "ARENA_BYTES": f"{memory.arena_bytes}u",
        "INPUT_OFFSET": f"{memory.offsets[graph.inputs[0]]}u",
        "INPUT_BYTES": sizes["INPUT_BYTES"],
        "OUTPUT_OFFSET": f"{memory.offsets[graph.outputs[0]]}u",
        **sizes,
        "STEPS": f"{memory.steps}u",
    }
    digests = f"""\
extern const uint8_t {prefix}_digest[32];
extern const uint8_t {prefix}_contract_digest[32];
"""
    functions = f"""\
/* Runs the network once: reads the input in the arena, leaves the scores there, and destroys the input.
 * `arena` is {upper}_ARENA_BYTES long and 16-byte aligned. */
void {prefix}_run(uint8_t *arena);

/* What the application calls, whatever the runtime. This network cannot fail: both are 0. */
static inline int32_t {prefix}_init(uint8_t *arena) {{
    (void)arena;
    return 0;
}}

static inline uint8_t *{prefix}_input(uint8_t *arena) {{
    return arena + {upper}_INPUT_OFFSET;
}}

static inline const int8_t *{prefix}_output(const uint8_t *arena) {{
    return (const int8_t *)(arena + {upper}_OUTPUT_OFFSET);
}}

static inline int32_t {prefix}_invoke(uint8_t *arena) {{
    {prefix}_run(arena);
    return 0;
}}
"""
    about = "Bytes and places inside the arena, which holds input, output, scratch and activations."
    return model_header.text(prefix, defined, contract, about=about, digests=digests, functions=functions)


def headers(steps: Sequence[Step]) -> str:
    """Return the lines that include what declares the steps' kernels."""
    folders = sorted({step.folder for step in steps if (step.kernel or "").endswith(f"_{step.folder}")})
    return "".join(f'#include "{name}"\n' for name in ("ek_nn.h", *(f"ek_{f}.h" for f in folders)))


def _source(prefix: str, arrays: Sequence[str], includes: str, steps: Sequence[tuple[str, str]]) -> str:
    """Return model.c: the public arrays, then for each step its data, then all calls."""
    trace = f"{prefix.upper()}_TRACE"
    data = "".join(data for data, _ in steps)
    calls = "".join(call for _, call in steps)
    return f"""\
/* clang-format off */
/* Generated by edgekit {__version__}; do not edit. */
#include "model.h"

#include <stddef.h>

{includes}
#ifdef EK_TRACE
void ek_trace_step(uint32_t step, const int8_t *output, uint32_t size);
#define {trace}(step, at, size) ek_trace_step(step, (const int8_t *)(arena + (at)), size)
#else
#define {trace}(step, at, size) ((void)arena)
#endif

{"".join(arrays)}{data}
void {prefix}_run(uint8_t *arena)
{{
{calls}}}
"""


def _steps(prefix: str, graph: Graph, memory: MemoryPlan, steps: Sequence[Step]) -> list[tuple[str, str]]:
    """Return for each step its constants and parameters, and its call, both under the same comment."""
    texts = []
    for number, step in enumerate(steps):
        tensor = graph.tensor(step.output)
        shape = "x".join(map(str, tensor.shape))
        # Converters chain the names of fused operators with semicolons; the first says enough.
        title = c_source.comment(f"{number}: {step.kind} {tensor.name.split(';')[0][:_MAX_NAME]} {shape}")
        symbol = f"{prefix}_step_{number}"
        data, call = "", f"    {title}\n"
        if step.kernel is not None:
            data = f"\n{title}\n{step_data(symbol, step)}"
            call += f"    {_step_call(symbol, memory, number, step)}\n"
        call += f"    {prefix.upper()}_TRACE({number}u, {memory.offsets[step.output]}, {tensor.size}u);\n"
        texts.append((data, call))
    return texts


def step_data(symbol: str, step: Step) -> str:
    """Return the C of a step's constants and its `<symbol>_params`."""
    arrays = ""
    fields = {}
    for key, value in step.params.items():
        if isinstance(value, Constant):
            name = f"{symbol}_{c_source.identifier(value.role)}"
            align = _ALIGN if value.size >= _ALIGN else 0
            arrays += c_source.array(name, value.values.reshape(-1), align=align)
            fields[key] = name
        elif isinstance(value, tuple):
            fields[key] = c_source.braces(value)
        else:
            fields[key] = c_source.literal(value)
    return arrays + c_source.struct(step.params_type, f"{symbol}_params", fields)


def _step_call(symbol: str, memory: MemoryPlan, number: int, step: Step) -> str:
    arguments = [f"&{symbol}_params"]
    inputs = [f"(const int8_t *)(arena + {memory.offsets[index]})" for index in step.inputs]
    if step.gathered:
        inputs = [f"(const int8_t *const[]){{{', '.join(inputs)}}}"]
    arguments += inputs
    arguments.append(f"(int8_t *)(arena + {memory.offsets[step.output]})")
    arguments.append(f"arena + {memory.scratch_offsets[number]}" if step.scratch_bytes else "NULL")
    return f"{step.kernel}({', '.join(arguments)});"
