"""The partition table of a board whose flash has one, sized from the model.

The format is ESP-IDF's (docs: Partition Tables). The table itself lies at 0x8000 and takes 0x1000 bytes; an
application starts at a multiple of 64 KiB.
"""

from dataclasses import dataclass
from typing import TYPE_CHECKING

from edgekit.board import Board
from edgekit.errors import DoesNotFitError

if TYPE_CHECKING:
    from edgekit.codegen.generator import GeneratedModel

SDK_BYTES = 768 * 1024
"""Room for ESP-IDF, drivers, application and kernels: an allowance, not a measurement."""
_UNIT = 0x10000
_FIRST = 0x10000
_STEP_BYTES = 256


@dataclass(frozen=True, slots=True)
class Partition:
    """One line of the table; offset and size in bytes."""

    name: str
    kind: str
    subtype: str
    offset: int
    size: int


def table(model: "GeneratedModel", board: Board, chip: int) -> tuple[Partition, ...]:
    """Return the partitions, by offset: settings of the SDK, the application, and the model if it lies apart.

    The application gets what weights and steps need and an allowance for the rest, and a quarter more, so
    that the next model of about the same size needs no other table. So does a model that lies apart, where
    there is room.

    Args:
        model: decides the sizes.
        board: how large application and model may be together, at the most.
        chip: the size of the whole flash, in bytes.

    Raises:
        DoesNotFitError: they would be larger than the board's file allows.
    """
    apart = model.stored_bytes
    inside = 0 if apart else model.weight_bytes
    needed = SDK_BYTES + inside + model.table_bytes + _STEP_BYTES * len(model.steps)
    available = max(0, min(board.memory.flash_bytes, chip - _FIRST)) // _UNIT * _UNIT
    # Whole units, of which the application gets its own first.
    left = available - _up(apart)
    if needed > left:
        model_too = f", the model in a partition of its own {apart:,}" if apart else ""
        raise DoesNotFitError(
            f"the application needs about {needed:,} bytes of flash{model_too}, and a partition of "
            f"'{board.id}' may have {available:,}",
            "use fewer channels or layers, or a board with more flash",
        )
    size = min(_up(needed + needed // 4), left)
    room = min(_up(apart + apart // 4), available - size)
    return (
        Partition("nvs", "data", "nvs", 0x9000, 0x6000),
        Partition("phy_init", "data", "phy", 0xF000, 0x1000),
        Partition("factory", "app", "factory", _FIRST, size),
        # A subtype that ESP-IDF leaves to applications.
        *([Partition("model", "data", "0x40", _FIRST + size, room)] if apart else []),
    )


def _up(size: int) -> int:
    return -(-size // _UNIT) * _UNIT
