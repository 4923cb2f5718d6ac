"""What a generated model needs of a board's RAM and flash, before anything is compiled.

Estimates err on the side of refusing late: what is known exactly (arena, frames, weights) is exact, and the
rest (code) is a figure measured on the reference kernels. The linker's own numbers decide after the build.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from edgekit.board import Board
from edgekit.codegen.generator import GeneratedModel
from edgekit.errors import DoesNotFitError
from edgekit.graph.ir import Graph

ENGINE_FLASH_BYTES = 24 * 1024
"""Application, protocol, port and kernels: the reference kernels at -O2 on a Cortex-M take less."""
APPLICATION_RAM_BYTES = 2 * 1024
"""The application's own state beside its buffers."""
CALL_FLASH_BYTES = 128
"""One step: its parameters and its call."""
_PIECE_BYTES = 128
"""What ek_app.c calls a unit."""
CAMERA_RAM_BYTES = 40 * 1024
"""A camera's driver: its receive buffers, which must lie inside, and its task (esp32-camera's defaults)."""
SYNTHETIC_PICTURE_BYTES = 320 * 240 * 2
"""The picture of a virtual board's camera."""
CAMERA_PICTURE_BYTES = 2 * 800 * 600 * 2
"""The camera's own pictures, two of the largest that is asked for; they lie in the external memory."""
_MOVED = ("frame buffers", "arena")
"""What may lie in external memory, in the order in which it is moved there: the frames are read once."""
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
    """`RAM`, `external RAM` or `flash`."""
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
    external: Need | None = None
    """RAM outside the chip, where the board has some and something had to be moved there."""

    @property
    def fits(self) -> bool:
        """Whether all are enough."""
        return all(need.fits for need in self.needs)

    @property
    def needs(self) -> tuple[Need, ...]:
        """All memories, the external one last."""
        return (self.ram, self.flash) + (() if self.external is None else (self.external,))

    @property
    def moved(self) -> tuple[str, ...]:
        """What lies in external memory: of `frame buffers` and `arena`."""
        parts = () if self.external is None else self.external.parts
        return tuple(part.name for part in parts if part.name in _MOVED)

    def to_dict(self) -> dict[str, Any]:
        """Return the plain data for JSON."""
        return {
            "board": self.board_id,
            "fits": self.fits,
            "ram": self.ram.to_dict(),
            "flash": self.flash.to_dict(),
        } | ({} if self.external is None else {"external_ram": self.external.to_dict()})


def estimate(generated: GeneratedModel, board: Board, *, camera: bool = False) -> Budget:
    """Return what the model needs on the board, in bytes.

    Where internal memory is too small and the board has PSRAM (`psram_bytes` of its facts), frame buffers
    move there, and the arena too if that is not enough; what fits inside stays inside, where it is faster.

    Args:
        camera: with the board's camera: one more frame, and the driver's buffers.
    """
    buffers, frame = board.build.frame_buffers, generated.contract.input_bytes
    # Beside each frame the application keeps its answer, and a byte for each piece that has arrived.
    beside = generated.contract.classes + -(-frame // _PIECE_BYTES)
    ram: tuple[Part, ...] = (
        Part("arena", generated.arena_bytes),
        Part("frame buffers", (buffers + camera) * frame),
        Part("receive window", board.build.rx_window_bytes),
        Part("application", APPLICATION_RAM_BYTES + buffers * beside),
        Part("stack", board.build.stack_reserve_bytes),
    )
    psram = board.build.facts.get("psram_bytes")
    outside = psram if type(psram) is int and psram > 0 else 0
    if camera and board.emulator is not None:
        ram += (Part("camera", SYNTHETIC_PICTURE_BYTES),)
    if camera and outside:
        ram += (Part("camera", CAMERA_RAM_BYTES),)
    pictures = (Part("pictures", CAMERA_PICTURE_BYTES),) if camera and outside else ()
    ram, moved = _move(ram, board.memory.ram_bytes) if outside else (ram, ())
    flash = (
        Part("weights", generated.weight_bytes),
        Part("tables", generated.table_bytes),
        Part("steps", CALL_FLASH_BYTES * len(generated.steps)),
        Part("code", ENGINE_FLASH_BYTES),
        Part("interpreter", generated.interpreter_bytes),
    )
    return Budget(
        board.id,
        Need("RAM", ram, board.memory.ram_bytes),
        Need("flash", flash, board.memory.flash_bytes),
        Need("external RAM", (*pictures, *moved), outside) if pictures or moved else None,
    )


def _move(parts: tuple[Part, ...], available: int) -> tuple[tuple[Part, ...], tuple[Part, ...]]:
    """Return what stays inside, and what has to move out so that it does."""
    moved: tuple[Part, ...] = ()
    for name in _MOVED:
        if sum(part.bytes for part in parts) <= available:
            break
        moved += tuple(part for part in parts if part.name == name)
        parts = tuple(part for part in parts if part.name != name)
    return parts, moved


def check(generated: GeneratedModel, graph: Graph, board: Board, *, camera: bool = False) -> Budget:
    """Return the estimate if the model fits.

    Raises:
        DoesNotFitError: naming what is needed, what the board has, and the three largest tensors.
    """
    budget = estimate(generated, board, camera=camera)
    activations = _activations(generated, graph)
    constants = [Part(tensor.name, tensor.size) for tensor in graph.tensors if tensor.is_constant]
    for need in budget.needs:
        tensors = constants if need.memory == "flash" else activations
        if not need.fits:
            parts = ", ".join(f"{part.name} {part.bytes:,}" for part in need.parts if part.bytes)
            raise DoesNotFitError(
                f"the model needs {need.needed:,} bytes of {need.memory} ({parts}), but the board "
                f"'{board.id}' has {need.available:,}; the largest tensors are {_largest(tensors)}",
                "use a smaller input, fewer channels, or a board with more memory; "
                "`edgekit inspect MODEL` shows each layer",
            )
    return budget


def _activations(generated: GeneratedModel, graph: Graph) -> list[Part]:
    """Return what is in memory at the busiest step; all activations where no plan says which."""
    if generated.plan is None:
        return [Part(tensor.name, tensor.size) for tensor in graph.tensors if not tensor.is_constant]
    plan = generated.plan
    return [Part(storage.name, storage.size) for storage in plan.alive(plan.peak_step)]


def _largest(parts: Iterable[Part]) -> str:
    ordered = sorted(parts, key=lambda part: (-part.bytes, part.name))[:_LARGEST]
    return ", ".join(f"'{part.name}' {part.bytes:,}" for part in ordered)
