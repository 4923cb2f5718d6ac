"""What firmware is to do beside running its model: one value, checked in one place."""

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from edgekit.board import Board, Runtime
from edgekit.errors import UsageError
from edgekit.firmware import camera
from edgekit.firmware.protocols import Protocol
from edgekit.firmware.protocols.edgekit import Edgekit

if TYPE_CHECKING:
    from edgekit.codegen.generator import GeneratedModel


@dataclass(frozen=True, slots=True)
class Firmware:
    """What the user chose."""

    protocol: Protocol = field(default_factory=Edgekit)
    """What it speaks on its serial line."""
    debug: bool = False
    """Compile with EK_TRACE: keep a checksum of each step's output."""
    camera: bool = False
    """The board's own camera as a second source of frames."""


PLAIN = Firmware()


def check(firmware: Firmware, model: "GeneratedModel", board: Board) -> None:
    """Refuse what protocol, runtime, board or model cannot do. Raises UsageError."""
    if firmware.debug and model.runtime is Runtime.TFLM:
        raise UsageError(
            "the runtime tflm cannot record the output of every step",
            "leave out --debug, or use --runtime compiled",
        )
    for option, reason in firmware.protocol.cannot.items():
        if getattr(firmware, option):
            raise UsageError(*reason)
    if firmware.camera:
        camera.view(board, model.contract)
