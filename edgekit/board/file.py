"""Reads a board file, strictly: one TOML file a board (docs/reference/boards.md)."""

import re
from dataclasses import fields
from pathlib import Path

from edgekit import install, resources, untrusted
from edgekit.board import allowlist
from edgekit.board.description import (
    CAMERA_PINS,
    Board,
    Build,
    Camera,
    Emulator,
    EmulatorKind,
    Flash,
    Memory,
    Region,
    RegionKind,
    Runtime,
    Serial,
    Soc,
    Ticks,
    TickUnit,
)
from edgekit.errors import ProjectError
from edgekit.files import read_regular
from edgekit.plain_text import is_plain
from edgekit.toml_table import NAME, Table, listed
from edgekit.untrusted import quoted

SCHEMA = 1

_COMMAND = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_.+-]{0,63}")
# What a flag may hold, trusted or not: nothing that make or a shell would read as its own.
_FLAG = re.compile(r"[A-Za-z0-9_+=.,:/@-]{1,200}")
_FLAGS_ALLOWED = "flags without blanks, quotes or $"
_QEMU = re.compile(r"qemu-system-[a-z0-9_]{1,32}")
_QEMU_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.,=-]{0,199}")
_USB_ID = re.compile(r"[0-9a-f]{4}:[0-9a-f]{4}")
_LINE = re.compile(".{1,200}")
_ONE_LINE = "one line of text, of at most 200 characters, none of them invisible"
_MOST_BYTES = 1 << 20
_APART = {"app", "runtime", "tflm"}
"""Folders of firmware_templates/ of which projects get some files, by another rule."""
_MOST_VARIANTS = 64
_MOST_REGIONS = 64
_GIB = 1 << 30
_PACKAGE = Path(__file__).parent.parent


def variants(path: Path) -> list[str]:
    """Return the names of a board's variants, not judged. Raises ProjectError."""
    found = _root(path).get("variant")
    if not isinstance(found, dict):
        return []
    if len(found) > _MOST_VARIANTS:
        raise ProjectError(f"'{path}' has {len(found):,} variants, more than {_MOST_VARIANTS}")
    return list(found)


def read(path: Path, variant: str = "", *, trusted: bool) -> Board:
    """Read a board, or one of its variants; see `edgekit.board.load`. Raises ProjectError."""
    found = _root(path)
    if "variant" in found:
        found = _with_variant(path, found, variant)
    top = Table(path, "", found)
    if top.integer("schema", 1, 1 << 16) != SCHEMA:
        raise ProjectError(
            f"'{path}' has schema {found['schema']}; this edgekit reads schema {SCHEMA}",
            f"upgrade edgekit: {install.newer()}",
        )
    optional = {"emulator", "camera", "verified"}
    keys = {key.name for key in fields(Board)} - {"id", "path"} - optional
    top.only("schema", *sorted(keys), optional=tuple(sorted(optional)))
    memory, build = _memory(top.table("memory")), _build(top.table("build"), trusted)
    places = {region.kind for region in memory.regions if region.kind is RegionKind.FLASH or region.arena}
    if "bare_metal" in build.shared and len(places) < len(RegionKind):
        raise top.table("memory").wrong(
            "region",
            "regions for bare_metal's linker script: one of kind flash, one of kind ram with arena = true",
        )
    return Board(
        id=f"{path.stem}_{variant}" if variant else path.stem,
        path=path,
        name=_line(top, "name"),
        description=_line(top, "description"),
        soc=_soc(top.table("soc")),
        memory=memory,
        build=build,
        flash=_flash(top.table("flash")),
        serial=_serial(top.table("serial")),
        ticks=_ticks(top.table("ticks")),
        emulator=_emulator(top.table("emulator"), trusted) if "emulator" in found else None,
        camera=_camera(top.table("camera")) if "camera" in found else None,
        verified=_line(top, "verified") if "verified" in found else "",
    )


def _root(path: Path) -> dict[str, object]:
    """Return the root table of a board file, parsed and not judged. Raises ProjectError."""
    try:
        return untrusted.parse_toml(read_regular(path, _MOST_BYTES).decode("utf-8"))
    except FileNotFoundError as error:
        raise ProjectError(
            f"there is no board file '{path}'", "`edgekit boards` lists those that come with edgekit"
        ) from error
    except OSError as error:
        raise ProjectError(f"cannot read the board file '{path}': {error.strerror}") from error
    except ValueError as error:  # not UTF-8, too
        raise ProjectError(f"'{path}' is not valid TOML: {error}") from error


def _with_variant(path: Path, root: dict[str, object], name: str) -> dict[str, object]:
    """Return the file's root with the tables of one variant laid over its own; without a name, unchanged."""
    named = Table(path, "", root).table("variant")
    merged = {key: value for key, value in root.items() if key != "variant"}
    for known in named.value:
        if not NAME.fullmatch(f"v{known}") or not NAME.fullmatch(f"{path.stem}_{known}"):
            raise named.wrong(known, "named with a-z, 0-9 and _, and short enough to be part of an id")
    if name:
        merged = _laid_over(merged, named.table(name).value)
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
        name=_line(table, "name"),
        cpu=_line(table, "cpu"),
        isa=table.text("isa", NAME, "a lower-case name"),
        clock_hz=table.integer("clock_hz", 1, 100 * _GIB) if "clock_hz" in table.value else None,
    )


def _memory(table: Table) -> Memory:
    table.only("flash_bytes", "ram_bytes", optional=("region",))
    regions = tuple(_region(entry) for entry in table.tables("region")) if "region" in table.value else ()
    if len(regions) > _MOST_REGIONS:
        raise table.wrong("region", f"at most {_MOST_REGIONS} regions")
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


