"""Writes a model for TensorFlow Lite Micro: the .tflite as C, and the C++ that runs it behind `model.h`.

The text depends on the model, its contract, the board and the versions of tflite-micro and Vela alone.
"""

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from edgekit.board import Board
from edgekit.codegen import c_source, tflm_arena, tflm_operators, tflm_source, tflm_stored, vela
from edgekit.codegen.generator import model_tables
from edgekit.codegen.tflm_arena import Arena
from edgekit.contract import IDENTITY_TABLE, Contract
from edgekit.errors import ProjectError, UnsupportedOpError
from edgekit.graph.digest import model_digest
from edgekit.graph.ir import DType, Graph
from edgekit.ops.step import Step


@dataclass(frozen=True, slots=True)
class TflmModel:
    """A model for TensorFlow Lite Micro as C and C++, and the numbers that later stages and reports need."""

    name: str
    """Prefix of the C symbols."""
    files: Mapping[str, bytes] = field(repr=False)
    """model.h, model.cc and model_data.c; and model.bin, if the model is to be stored apart."""
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
    stored_bytes: int = 0
    """What the model takes in a flash partition of its own; 0 where the firmware holds it."""
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
    model: bytes,
    graph: Graph,
    contract: Contract,
    board: Board,
    *,
    name: str = "ek_model",
    stored: bool = False,
) -> TflmModel:
    """Turn an int8 .tflite into what TensorFlow Lite Micro runs on a board. Equal input gives equal bytes.

    Args:
        model: the file.
        graph: the same, read.
        contract: the graph's contract, whose table and digest go into the C.
        board: its facts name the release of TensorFlow Lite Micro, its kernels and, if any, its NPU.
        name: prefix of the C symbols.
        stored: keep the .tflite out of the firmware, in a file for a flash partition of its own.

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
    inside, constants, apart = carried, digests, {}
    if stored:
        fits = tflm_stored.fit(release.name, methods, len(run.ops), contract, table)
        inside, constants = b"", {"fit": fits.hex()}
        apart["model.bin"] = tflm_stored.pack(
            carried, arena.bytes, fits, digests["digest"], digests["contract_digest"]
        )
    layout = tflm_source.layout(contract, arena.bytes, len(inside), len(run.ops), table)
    files = {
        "model.h": tflm_source.header(prefix, layout),
        "model.cc": tflm_source.source(prefix, methods, contract.input_shape, stored),
        "model_data.c": tflm_source.data(prefix, inside, constants, table),
    }
    return TflmModel(
        name=prefix,
        files={key: text.encode("ascii") for key, text in files.items()} | apart,
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
        stored_bytes=sum(map(len, apart.values())),
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
