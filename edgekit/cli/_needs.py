"""Which programs a board needs, which of them are here, and how to get the others."""

from dataclasses import dataclass, replace

from edgekit.board import Board


@dataclass(frozen=True, slots=True)
class Need:
    """One program; `hint` says how to get it."""

    name: str
    ok: bool
    found: str
    hint: str
    needed: bool = True
    """False for a candidate in whose place another one will do."""


def lines(need: Need, width: int = 0) -> list[str]:
    """Return a need as text: whether it is there, and how to get it.

    Args:
        need: what is told.
        width: of the column of names.
    """
    mark = "ok  " if need.ok else ("MISS" if need.needed else "-   ")
    found = [f"  {mark} {need.name:{width}}{' ' if width else ': '}{need.found}"]
    if need.hint and not need.ok:
        indent = " " * (7 + width + bool(width))
        first, *rest = need.hint.splitlines()
        found += [f"{indent}-> {first}", *(f"{indent}   {line}" for line in rest)]
    return found


def needs(board: Board) -> list[Need]:
    """Look for the compilers, the emulator and the flashing tool of a board."""
    from edgekit import toolchain
    from edgekit.emulator import ending, qemu
    from edgekit.errors import ToolError
    from edgekit.flash import esptool

    isa = board.soc.isa
    rows = []
    for finding in toolchain.describe(isa, board.build.compilers):
        said = finding.compiler.version if finding.compiler else finding.problem.splitlines()[0]
        good = finding.compiler is not None
        rows.append(Need(f"compiler {finding.name}", good, f"{said} ({finding.source})", "", needed=False))
    first = next((row.name.removeprefix("compiler ") for row in rows if row.ok), None)
    found = f"{first or 'none'}, for {isa}"
    rows.append(Need("a compiler that works", first is not None, found, toolchain.how_to_get(isa)))
    if board.build.sdk:
        # The SDK brings the compiler of the firmware; those above compile the portable part alone.
        rows = [replace(row, needed=False) for row in rows]
        # Of Arduino's tools edgekit needs none: the user starts them.
        rows += [] if board.flash.method == "arduino" else [_sdk(board)]
    if board.emulator is not None and ending.in_qemu(board):
        program = board.emulator.program
        try:
            machine = qemu.find(board.emulator)
        except ToolError as error:
            rows.append(Need(program, False, error.message, qemu.how_to_get(program)))
        else:
            rows.append(Need(program, True, f"{machine.version} ({machine.path})", qemu.how_to_get(program)))
    if board.flash.method == "esptool":
        version = esptool.installed()
        good = esptool.is_known(version)
        rows.append(Need("esptool", good, version or "not installed", esptool.how_to_get()))
    return rows


def _sdk(board: Board) -> Need:
    from edgekit.errors import ToolError
    from edgekit.firmware import sdk

    name = f"SDK {board.build.sdk}"
    try:
        found = sdk.describe(board)
    except ToolError as error:
        return Need(name, False, error.message, error.hint)
    if not found:
        hint = "name its folder with --sdk or EDGEKIT_SDK; `edgekit build` without it says how to get it"
        return Need(name, False, "not looked for", hint, needed=False)
    return Need(name, True, found, "")