def _build(table: Table, trusted: bool) -> Build:
    optional = {"shared", "runtimes", "runtime_reason", "optional_kernels", "sdk", "facts"}
    table.only(*(key.name for key in fields(Build) if key.name not in optional), optional=tuple(optional))
    templates = resources.firmware_templates()
    shareable = _folders(templates) - _APART
    folders = _folders(templates / "runtime" / "src")
    sdks = {p.stem for p in (_PACKAGE / "firmware" / "sdk").glob("[a-z]*.py")}
    compilers = table.texts("compilers", _COMMAND, "names of programs, without folders", least=1)
    cflags, ldflags = (table.texts(key, _FLAG, _FLAGS_ALLOWED) for key in ("cflags", "ldflags"))
    if not trusted:
        _check_listed(table, "compilers", allowlist.unlisted_compiler(compilers), allowlist.COMPILERS)
        for key, flags in (("cflags", cflags), ("ldflags", ldflags)):
            _check_listed(table, key, allowlist.unlisted_flag(flags), allowlist.FAMILIES)
    runtime = Runtime(table.choice("runtime", Runtime))
    runtimes = tuple(map(Runtime, table.choices("runtimes", Runtime))) if "runtimes" in table.value else ()
    if runtimes and runtime not in runtimes:
        raise table.wrong("runtime", f"one of runtimes ({listed(runtimes)})")
    return Build(
        template=table.choice("template", (name for name in shareable if _is_family(templates / name))),
        shared=table.choices("shared", shareable) if "shared" in table.value else (),
        kernels=table.choices("kernels", folders),
        runtime=runtime,
        frame_buffers=table.integer("frame_buffers", 1, 2),
        rx_window_bytes=table.integer("rx_window_bytes", 256, 1 << 20),
        stack_reserve_bytes=table.integer("stack_reserve_bytes", 256, 1 << 30),
        compilers=compilers,
        cflags=cflags,
        ldflags=ldflags,
        runtimes=runtimes or (runtime,),
        runtime_reason=_line(table, "runtime_reason") if "runtime_reason" in table.value else "",
        optional_kernels=table.choices("optional_kernels", folders)
        if "optional_kernels" in table.value
        else (),
        sdk=table.choice("sdk", sdks) if "sdk" in table.value else "",
        facts=table.table("facts").facts() if "facts" in table.value else {},
    )


def _check_listed(table: Table, key: str, unlisted: str | None, allowed: str) -> None:
    """Refuse what no board file may say by itself. Raises ProjectError."""
    if unlisted is not None:
        raise ProjectError(
            f"'{table.file}': {table.full(key)} holds {quoted(unlisted)}, which is not allowed by itself; "
            f"allowed are {allowed} (docs/reference/boards.md lists all)",
            "to use the file as you would a Makefile of its author's, which can run any program, pass "
            "--trust-board; in Python load_board(..., trusted=True)",
        )


def _camera(table: Table) -> Camera:
    table.only("sensor", "xclk_hz", "pins")
    pins = table.table("pins")
    pins.only(*CAMERA_PINS)
    return Camera(
        sensor=_line(table, "sensor"),
        xclk_hz=table.integer("xclk_hz", 1, _GIB),
        pins={name: pins.integer(name, -1, 255) for name in CAMERA_PINS},
    )


def _flash(table: Table) -> Flash:
    table.only("method", optional=("facts",))
    methods = {p.stem for p in (_PACKAGE / "flash").glob("[a-z]*.py")}
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


def _emulator(table: Table, trusted: bool) -> Emulator:
    table.only("kind", optional=("program", "machine", "cpu", "arguments"))
    kind = EmulatorKind(table.choice("kind", EmulatorKind))
    if kind is not EmulatorKind.QEMU:
        table.only("kind")
        return Emulator(kind)
    program = table.text("program", _QEMU, "the name of a QEMU such as qemu-system-arm")
    arguments = (
        table.texts("arguments", _FLAG, "texts without blanks, quotes or $")
        if "arguments" in table.value
        else ()
    )
    machine = table.text("machine", _QEMU_NAME, "a machine that `program -M help` lists")
    cpu = (
        table.text("cpu", _QEMU_NAME, "a processor that `program -cpu help` lists")
        if "cpu" in table.value
        else ""
    )
    if not trusted:
        other = None if program in allowlist.EMULATORS else program
        _check_listed(table, "program", other, listed(allowlist.EMULATORS))
        for key, value in (("machine", machine), ("cpu", cpu)):
            _check_listed(table, key, value if set(value) & set(",=") else None, "names without options")
        unlisted = allowlist.unlisted_argument(arguments)
        _check_listed(table, "arguments", unlisted, allowlist.ARGUMENTS)
    return Emulator(kind, program, machine, cpu, arguments)


def _line(table: Table, key: str) -> str:
    """Return one line of text that steers no terminal."""
    if not is_plain(found := table.text(key, _LINE, _ONE_LINE)):
        raise table.wrong(key, _ONE_LINE)
    return found


def _is_family(folder: Path) -> bool:
    """Return whether a folder of templates has a port to something; bare_metal's wants a machine yet."""
    has_port = any(folder.rglob("port.*")) and not (folder / "machine.h").is_file()
    return has_port or (folder / "machine.c").is_file()


def _folders(path: Path) -> set[str]:
    """Return the names of the folders in `path` that a board file may name."""
    if not path.is_dir():
        return set()
    return {entry.name for entry in path.iterdir() if entry.is_dir() and NAME.fullmatch(entry.name)}
