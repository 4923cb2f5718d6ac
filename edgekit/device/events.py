"""What a session tells its caller beside predictions."""

from dataclasses import dataclass
from enum import StrEnum

from edgekit.device.frame import Answer


class NoteKind(StrEnum):
    """What a note is about."""

    RESET = "reset"
    RECONNECTED = "reconnected"
    LOG = "log"


@dataclass(frozen=True, slots=True)
class Note:
    """Something that a person may want to know, though the run goes on."""

    kind: NoteKind
    text: str


@dataclass(frozen=True, slots=True)
class Result:
    """An answered frame; times on the clock of the session's caller."""

    answer: Answer
    first_byte_at: float
    answered_at: float
    retransmissions: int
    """Chunks of this frame that were sent again."""


@dataclass(slots=True)
class Statistics:
    """What has happened on the line so far."""

    frames: int = 0
    retransmissions: int = 0
    """Chunks that were sent again."""
    questions: int = 0
    """Empty chunks sent because an acknowledgement or an answer was overdue or lost."""
    resets: int = 0
    """Times that the device had restarted, or had to be greeted again."""
    reconnections: int = 0
    """Times that the transport broke and was opened again."""
    packets: int = 0
    """Valid packets from the device."""
    damaged_packets: int = 0
    """Runs of bytes from the device that were no packet, log lines included."""
    log_lines: int = 0
    bytes_sent: int = 0
    bytes_received: int = 0
