"""What is known about a board: one TOML file each, read strictly (docs/reference/boards.md)."""

import os
import re
import shlex
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass, field, fields, replace
from enum import StrEnum
from pathlib import Path

from edgekit import install, resources
from edgekit.errors import ProjectError, UsageError
from edgekit.toml_table import NAME, FactValue, Table, listed, nearest

SCHEMA = 1

_COMMAND = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_.+-]{0,63}")
# What a flag may hold: nothing that make or a shell would read as its own.
_FLAG = re.compile(r"[A-Za-z0-9_+=.,:/@-]{1,200}")
# Nor what makes a compiler run other programs, or take its flags from elsewhere.
_COMPILER_FLAG = re.compile(
    r"(?!@|-wrapper|-fplugin|-fuse-ld|--?specs=.*/|-B|-X|-Wl,.*plugin|-Wa,@|-Wl,@)" + _FLAG.pattern
)
_FLAGS_ALLOWED = "flags without blanks, quotes or $, and none that runs another program or reads more flags"
_QEMU = re.compile(r"qemu-system-[a-z0-9_]{1,32}")
_QEMU_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.-]{0,63}")
_USB_ID = re.compile(r"[0-9a-f]{4}:[0-9a-f]{4}")
_LINE = re.compile(r"[^\x00-\x1f\x7f-\x9f]{1,200}")
_GIB = 1 << 30
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
        return self.id if self.path.parent == resources.boards() else shlex.quote(str(self.path))


def list_ids() -> tuple[str, ...]:
    """Return the ids of the boards that come with edgekit, variants included, sorted."""
    found = []
    for stem in _stems():
        found.append(stem)
        variants = _root(resources.boards() / f"{stem}.toml").get("variant", {})
        found += [f"{stem}_{name}" for name in variants] if isinstance(variants, dict) else []
    return tuple(sorted(found))


def _stems() -> list[str]:
    return [p.stem for p in resources.boards().glob("*.toml") if NAME.fullmatch(p.stem)]


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


def load(id_or_path: str | Path) -> Board:
    """Read a board by its id, or from a file of the user's own: a Path, or text with a slash or `.toml`.

    Raises:
        ProjectError: there is no such board (the nearest is suggested), or its file is wrong (the key
            and what it may be are named).
    """
    text = str(id_or_path)
    if isinstance(id_or_path, Path) or text.endswith(".toml") or "/" in text or os.sep in text:
        path = Path(id_or_path)
        if not NAME.fullmatch(path.stem):
            raise ProjectError(
                f"'{path}': a board's id is its file name without .toml, and '{path.stem}' cannot be one",
                "use a lower-case letter, then up to 31 of a-z, 0-9 and _",
            )
        return _read(path)
    for stem in sorted(_stems(), key=len, reverse=True):
        path = resources.boards() / f"{stem}.toml"
        if text == stem:
            return _read(path)
        if text.startswith(f"{stem}_") and text in list_ids():
            return _read(path, variant=text.removeprefix(f"{stem}_"))
    raise ProjectError(f"there is no board '{text}'", nearest(text, list_ids()))


def _root(path: Path) -> dict[str, object]:
    try:
        return tomllib.loads(path.read_text("utf-8"))
    except FileNotFoundError as error:
        raise ProjectError(
            f"there is no board file '{path}'", f"known boards: {listed(list_ids())}"
        ) from error
    except tomllib.TOMLDecodeError as error:
        raise ProjectError(f"'{path}' is not valid TOML: {error}") from error
    except (OSError, ValueError, RecursionError) as error:
        raise ProjectError(f"cannot read the board file '{path}': {error}") from error


