"""How large an arena TensorFlow Lite Micro needs on a board.

It is measured with tflite-micro's reference kernels on this machine. The board's kernel library asks for
more: scratch buffers, whose sizes follow from the layers. What is added for them is the margin.
"""

from dataclasses import dataclass
from typing import Any

from edgekit import tflite_micro
from edgekit.board import Board
from edgekit.codegen import tflm_plan, tflm_scratch
from edgekit.errors import ProjectError
from edgekit.graph.ir import Graph
from edgekit.toml_table import listed

_ALIGNMENT = 16
_BASE = 1024
"""The interpreter's own fields and alignment, which differ between releases."""
# What the interpreter keeps beside the tensors, where it cannot be measured here: on 32-bit machines it takes
# 12 bytes a tensor and 16 an operator, and the operators' own data. Several times that for what is not known.
_NPU_BASE = 4096
_PER_TENSOR = 64
_PER_OPERATOR = 256
_PER_CHANNEL = 16


@dataclass(frozen=True, slots=True)
class Arena:
    """The arena of one model on one board, in bytes."""

    reference: int
    """Measured by tflite-micro, or, with an NPU, placed by Vela."""
    measured_by: str
    margin: int
    reason: str
    """What the margin is for."""

    @property
    def bytes(self) -> int:
        """What the firmware reserves: a multiple of 16."""
        return -(-(self.reference + self.margin) // _ALIGNMENT) * _ALIGNMENT

    def to_dict(self) -> dict[str, Any]:
        """Return the plain data for JSON."""
        return {
            "bytes": self.bytes,
            "reference_bytes": self.reference,
            "measured_by": self.measured_by,
            "margin_bytes": self.margin,
            "margin_reason": self.reason,
        }


def measured(model: bytes, graph: Graph, board: Board) -> Arena:
    """Return the arena of a model that runs on the processor alone.

    Raises:
        MissingExtraError: tflite-micro is not installed.
        ModelError: tflite-micro cannot run the model.
        ProjectError: the board's facts name no kernel library that is known.
    """
    kernels = _kernels(board)
    allocation = tflite_micro.measure(model, graph)
    scratch = [kernels.scratch(graph, op) for op in graph.ops]
    without = tflm_plan.head_bytes(graph, [0] * len(scratch))
    # The interpreter never plans less than that; if it has planned more, so will it with scratch.
    growth = max(0, tflm_plan.head_bytes(graph, scratch) - without)
    return Arena(
        reference=allocation.total,
        measured_by=tflite_micro.tflite_micro_version(),
        margin=growth + _BASE,
        reason=f"{growth:,} because {kernels.name} asks for up to {max(scratch, default=0):,} of scratch, "
        f"{_BASE:,} for differences of release",
    )


def with_npu(compiled: Graph, sram_bytes: int, board: Board, by: str) -> Arena:
    """Return the arena of a model that Vela has compiled.

    Args:
        compiled: what Vela made.
        sram_bytes: the tensors, as Vela places them.
        board: its facts name the kernel library for what is left to the processor.
        by: the version of Vela.

    Raises:
        ProjectError: the board's facts name no kernel library that is known.
    """
    kernels = _kernels(board)
    scratch = max((kernels.scratch(compiled, op) for op in compiled.ops), default=0)
    lists = _NPU_BASE + _PER_TENSOR * len(compiled.tensors) + _PER_OPERATOR * len(compiled.ops)
    # Kernels of convolutions and dense layers keep a multiplier for each channel of their weights.
    lists += _PER_CHANNEL * sum(
        max(tflm_scratch.weights_shape(compiled, op), default=0) for op in compiled.ops
    )
    return Arena(
        reference=sram_bytes,
        measured_by=f"{by}, total SRAM used",
        margin=scratch + lists,
        reason=f"{scratch:,} of scratch for {kernels.name}, {lists:,} for the interpreter's lists",
    )


def _kernels(board: Board) -> tflm_scratch.Library:
    name = board.build.facts.get("tflm_kernels")
    if not isinstance(name, str) or name not in tflm_scratch.LIBRARIES:
        raise ProjectError(
            f"'{board.path}': build.facts.tflm_kernels must name the kernel library of its TensorFlow Lite "
            f"Micro: one of {listed(tflm_scratch.LIBRARIES)}"
        )
    return tflm_scratch.LIBRARIES[name]
