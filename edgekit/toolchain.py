"""Finds a C compiler that works: one that the user names, one on PATH, or the one inside `ziglang`."""

import importlib.util
import os
import shlex
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from edgekit import install, process, resources, scratch
from edgekit.errors import OutputError, ToolError

ZIGLANG = "ziglang"
"""The candidate that stands for `python -m ziglang cc`."""

HOST = ("cc", "gcc", "clang", ZIGLANG)
"""The candidates for this machine's own programs, whatever boards there are."""

_VERSION_S = 60
# A first run of zig builds its own C library.
_PROBE_S = 300
_HOW_TO_GET = {
    "host": "Debian: apt-get install gcc libc6-dev",
    "cortex_m": "Debian: apt-get install gcc-arm-none-eabi; anywhere: Arm GNU Toolchain (developer.arm.com)",
    "riscv32": "Debian: apt-get install gcc-riscv64-unknown-elf",
    "xtensa": "Debian: apt-get install gcc-xtensa-lx106",
    "arc": "Debian: apt-get install gcc-arc-linux-gnu",
}
_PROGRAM = b'#include <stdio.h>\nint main(void) { return puts("") < 0; }\n'
# Of the headers only those that a compiler brings itself: bare metal has no C library but the firmware's own.
_FREESTANDING = b"#include <stddef.h>\n#include <stdint.h>\nextern int32_t ek_probe;\nint32_t ek_probe;\n"


@dataclass(frozen=True, slots=True)
class Compiler:
    """A compiler that has compiled a small program. Flags go behind `command`."""

    command: tuple[str, ...]
    version: str
    """The first line of what `--version` says."""
    source: str
    """What named it: `--compiler`, an environment variable, `PATH` or `the package ziglang`."""
    extra_env: tuple[tuple[str, str], ...] = ()

    def environment(self, temporary: Path | None = None) -> Mapping[str, str]:
        """Return the whole environment that the compiler runs in; its temporary files go to a folder."""
        folders = () if temporary is None else scratch.environment(temporary)
        return os.environ | dict(self.extra_env) | dict(folders)


@dataclass(frozen=True, slots=True)
class Finding:
    """One candidate as `edgekit doctor` shows it; `problem` is empty for a compiler that works."""

    name: str
    source: str
    compiler: Compiler | None
    problem: str


def find(isa: str, candidates: Sequence[str], override: str | None = None) -> Compiler:
    """Return the compiler for an instruction set.

    The first of these that is set decides, and must work: `override`; EDGEKIT_CC_<ISA>; for the host
    CC. Each is a command, split as a shell would (`ccache gcc`). Otherwise the first of the board's
    candidates that is there and compiles a small program.

    Raises:
        ToolError: no compiler, or the one that was named does not work.
        OutputError: there is no room for temporary files.
    """
    if named := _named(isa, override):
        command, source = named
        return _examine(isa, command, source)
    problems = []
    for candidate in candidates:
        try:
            return _examine(isa, (candidate,), _source(candidate))
        except OutputError:  # no room for a file: that is no compiler's fault
            raise
        except ToolError as error:
            problems.append(error.message.splitlines()[0])
    raise ToolError(f"no working C compiler for '{isa}' was found ({'; '.join(problems)})", how_to_get(isa))


def describe(isa: str, candidates: Sequence[str]) -> tuple[Finding, ...]:
    """Examine what `find` would, without stopping at the first that works."""
    findings = []
    if named := _named(isa, None):
        command, source = named
        name = shlex.join(command)
        try:
            findings.append(Finding(name, source, _examine(isa, command, source), ""))
        except ToolError as error:
            findings.append(Finding(name, source, None, error.message))
    return (*findings, *(_try(isa, candidate) for candidate in candidates))


def how_to_get(isa: str) -> str:
    """Return in words how to get a compiler for an instruction set."""
    how = _HOW_TO_GET.get(isa, "install one of them")
    if isa == "host":
        how += f"; anywhere: {install.command('compiler')}"
    return f"{how}; or name one in EDGEKIT_CC_{isa.upper()} or with --compiler"


def _named(isa: str, override: str | None) -> tuple[tuple[str, ...], str] | None:
    variables = [f"EDGEKIT_CC_{isa.upper()}"] + (["CC"] if isa == "host" else [])
    for text, source in ((override, "--compiler"), *((os.environ.get(name), name) for name in variables)):
        if text and text.strip():
            try:
                return tuple(shlex.split(text)), source
            except ValueError as error:
                raise ToolError(f"{source} is not a command: {text!r} ({error})") from error
    return None


def _source(candidate: str) -> str:
    return f"the package {ZIGLANG}" if candidate == ZIGLANG else "PATH"


def _try(isa: str, candidate: str) -> Finding:
    source = _source(candidate)
    try:
        return Finding(candidate, source, _examine(isa, (candidate,), source), "")
    except ToolError as error:
        return Finding(candidate, source, None, error.message)


def _examine(isa: str, command: tuple[str, ...], source: str) -> Compiler:
    """Return the compiler after it has proven itself. Raises ToolError."""
    env: tuple[tuple[str, str], ...] = ()
    if command[0] == ZIGLANG:
        command, env = _zig(command[1:])
    else:
        path = process.find(command[0])
        if path is None:
            raise ToolError(f"'{command[0]}' is not there", how_to_get(isa))
        # Absolute, because the compiler runs in the project's folder; not resolved, because a compiler
        # behind a wrapper such as ccache looks at the name it was called by.
        command = (str(Path(path).absolute()), *command[1:])
    whole = os.environ | dict(env)
    said = process.run([*command, "--version"], env=whole, timeout_s=_VERSION_S, hint=how_to_get(isa))
    version = next((line.strip() for line in said.splitlines() if line.strip()), "unknown")
    compiler = Compiler(command, version[:200], source, env)
    _probe(isa, compiler)
    return compiler


def _zig(arguments: tuple[str, ...]) -> tuple[tuple[str, ...], tuple[tuple[str, str], ...]]:
    if importlib.util.find_spec(ZIGLANG) is None:
        raise ToolError(f"the Python package '{ZIGLANG}' is not installed", install.command("compiler"))
    # Left alone, its caches land in the home folder, which may be read-only, and in the project.
    cache = resources.cache().absolute() / "zig"
    folders = {"ZIG_GLOBAL_CACHE_DIR": cache / "global", "ZIG_LOCAL_CACHE_DIR": cache / "local"}
    env = tuple((name, str(folder)) for name, folder in folders.items() if name not in os.environ)
    # -P: a file in the folder that it runs in must not stand in for a module of Python.
    return (sys.executable, "-P", "-m", ZIGLANG, "cc", *arguments), env


def _probe(isa: str, compiler: Compiler) -> None:
    """Compile a small program: a compiler without its C library answers --version just as well."""
    with scratch.folder() as folder:
        source = folder / "probe.c"
        source.write_bytes(_PROGRAM if isa == "host" else _FREESTANDING)
        stage = [] if isa == "host" else ["-ffreestanding", "-c"]
        try:
            process.run(
                [*compiler.command, *stage, "-o", "probe", "probe.c"],
                cwd=folder,
                env=compiler.environment(folder),
                timeout_s=_PROBE_S,
            )
        except ToolError as error:
            scratch.check_room()
            raise ToolError(
                f"'{shlex.join(compiler.command)}' cannot compile a small program: {error.message}",
                how_to_get(isa),
            ) from error
