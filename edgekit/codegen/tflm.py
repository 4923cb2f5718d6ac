"""Writes a model for TensorFlow Lite Micro: the .tflite as C, and the C++ that runs it behind `model.h`.

The text depends on the model, its contract, the board and the versions of tflite-micro and Vela alone.
"""

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from edgekit import __version__
from edgekit.board import Board
from edgekit.codegen import c_source, tflm_arena, tflm_operators, vela
from edgekit.codegen.generator import model_tables, table_lines
from edgekit.codegen.tflm_arena import Arena
from edgekit.contract import IDENTITY_TABLE, Contract
from edgekit.errors import ProjectError, UnsupportedOpError
from edgekit.graph.digest import model_digest
from edgekit.graph.ir import DType, Graph
from edgekit.ops.step import Step

_ALIGN = 16


@dataclass(frozen=True, slots=True)
class TflmModel:
    """A model for TensorFlow Lite Micro as C and C++, and the numbers that later stages and reports need."""

    name: str
    """Prefix of the C symbols."""
    files: Mapping[str, bytes] = field(repr=False)
    """model.h, model.cc and model_data.c."""
    contract: Contract
    contract_digest: str
    model_digest: str
    """Of the source model, also where Vela has made another of it."""
    weight_bytes: int
    """The whole .tflite that the firmware carries."""
    table_bytes: int
    """The table that turns pixels into int8; 0 where it is the identity or there are no pixels."""
    operators: int
    """What the interpreter runs one after the other."""
    methods: tuple[str, ...]
    """What the resolver registers."""
    library: str
    """The release of TensorFlow Lite Micro for which this was checked."""
    arena: Arena
    data_sha256: str
    """Of the .tflite that the firmware carries."""
    npu: vela.Compiled | None
    steps: tuple[Step, ...] = ()
    """None: there are no calls of edgekit's own kernels."""
    macs: None = None
    """Not counted."""

    @property
    def arena_bytes(self) -> int:
        """What the firmware reserves for tensors and the interpreter's lists."""
        return self.arena.bytes

    @property
    def tensor_offsets(self) -> Mapping[int, int]:
        """Nothing: the interpreter places tensors at run time."""
        return {}

    def report(self) -> dict[str, Any]:
        """Return the plain data for JSON: what was measured, and by what."""
        return {
            "library": self.library,
            "resolver": list(self.methods),
            "operators": self.operators,
            "arena": self.arena.to_dict(),
            "data": {"bytes": self.weight_bytes, "sha256": self.data_sha256},
            "npu": None if self.npu is None else self.npu.to_dict(),
            "verified": "not yet verified on hardware",
        }


def generate(
    model: bytes, graph: Graph, contract: Contract, board: Board, *, name: str = "ek_model"
) -> TflmModel:
    """Turn an int8 .tflite into what TensorFlow Lite Micro runs on a board. Equal input gives equal bytes.

    Args:
        model: the file.
        graph: the same, read.
        contract: the graph's contract, whose table and digest go into the C.
        board: its facts name the release of TensorFlow Lite Micro, its kernels and, if any, its NPU.
        name: prefix of the C symbols.

    Raises:
        UnsupportedOpError: listing every operator that the board's release lacks.
        ModelError: tflite-micro cannot run the model.
        DoesNotFitError: Vela's tensors need more SRAM than the board leaves them.
        MissingExtraError: tflite-micro or Vela is not installed.
        ProjectError: the board's facts are not enough.
    """
    prefix = c_source.identifier(name)
    release = _library(board)
    tflm_operators.check(graph, release)
    _check_ends(graph)
    # Also where an NPU runs it: tflite-micro is the oracle, and must be able to run the model.
    arena = tflm_arena.measured(model, graph, board)
    carried, run, npu = model, graph, None
    if board.build.facts.get("npu"):
        npu = vela.compile_model(model, graph, board)
        carried, run = npu.data, npu.graph
        arena = tflm_arena.with_npu(run, npu.sram_bytes, board, npu.version)
    methods = tflm_operators.methods(run)
    table = model_tables(contract)
    digests = {"digest": model_digest(graph), "contract_digest": contract.digest()}
    layout = _layout(contract, arena.bytes, len(carried), len(run.ops), table)
    files = {
        "model.h": _header(prefix, layout),
        "model.cc": _source(prefix, methods, contract.input_shape),
        "model_data.c": _data(prefix, carried, digests, table),
    }
    return TflmModel(
        name=prefix,
        files={key: text.encode("ascii") for key, text in files.items()},
        contract=contract,
        contract_digest=digests["contract_digest"],
        model_digest=digests["digest"],
        weight_bytes=len(carried),
        table_bytes=0 if table == IDENTITY_TABLE else len(table),
        operators=len(run.ops),
        methods=methods,
        library=release.name,
        arena=arena,
        data_sha256=hashlib.sha256(carried).hexdigest(),
        npu=npu,
    )


