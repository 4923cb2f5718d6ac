"""What a generated model needs of a board's RAM and flash, before anything is compiled.

Estimates err on the side of refusing late: what is known exactly (arena, frames, weights) is exact, and the
rest (code) is a figure measured on the reference kernels. The linker's own numbers decide after the build.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from edgekit.board import Board
from edgekit.codegen.generator import GeneratedModel
from edgekit.codegen.tflm import TflmModel
from edgekit.errors import DoesNotFitError
from edgekit.graph.ir import Graph

ENGINE_FLASH_BYTES = 24 * 1024
"""Application, protocol, port and kernels: the reference kernels at -O2 on a Cortex-M take less."""
TFLM_FLASH_BYTES = 48 * 1024
"""TensorFlow Lite Micro's interpreter and a few kernels: what no build of it goes below."""
APPLICATION_RAM_BYTES = 2 * 1024
"""The application's own state beside its buffers."""
CALL_FLASH_BYTES = 128
"""One step: its parameters and its call."""
_PIECE_BYTES = 128
"""What ek_app.c calls a unit."""
_LARGEST = 3


@dataclass(frozen=True, slots=True)
class Part:
    """One named share of a memory."""

    name: str
    bytes: int


@dataclass(frozen=True, slots=True)
class Need:
    """What one memory must hold, by part, and what it has."""

    memory: str
    """`RAM` or `flash`."""
    parts: tuple[Part, ...]
    available: int

    @property
    def needed(self) -> int:
        """All parts together, in bytes."""
        return sum(part.bytes for part in self.parts)

    @property
    def fits(self) -> bool:
        """Whether it is enough."""
        return self.needed <= self.available

    def to_dict(self) -> dict[str, Any]:
        """Return the plain data for JSON."""
        return {
            "needed": self.needed,
            "available": self.available,
            "fits": self.fits,
            "parts": {part.name: part.bytes for part in self.parts},
        }


@dataclass(frozen=True, slots=True)
class Budget:
    """RAM and flash of one model on one board."""

    board_id: str
    ram: Need
    flash: Need

    @property
    def fits(self) -> bool:
        """Whether both are enough."""
        return self.ram.fits and self.flash.fits

    def to_dict(self) -> dict[str, Any]:
        """Return the plain data for JSON."""
        return {
            "board": self.board_id,
            "fits": self.fits,
            "ram": self.ram.to_dict(),
            "flash": self.flash.to_dict(),
        }


def estimate(generated: GeneratedModel | TflmModel, board: Board) -> Budget:
    """Return what the model needs on the board, in bytes."""
    buffers, frame = board.build.frame_buffers, generated.contract.input_bytes
    # Beside each frame the application keeps its answer, and a byte for each piece that has arrived.
    beside = generated.contract.classes + -(-frame // _PIECE_BYTES)
    ram = (
        Part("arena", generated.arena_bytes),
        Part("frame buffers", buffers * frame),
        Part("receive window", board.build.rx_window_bytes),
        Part("application", APPLICATION_RAM_BYTES + buffers * beside),
        Part("stack", board.build.stack_reserve_bytes),
    )
    flash = (
        Part("weights", generated.weight_bytes),
        Part("tables", generated.table_bytes),
        Part("steps", CALL_FLASH_BYTES * len(generated.steps)),
        Part("code", ENGINE_FLASH_BYTES),
        Part("interpreter", TFLM_FLASH_BYTES if isinstance(generated, TflmModel) else 0),
    )
    return Budget(
        board.id,
        Need("RAM", ram, board.memory.ram_bytes),
        Need("flash", flash, board.memory.flash_bytes),
    )


def check(generated: GeneratedModel | TflmModel, graph: Graph, board: Board) -> Budget:
    """Return the estimate if the model fits.

    Raises:
        DoesNotFitError: naming what is needed, what the board has, and the three largest tensors.
    """
    budget = estimate(generated, board)
    activations = _activations(generated, graph)
    constants = [Part(tensor.name, tensor.size) for tensor in graph.tensors if tensor.is_constant]
    for need, tensors in ((budget.ram, activations), (budget.flash, constants)):
        if not need.fits:
            parts = ", ".join(f"{part.name} {part.bytes:,}" for part in need.parts if part.bytes)
            raise DoesNotFitError(
                f"the model needs {need.needed:,} bytes of {need.memory} ({parts}), but the board "
                f"'{board.id}' has {need.available:,}; the largest tensors are {_largest(tensors)}",
                "use a smaller input, fewer channels, or a board with more memory; "
                "`edgekit inspect MODEL` shows each layer",
            )
    return budget


def _activations(generated: GeneratedModel | TflmModel, graph: Graph) -> list[Part]:
    """Return what is in memory at the busiest step; all activations where no plan says which."""
    if isinstance(generated, TflmModel):
        return [Part(tensor.name, tensor.size) for tensor in graph.tensors if not tensor.is_constant]
    plan = generated.plan
    return [Part(storage.name, storage.size) for storage in plan.alive(plan.peak_step)]


def _largest(parts: Iterable[Part]) -> str:
    ordered = sorted(parts, key=lambda part: (-part.bytes, part.name))[:_LARGEST]
    return ", ".join(f"'{part.name}' {part.bytes:,}" for part in ordered)