def _read(path: Path, variant: str = "") -> Board:
    root = _root(path)
    if "variant" in root:
        root = _with_variant(path, root, variant)
    top = Table(path, "", root)
    if top.integer("schema", 1, 1 << 16) != SCHEMA:
        raise ProjectError(
            f"'{path}' has schema {root['schema']}; this edgekit reads schema {SCHEMA}",
            f"upgrade edgekit: {install.newer()}",
        )
    optional = {"emulator", "camera", "verified"}
    keys = {key.name for key in fields(Board)} - {"id", "path"} - optional
    top.only("schema", *sorted(keys), optional=tuple(sorted(optional)))
    return Board(
        id=f"{path.stem}_{variant}" if variant else path.stem,
        path=path,
        name=top.text("name", _LINE, "one line of text"),
        description=top.text("description", _LINE, "one line of text"),
        soc=_soc(top.table("soc")),
        memory=_memory(top.table("memory")),
        build=_build(top.table("build")),
        flash=_flash(top.table("flash")),
        serial=_serial(top.table("serial")),
        ticks=_ticks(top.table("ticks")),
        emulator=_emulator(top.table("emulator")) if "emulator" in root else None,
        camera=_camera(top.table("camera")) if "camera" in root else None,
        verified=top.text("verified", _LINE, "one line of text") if "verified" in root else "",
    )


def _with_variant(path: Path, root: dict[str, object], name: str) -> dict[str, object]:
    """Return the file's root with the tables of one variant laid over its own; without a name, unchanged."""
    variants = Table(path, "", root).table("variant")
    merged = {key: value for key, value in root.items() if key != "variant"}
    for known in variants.value:
        if not NAME.fullmatch(f"v{known}") or not NAME.fullmatch(f"{path.stem}_{known}"):
            raise variants.wrong(known, "named with a-z, 0-9 and _, and short enough to be part of an id")
    if name:
        merged = _laid_over(merged, variants.table(name).value)
    return merged


def _laid_over(base: dict[str, object], over: dict[str, object]) -> dict[str, object]:
    """Return `base` with the keys of `over`; a table is merged key by key, anything else replaced."""
    merged = dict(base)
    for key, value in over.items():
        below = merged.get(key)
        both = isinstance(below, dict) and isinstance(value, dict)
        merged[key] = _laid_over(below, value) if both else value  # type: ignore[arg-type]
    return merged


def _soc(table: Table) -> Soc:
    table.only("name", "cpu", "isa", optional=("clock_hz",))
    return Soc(
        name=table.text("name", _LINE, "one line of text"),
        cpu=table.text("cpu", _LINE, "one line of text"),
        isa=table.text("isa", NAME, "a lower-case name"),
        clock_hz=table.integer("clock_hz", 1, 100 * _GIB) if "clock_hz" in table.value else None,
    )


def _memory(table: Table) -> Memory:
    table.only("flash_bytes", "ram_bytes", optional=("region",))
    regions = tuple(_region(entry) for entry in table.tables("region")) if "region" in table.value else ()
    for i, region in enumerate(regions):
        for other in regions[:i]:
            if region.name == other.name:
                raise table.wrong("region", f"regions of different names, but '{region.name}' is there twice")
            if region.origin < other.origin + other.bytes and other.origin < region.origin + region.bytes:
                raise table.wrong("region", f"separate ranges, but '{region.name}' overlaps '{other.name}'")
    return Memory(table.integer("flash_bytes", 1, 4 * _GIB), table.integer("ram_bytes", 1, 4 * _GIB), regions)


def _region(table: Table) -> Region:
    table.only("name", "kind", "origin", "bytes", "arena")
    return Region(
        name=table.text("name", NAME, "a lower-case name"),
        kind=RegionKind(table.choice("kind", RegionKind)),
        origin=table.integer("origin", 0, 4 * _GIB - 1),
        bytes=table.integer("bytes", 1, 4 * _GIB),
        arena=table.flag("arena"),
    )


