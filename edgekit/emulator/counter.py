"""Counts a firmware's instructions in QEMU: builds the plugin, says what to count, reads what it counted.

The plugin travels as source (ek_count.c), because it must fit the machine and the QEMU that load it. The
firmware is the one that goes on boards: nothing is added to it for the count.
"""

import hashlib
import shlex
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import TypeAlias

from edgekit import process, resources, scratch, toolchain
from edgekit.errors import ToolError
from edgekit.files import write_whole

SOURCE = Path(__file__).with_name("ek_count.c")

Range: TypeAlias = tuple[int, int]
"""Addresses: the first, and the one behind the last."""

_COMPILE_S = 300
_FLAGS = ("-std=c11", "-O2", "-Wall", "-Wextra", "-fPIC", "-shared", "-fvisibility=hidden")
# The functions are QEMU's own: they are there when it loads the plugin.
_UNDEFINED = ("-Wl,-undefined,dynamic_lookup",) if sys.platform == "darwin" else ()
_NEW_INTERFACE = 9
"""QEMU 9.0 refuses the interface's first version; what is used of it has not changed."""


@dataclass(frozen=True, slots=True)
class Places:
    """Where the code lies that a count is about."""

    run: Range
    """The generated function that calls one kernel after the other."""
    caller: Range
    """The function that calls it."""
    kernels: tuple[int, ...]
    """The first instructions of the kernels."""
    skipped: tuple[Range, ...]
    """Interrupts and exceptions, which are not counted."""


def build(qemu_version: str) -> Path:
    """Compile the plugin for this machine and a QEMU, or return the one that was compiled before.

    Raises:
        ToolError: there is no C compiler for this machine, or it fails.
        OutputError: the cache cannot be written.
    """
    compiler = toolchain.find("host", toolchain.HOST)
    major = int(qemu_version.split(".")[0])
    flags = (*_FLAGS, *_UNDEFINED, f"-DEK_PLUGIN_API={1 if major < _NEW_INTERFACE else 2}")
    source = SOURCE.read_bytes()
    key = hashlib.sha256(source)
    key.update("\0".join((*compiler.command, compiler.version, *flags)).encode())
    target = (resources.cache() / "plugins" / f"ek_count-{key.hexdigest()[:24]}.so").absolute()
    if target.is_file():
        return target
    with scratch.folder() as folder:
        (folder / SOURCE.name).write_bytes(source)
        command = [*compiler.command, *flags, "-o", "ek_count.so", SOURCE.name]
        process.run(
            command,
            cwd=folder,
            env=compiler.environment(folder),
            timeout_s=_COMPILE_S,
            hint=f"the command was `{shlex.join(command)}`",
        )
        write_whole(target, (folder / "ek_count.so").read_bytes())
    return target


def arguments(plugin: Path, places: Places, out: Path) -> tuple[str, ...]:
    """Return what makes QEMU load the plugin and write its counts to `out`."""
    parts = [f"file={plugin}", f"out={out}", f"run={_range(places.run)}", f"caller={_range(places.caller)}"]
    parts += [f"kernel={entry:x}" for entry in places.kernels]
    parts += [f"skip={_range(skipped)}" for skipped in places.skipped]
    # QEMU's own way of writing a comma in a value is two of them.
    return ("-plugin", ",".join(part.replace(",", ",,") for part in parts))


def read(out: Path, runs: int, kernels: int) -> tuple[tuple[int, ...], ...]:
    """Return for each run the instructions that each call of a kernel took.

    Args:
        out: what the plugin wrote.
        runs: how many runs of the model there were.
        kernels: how many kernels one run calls.

    Raises:
        ToolError: that is not what the plugin has seen.
    """
    try:
        rows = tuple(tuple(map(int, line.split())) for line in out.read_text("ascii").splitlines())
    except (OSError, ValueError) as error:
        raise ToolError(f"QEMU's plugin has written no counts: {error}") from error
    if len(rows) != runs or any(len(row) != kernels for row in rows):
        seen = sorted({len(row) for row in rows})
        raise ToolError(
            f"QEMU's plugin has seen {len(rows)} runs of {seen} kernels, not {runs} of {kernels}",
            "does a compiler flag of the board let the linker inline functions (-flto)? Leave it out",
        )
    return rows


def _range(given: Range) -> str:
    return f"{given[0]:x}-{given[1]:x}"