def _library(board: Board) -> tflm_operators.Library:
    name = board.build.facts.get("tflm_library")
    if not isinstance(name, str):
        raise ProjectError(
            f"'{board.path}': build.facts.tflm_library must name the release of TensorFlow Lite Micro that "
            "the board's SDK brings"
        )
    return tflm_operators.library(name)


def _check_ends(graph: Graph) -> None:
    """Refuse what `model.h` cannot say: other than one int8 input and one int8 output."""
    for word, indices in (("input", graph.inputs), ("output", graph.outputs)):
        kinds = [graph.tensor(index).dtype for index in indices]
        if kinds != [DType.INT8]:
            raise UnsupportedOpError(
                f"the model's {word}s are {', '.join(kinds) or 'none'}; one int8 {word} is needed",
                "quantise it with `edgekit quantize MODEL.onnx --calibration DATA`",
            )


def _layout(
    contract: Contract, arena_bytes: int, data_bytes: int, operators: int, table: bytes
) -> dict[str, str]:
    """Return what model.h defines, by name without prefix."""
    shape = contract.input_shape
    return {
        "ARENA_BYTES": f"{arena_bytes}u",
        "DATA_BYTES": f"{data_bytes}u",
        "INPUT_BYTES": f"{contract.input_bytes}u",
        "OUTPUT_BYTES": f"{contract.classes}u",
        "INPUT_RANK": f"{len(shape)}u",
        "INPUT_SHAPE": c_source.braces(shape),
        "INPUT_CHANNELS": f"{shape[-1]}u",
        "STEPS": f"{operators}u",
        **table_lines(table),
    }


def _header(prefix: str, layout: Mapping[str, str]) -> str:
    upper = prefix.upper()
    defines = "".join(f"#define {upper}_{key} {value}\n" for key, value in layout.items())
    table = ""
    if layout["TABLES"] != "0" and layout["TABLE_IDENTITY"] == "0":
        table = f"extern const int8_t {prefix}_table[{layout['TABLES']}][256];\n"
    return f"""\
/* clang-format off */
/* Generated by edgekit {__version__}; do not edit. */
#ifndef {upper}_MODEL_H
#define {upper}_MODEL_H

#include <stdint.h>

#ifdef __cplusplus
extern "C" {{
#endif

/* The arena holds tensors, scratch and the interpreter's own lists. DATA_BYTES: of the .tflite.
 * TABLES: 0 if the model takes no pixels, 1 if all channels share a table, else one per channel.
 * TABLE_IDENTITY: 1 if the table is pixel - 128, which needs no array. */
{defines}
extern const uint8_t {prefix}_data[{upper}_DATA_BYTES];
extern const uint8_t {prefix}_digest[32];
extern const uint8_t {prefix}_contract_digest[32];
{table}
/* Starts the interpreter the first time, and returns 0 or an EK_MODEL_... of ek_app.h, then and later.
 * `arena` is {upper}_ARENA_BYTES long, 16-byte aligned, and the same in all calls. */
int32_t {prefix}_init(uint8_t *arena);

/* Places in the arena; NULL where the interpreter has not started. */
uint8_t *{prefix}_input(uint8_t *arena);
const int8_t *{prefix}_output(const uint8_t *arena);

/* Runs the network once: reads the input, leaves the scores, and may destroy the input. Returns 0 or an
 * EK_MODEL_... of ek_app.h. */
int32_t {prefix}_invoke(uint8_t *arena);

#ifdef __cplusplus
}}
#endif

#endif
"""


def _data(prefix: str, data: bytes, digests: Mapping[str, str], table: bytes) -> str:
    """Return model_data.c: the .tflite, the digests, and the tables where they are needed."""
    text = c_source.array(f"{prefix}_data", np.frombuffer(data, np.uint8), qualifier="", align=_ALIGN)
    for key, value in digests.items():
        digest = np.frombuffer(bytes.fromhex(value), np.uint8)
        text += c_source.array(f"{prefix}_{key}", digest, qualifier="")
    if table and table != IDENTITY_TABLE:
        values = np.frombuffer(table, np.int8).reshape(-1, 256)
        text += c_source.array(f"{prefix}_table", values, qualifier="")
    return f"""\
/* clang-format off */
/* Generated by edgekit {__version__}; do not edit. */
#include "model.h"

{text}"""


