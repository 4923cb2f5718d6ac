"""A board, as its file describes it (docs/reference/boards.md)."""

import shlex
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from enum import StrEnum
from pathlib import Path

from edgekit import resources
from edgekit.errors import ProjectError, UsageError
from edgekit.toml_table import FactValue, listed

NO_LIMIT = 64 << 20
"""In bytes: what board files say of a memory that is as large as the user's machine or board makes it."""
CAMERA_PINS = (
    *("pwdn", "reset", "xclk", "siod", "sioc", "vsync", "href", "pclk"),
    *(f"d{bit}" for bit in range(8)),
)
"""The signals of a parallel camera."""


class Runtime(StrEnum):
    """How the network runs on the board."""

    COMPILED = "compiled"
    TFLM = "tflm"


class TickUnit(StrEnum):
    """What the board's clock counts."""

    MICROSECONDS = "microseconds"
    INSTRUCTIONS = "instructions"


class EmulatorKind(StrEnum):
    """What a virtual board runs in."""

    PROCESS = "process"
    QEMU = "qemu"
    NONE = "none"


class RegionKind(StrEnum):
    """What a region of memory holds after power-on."""

    FLASH = "flash"
    RAM = "ram"


@dataclass(frozen=True, slots=True)
class Soc:
    """The chip. `isa` names the compiler's override: EDGEKIT_CC_<ISA>."""

    name: str
    cpu: str
    isa: str
    clock_hz: int | None


@dataclass(frozen=True, slots=True)
class Region:
    """One range of addresses that the linker or the arena may use."""

    name: str
    kind: RegionKind
    origin: int
    bytes: int
    arena: bool
    """Whether the model's activations may live here."""


@dataclass(frozen=True, slots=True)
class Memory:
    """What firmware may use in all; `regions` say where, for boards whose linker must know."""

    flash_bytes: int
    ram_bytes: int
    regions: tuple[Region, ...]


@dataclass(frozen=True, slots=True)
class Build:
    """How the firmware is made.

    With an `sdk`, the vendor's tools build the firmware; compilers and flags are then those with which the
    portable part alone is compiled and measured.
    """

    template: str
    """Folder of firmware_templates/ with the port, main and build files."""
    shared: tuple[str, ...]
    """Folders of firmware_templates/ that several families share; the template's own files win."""
    kernels: tuple[str, ...]
    """Folders of firmware_templates/runtime/src/, the preferred one first."""
    runtime: Runtime
    """What is used unless the user chooses."""
    frame_buffers: int
    rx_window_bytes: int
    """How much of what the host sends the serial driver can hold while the firmware computes."""
    stack_reserve_bytes: int
    compilers: tuple[str, ...]
    """Programs to look for, in order; `ziglang` is the compiler inside the Python package."""
    cflags: tuple[str, ...]
    ldflags: tuple[str, ...]
    runtimes: tuple[Runtime, ...] = (Runtime.COMPILED,)
    """All that the board's template can do."""
    runtime_reason: str = ""
    """Why `runtime` is the one of them that is used unless the user chooses."""
    optional_kernels: tuple[str, ...] = ()
    """Kernel folders used only when the user asks: fast, but not bit for bit the oracle's."""
    sdk: str = ""
    """A module of edgekit.firmware.sdk; empty where edgekit compiles the firmware itself."""
    facts: Mapping[str, FactValue] = field(default_factory=dict)
    """What the template and the SDK's module need to know."""


@dataclass(frozen=True, slots=True)
class Camera:
    """The camera on the board: `pins` maps each of CAMERA_PINS to its GPIO, -1 for one that is not there."""

    sensor: str
    xclk_hz: int
    pins: Mapping[str, int]


@dataclass(frozen=True, slots=True)
class Flash:
    """How firmware reaches the board: `method` is a module of edgekit.flash, `facts` are its own."""

    method: str
    facts: Mapping[str, FactValue] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Serial:
    """The serial port: how to know it (`vvvv:pppp`, lower case) and how to open it."""

    usb_ids: tuple[str, ...]
    baud: int
    dtr: bool
    rts: bool


@dataclass(frozen=True, slots=True)
class Ticks:
    """The clock behind invoke times, and whether the same work always counts the same."""

    unit: TickUnit
    exact: bool
    resolution: float = 1.0
    """Of the clock, in units: it goes on by steps of this many."""


@dataclass(frozen=True, slots=True)
class Emulator:
    """How a virtual board runs.

    `process`: the image is a program of this machine. `qemu`: the image runs in `program` on `machine`.
    `none`: the firmware is compiled and linked, and nothing here can run it.
    """

    kind: EmulatorKind
    program: str = ""
    machine: str = ""
    cpu: str = ""
    """Empty where the machine has but one."""
    arguments: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Board:
    """One board, as its file says."""

    id: str
    path: Path
    name: str
    description: str
    soc: Soc
    memory: Memory
    build: Build
    flash: Flash
    serial: Serial
    ticks: Ticks
    emulator: Emulator | None
    camera: Camera | None = None
    verified: str = ""
    """Where and when the board was seen to work; empty: not yet verified on hardware."""

    @property
    def argument(self) -> str:
        """What --board takes for it, quoted for a shell: its id, or the file if it is not one of ours."""
        try:
            ours = self.path.parent == resources.boards()
        except ProjectError:  # a hint must not fail in place of what it is about
            ours = False
        return self.id if ours else shlex.quote(str(self.path))


def verification(board: Board) -> str:
    """Return in a few words what shows that the board's firmware works."""
    if board.emulator is not None:
        if board.emulator.kind is EmulatorKind.NONE:
            return "compiled and linked"
        return "runs here"
    return f"verified {board.verified}" if board.verified else "not yet verified on hardware"


def choose(board: Board, *, runtime: str | None = None, kernels: str | None = None) -> Board:
    """Return the board with another of its runtimes or kernel folders; None leaves what the file says.

    Raises:
        UsageError: the board has no such runtime or kernels, or the runtime has kernels of its own.
    """
    build = board.build
    if runtime is not None:
        if runtime not in build.runtimes:
            raise UsageError(
                f"the board '{board.id}' has no runtime '{runtime}'", f"it has: {listed(build.runtimes)}"
            )
        build = replace(build, runtime=Runtime(runtime))
    if kernels is not None:
        if kernels not in (*build.kernels, *build.optional_kernels):
            raise UsageError(
                f"the board '{board.id}' has no kernels '{kernels}'",
                f"it has: {listed((*build.kernels, *build.optional_kernels))}",
            )
        if build.runtime is not Runtime.COMPILED:
            raise UsageError(
                f"kernels are chosen for the runtime compiled; {build.runtime} has its own",
                "leave out --kernels, or use --runtime compiled",
            )
        rest = (
            build.kernels[build.kernels.index(kernels) + 1 :] if kernels in build.kernels else build.kernels
        )
        build = replace(build, kernels=(kernels, *rest))
    return replace(board, build=build)
