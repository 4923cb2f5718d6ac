"""What a benchmark of one model on one board came to."""

from dataclasses import dataclass
from enum import StrEnum

from edgekit.percentiles import Percentiles


class Method(StrEnum):
    """How a run of the model was measured."""

    PLUGIN = "plugin"
    """Every instruction counted by QEMU: exact."""
    TIMER = "guest timer"
    """The emulated board's own clock of instructions, to its resolution."""
    DEVICE = "device clock"
    """Microseconds by the board's own clock."""
    NONE = "not run"
    """Only compiled and linked."""


@dataclass(frozen=True, slots=True)
class StepCount:
    """One step of the model."""

    step: int
    kind: str
    output: str
    """The shape of what it computes: `1x32x32x16`."""
    macs: int
    instructions: int | None
    """In the frame that `instructions_per_invoke` is of; None where only whole runs can be measured."""


@dataclass(frozen=True, slots=True)
class SectionSize:
    """One part of the linked firmware."""

    name: str
    bytes: int
    memory: str
    """`flash`, `ram`, or `flash, ram` for what is stored in one and copied to the other."""


@dataclass(frozen=True, slots=True)
class Bench:
    """The figures of a model on a board, and all that they depend on. None: not known there."""

    board: str
    cpu: str
    model: str
    model_sha256: str
    model_digest: str
    contract_digest: str
    frames: int
    frames_sha256: str
    method: Method
    resolution: float
    """Of one measurement, in its unit."""
    instructions_per_invoke: int | None
    """Of the median frame: a number that occurred."""
    instructions_lowest: int | None
    instructions_highest: int | None
    timer_instructions: int | None
    """What the board's own clock said of the median frame: the cross-check."""
    per_op: tuple[StepCount, ...]
    wall_us: Percentiles | None
    """Microseconds per run, of this device and nothing else."""
    macs: int
    arena_bytes: int
    stack_bytes: int | None
    """The most that start-up, application and model had in use."""
    engine_bytes: int | None
    """Flash that does not depend on the model: kernels, application, start-up, drivers."""
    model_bytes: int
    """Flash that does: weights, parameters, tables, and the function that calls the kernels."""
    flash_bytes: int | None
    ram_bytes: int | None
    sections: tuple[SectionSize, ...]
    accuracy: float | None
    """Top-1 as a fraction; None without labels."""
    outputs_sha256: str
    compiler: str
    cflags: tuple[str, ...]
    qemu: str | None
    edgekit: str
    notes: tuple[str, ...]