def _source(prefix: str, methods: tuple[str, ...], shape: tuple[int, ...]) -> str:
    """Return model.cc. No heap, no exceptions, no start-up code: the interpreter is made on first use."""
    upper = prefix.upper()
    adds = " &&\n           ".join(f"resolver->{method}() == kTfLiteOk" for method in methods)
    return f"""\
/* clang-format off */
/* Generated by edgekit {__version__}; do not edit. */
#include "model.h"

#include <stddef.h>
#include <stdint.h>

#include <new>

#include "ek_app.h"
#include "tensorflow/lite/micro/micro_interpreter.h"
#include "tensorflow/lite/micro/micro_mutable_op_resolver.h"
#include "tensorflow/lite/schema/schema_generated.h"

namespace {{

using Resolver = tflite::MicroMutableOpResolver<{len(methods)}>;

/* Objects are made in place, so that nothing has to run before main and nothing is on a heap. */
alignas(Resolver) uint8_t resolver_place[sizeof(Resolver)];
alignas(tflite::MicroInterpreter) uint8_t interpreter_place[sizeof(tflite::MicroInterpreter)];

constexpr int32_t kNotStarted = -1;
int32_t status = kNotStarted;
tflite::MicroInterpreter *interpreter = nullptr;
TfLiteTensor *source = nullptr;
TfLiteTensor *target = nullptr;

bool add_operators(Resolver *resolver) {{
    return {adds};
}}

/* Whether all of the tensor is in the arena, so that the application may write and read it. */
bool inside(const TfLiteTensor *tensor, const uint8_t *arena) {{
    const uintptr_t begin = reinterpret_cast<uintptr_t>(tensor->data.raw);
    const uintptr_t first = reinterpret_cast<uintptr_t>(arena);
    return begin >= first && tensor->bytes <= {upper}_ARENA_BYTES &&
           begin - first <= {upper}_ARENA_BYTES - tensor->bytes;
}}

bool agrees(const TfLiteTensor *tensor, size_t bytes, const uint8_t *arena) {{
    return tensor != nullptr && tensor->type == kTfLiteInt8 && tensor->bytes == bytes &&
           inside(tensor, arena);
}}

bool has_input_shape(const TfLiteIntArray *dims) {{
    constexpr int32_t kShape[] = {c_source.braces(shape)};
    if (dims == nullptr || dims->size != {len(shape)}) {{
        return false;
    }}
    for (int i = 0; i < dims->size; i++) {{
        if (dims->data[i] != kShape[i]) {{
            return false;
        }}
    }}
    return true;
}}

int32_t start(uint8_t *arena) {{
    const tflite::Model *model = tflite::GetModel({prefix}_data);
    if (model->version() != TFLITE_SCHEMA_VERSION) {{
        return EK_MODEL_VERSION;
    }}
    Resolver *resolver = new (resolver_place) Resolver();
    if (!add_operators(resolver)) {{
        return EK_MODEL_OPERATORS;
    }}
    tflite::MicroInterpreter *made = new (interpreter_place)
        tflite::MicroInterpreter(model, *resolver, arena, {upper}_ARENA_BYTES);
    if (made->AllocateTensors() != kTfLiteOk) {{
        return EK_MODEL_ARENA;
    }}
    if (made->inputs_size() != 1 || made->outputs_size() != 1) {{
        return EK_MODEL_TENSORS;
    }}
    TfLiteTensor *first = made->input(0);
    TfLiteTensor *last = made->output(0);
    if (!agrees(first, {upper}_INPUT_BYTES, arena) || !has_input_shape(first->dims) ||
        !agrees(last, {upper}_OUTPUT_BYTES, arena)) {{
        return EK_MODEL_TENSORS;
    }}
    interpreter = made;
    source = first;
    target = last;
    return 0;
}}

}}  // namespace

int32_t {prefix}_init(uint8_t *arena) {{
    if (status == kNotStarted) {{
        status = start(arena);
    }}
    return status;
}}

uint8_t *{prefix}_input(uint8_t *arena) {{
    (void)arena;
    return source == nullptr ? nullptr : source->data.uint8;
}}

const int8_t *{prefix}_output(const uint8_t *arena) {{
    (void)arena;
    return target == nullptr ? nullptr : target->data.int8;
}}

int32_t {prefix}_invoke(uint8_t *arena) {{
    const int32_t failure = {prefix}_init(arena);
    if (failure != 0) {{
        return failure;
    }}
    return interpreter->Invoke() == kTfLiteOk ? 0 : EK_MODEL_INVOKE;
}}
"""
