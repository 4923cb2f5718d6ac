"""Writes a model for TensorFlow Lite Micro: the .tflite as C, and the C++ that runs it behind `model.h`.

The text depends on the model, its contract, the board and the versions of tflite-micro and Vela alone.
"""

import hashlib

from edgekit import resources
from edgekit.board import Board, Runtime
from edgekit.codegen import model_header, tflm_arena, tflm_operators, tflm_source, tflm_stored, vela
from edgekit.codegen.generator import GeneratedModel
from edgekit.contract import Contract
from edgekit.errors import ModelError, ProjectError, UnsupportedOpError
from edgekit.graph import tflite
from edgekit.graph.digest import model_digest
from edgekit.graph.ir import DType, Graph

SOURCE = "ek_tflm.cc"
"""What runs the model, of firmware_templates/tflm/."""
FLASH_BYTES = 48 * 1024
"""TensorFlow Lite Micro's interpreter and a few kernels: what no build of it goes below."""


def generate(
    model: bytes,
    graph: Graph,
    contract: Contract,
    board: Board,
    *,
    stored: bool = False,
) -> GeneratedModel:
    """Turn an int8 .tflite into what TensorFlow Lite Micro runs on a board. Equal input gives equal bytes.

    Args:
        model: the file.
        graph: the same, read.
        contract: the graph's contract, whose table and digest go into the C.
        board: its facts name the release of TensorFlow Lite Micro, its kernels and, if any, its NPU.
        stored: keep the .tflite out of the firmware, in a file for a flash partition of its own.

    Raises:
        UnsupportedOpError: listing every operator that the board's release lacks.
        ModelError: tflite-micro cannot run the model, or an input or output is not int8.
        DoesNotFitError: Vela's tensors need more SRAM than the board leaves them.
        MissingExtraError: tflite-micro or Vela is not installed.
        ProjectError: the board's facts are not enough.
    """
    whole = tflite.parse(model)
    if (whole.inputs, whole.outputs) != (graph.inputs, graph.outputs):
        raise ModelError(
            "the model has an input or output that is not int8; the runtime tflm takes none",
            "convert it again with int8 input and output, or use --runtime compiled",
        )
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
    digests = {"digest": model_digest(graph), "contract_digest": contract.digest()}
    inside, constants, apart = carried, digests, {}
    if stored:
        table = model_header.model_tables(contract)
        fits = tflm_stored.fit(release.name, methods, len(run.ops), contract, table)
        inside, constants = b"", {"fit": fits.hex()}
        apart["model.bin"] = tflm_stored.pack(
            carried, arena.bytes, fits, digests["digest"], digests["contract_digest"]
        )
    files = {
        "model.h": tflm_source.header(contract, arena.bytes, len(inside), len(run.ops)).encode("ascii"),
        "model_operators.h": tflm_source.operators(methods).encode("ascii"),
        "model_data.c": tflm_source.data(inside, constants, contract).encode("ascii"),
        SOURCE: (resources.firmware_templates() / "tflm" / SOURCE).read_bytes(),
    }
    report = {
        "library": release.name,
        "resolver": list(methods),
        "operators": len(run.ops),
        "arena": arena.to_dict(),
        "data": {"bytes": len(carried), "sha256": hashlib.sha256(carried).hexdigest()},
        "npu": None if npu is None else npu.to_dict(),
        "verified": "not yet verified on hardware",
    }
    return GeneratedModel(
        runtime=Runtime.TFLM,
        name=tflm_source.PREFIX,
        files=files | apart,
        contract=contract,
        contract_digest=digests["contract_digest"],
        model_digest=digests["digest"],
        arena_bytes=arena.bytes,
        weight_bytes=len(carried),
        table_bytes=len(model_header.stored_tables(contract)),
        interpreter_bytes=FLASH_BYTES,
        stored_bytes=sum(map(len, apart.values())),
        report=report,
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
