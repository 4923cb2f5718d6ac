"""edgekit's own protocol, docs/reference/protocol.md."""

from dataclasses import dataclass

from edgekit.firmware.protocols import Protocol


@dataclass(frozen=True, slots=True)
class Edgekit(Protocol):
    """Frames and answers over a line that may lose, damage or repeat bytes."""

    name = "edgekit"


PROTOCOL = Edgekit