def _build(table: Table) -> Build:
    optional = {"shared", "runtimes", "runtime_reason", "optional_kernels", "sdk", "facts"}
    table.only(*(key.name for key in fields(Build) if key.name not in optional), optional=tuple(optional))
    templates = resources.firmware_templates()
    families = _folders(templates) - {"app", "runtime"}
    folders = _folders(templates / "runtime" / "src")
    sdks = {p.stem for p in (Path(__file__).parent / "firmware" / "sdk").glob("[a-z]*.py")}
    runtime = Runtime(table.choice("runtime", Runtime))
    runtimes = tuple(map(Runtime, table.choices("runtimes", Runtime))) if "runtimes" in table.value else ()
    if runtimes and runtime not in runtimes:
        raise table.wrong("runtime", f"one of runtimes ({listed(runtimes)})")
    return Build(
        template=table.choice("template", families),
        shared=table.choices("shared", families) if "shared" in table.value else (),
        kernels=table.choices("kernels", folders),
        runtime=runtime,
        frame_buffers=table.integer("frame_buffers", 1, 2),
        rx_window_bytes=table.integer("rx_window_bytes", 256, 1 << 20),
        stack_reserve_bytes=table.integer("stack_reserve_bytes", 256, 1 << 30),
        compilers=table.texts("compilers", _COMMAND, "names of programs, without folders", least=1),
        cflags=table.texts("cflags", _COMPILER_FLAG, f"compiler {_FLAGS_ALLOWED}"),
        ldflags=table.texts("ldflags", _COMPILER_FLAG, f"linker {_FLAGS_ALLOWED}"),
        runtimes=runtimes or (runtime,),
        runtime_reason=table.text("runtime_reason", _LINE, "one line of text")
        if "runtime_reason" in table.value
        else "",
        optional_kernels=table.choices("optional_kernels", folders)
        if "optional_kernels" in table.value
        else (),
        sdk=table.choice("sdk", sdks) if "sdk" in table.value else "",
        facts=table.table("facts").facts() if "facts" in table.value else {},
    )


def _camera(table: Table) -> Camera:
    table.only("sensor", "xclk_hz", "pins")
    pins = table.table("pins")
    pins.only(*CAMERA_PINS)
    return Camera(
        sensor=table.text("sensor", _LINE, "one line of text"),
        xclk_hz=table.integer("xclk_hz", 1, _GIB),
        pins={name: pins.integer(name, -1, 255) for name in CAMERA_PINS},
    )


def _flash(table: Table) -> Flash:
    table.only("method", optional=("facts",))
    methods = {p.stem for p in (Path(__file__).parent / "flash").glob("[a-z]*.py")}
    facts = table.table("facts").facts() if "facts" in table.value else {}
    return Flash(table.choice("method", methods), facts)


def _serial(table: Table) -> Serial:
    table.only("usb_ids", "baud", "dtr", "rts")
    return Serial(
        usb_ids=table.texts("usb_ids", _USB_ID, 'ids such as "303a:1001", lower case'),
        baud=table.integer("baud", 1200, 100_000_000),
        dtr=table.flag("dtr"),
        rts=table.flag("rts"),
    )


def _ticks(table: Table) -> Ticks:
    table.only("unit", "exact", optional=("resolution",))
    return Ticks(
        unit=TickUnit(table.choice("unit", TickUnit)),
        exact=table.flag("exact"),
        resolution=table.number("resolution", 1, 1e6) if "resolution" in table.value else 1.0,
    )


def _emulator(table: Table) -> Emulator:
    table.only("kind", optional=("program", "machine", "cpu", "arguments"))
    kind = EmulatorKind(table.choice("kind", EmulatorKind))
    if kind is not EmulatorKind.QEMU:
        table.only("kind")
        return Emulator(kind)
    return Emulator(
        kind=kind,
        program=table.text("program", _QEMU, "the name of a QEMU such as qemu-system-arm"),
        machine=table.text("machine", _QEMU_NAME, "a machine that `program -M help` lists"),
        cpu=table.text("cpu", _QEMU_NAME, "a processor that `program -cpu help` lists")
        if "cpu" in table.value
        else "",
        arguments=table.texts("arguments", _FLAG, "arguments without blanks, quotes or $")
        if "arguments" in table.value
        else (),
    )


def _folders(path: Path) -> set[str]:
    """Return the names of the folders in `path` that a board file may name."""
    if not path.is_dir():
        return set()
    return {entry.name for entry in path.iterdir() if entry.is_dir() and NAME.fullmatch(entry.name)}
