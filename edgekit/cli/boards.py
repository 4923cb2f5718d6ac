"""`edgekit boards`: the boards that edgekit knows, and what each is."""

import shlex
from collections.abc import Mapping
from typing import TYPE_CHECKING

import click

from edgekit.cli import _next, _options
from edgekit.cli._app import command as make_command
from edgekit.cli._output import Output

if TYPE_CHECKING:
    from edgekit.board import Board

_IN_HEX = ("origin", "family")
"""Besides everything whose name ends in `address` or `offset`."""


@make_command(short_help="List the boards, or show one.")
@_options.trust_board
@click.argument("words", metavar="[show ID|FILE]", nargs=-1)
def command(output: Output, words: tuple[str, ...]) -> None:
    """List every board; or show one in full, with the programs it needs and how to get them.

    A board that is "not yet verified on hardware" was proven up to the wire: its owner can verify it
    with the commands that `edgekit boards show` names.

    \b
    Examples: edgekit boards
              edgekit boards show xiao_esp32s3
    """
    from edgekit import board as boards
    from edgekit.errors import UsageError

    if not words:
        _list(output, [_options.load_board(name) for name in boards.list_ids()])
        return
    board_id = words[-1]
    # `edgekit boards ID` is the short form.
    if board_id == "show" or len(words) > 2 or (len(words) == 2 and words[0] != "show"):
        raise UsageError(
            f"`edgekit boards {' '.join(words)}` is not understood",
            f"say `edgekit boards show {board_id if board_id != 'show' else 'ID'}`",
        )
    _show(output, _options.load_board(board_id), _options.named_board(board_id))


def _list(output: Output, listed: "list[Board]") -> None:
    from dataclasses import asdict

    from edgekit import board as boards
    from edgekit.emulator import runs_on

    width = max(len(item.id) for item in listed)
    output.text(f"{'id':{width}} {'RAM KiB':>7} {'flash KiB':>9}  {'runtimes':13} {'flashed by':10} state")
    for item in listed:
        runs_nowhere = item.emulator is not None and item.emulator.kind is boards.EmulatorKind.NONE
        method = "-" if runs_nowhere else item.flash.method
        output.text(
            f"{item.id:{width}} {_kib(item.memory.ram_bytes):>7} {_kib(item.memory.flash_bytes):>9}  "
            f"{','.join(item.build.runtimes):13} {method:10} {boards.verification(item)}"
        )
    output.result(
        {
            "boards": [
                asdict(item) | {"runs_on": runs_on(item), "verification": boards.verification(item)}
                for item in listed
            ]
        }
    )


def _show(output: Output, found: "Board", named: str) -> None:
    from dataclasses import asdict

    from edgekit import board as boards
    from edgekit.cli._needs import lines, needs

    for line in _tree(asdict(found), 0):
        output.text(line)
    output.text(f"{'verification':22} {boards.verification(found)}")
    commands = _to_verify(found, named)
    for label, words in zip(("verify it", ""), commands, strict=False):
        output.text(f"{label:22} {words}")
    rows = needs(found)
    output.text("needs:")
    for row in rows:
        for line in lines(row):
            output.text(line)
    output.result({"board": asdict(found), "verify": commands, "needs": [asdict(row) for row in rows]})


def _to_verify(board: "Board", named: str) -> list[str]:
    """Return the commands by which the owner of a board verifies it; none for one that runs here."""
    if board.emulator is not None:
        return []
    which = ("--board", *shlex.split(named))  # an id or a file, and perhaps --trust-board
    first = _next.command("flash", *which, "--model", "MODEL")
    if board.flash.method == "arduino":
        first = _next.command("export", "MODEL", "--format", "arduino")
    words = (*which, "--model", "MODEL", "--data", "DATA", "--port", "auto")
    return [first, _next.command("prove", *words)]


def _tree(fields: Mapping[str, object], depth: int) -> list[str]:
    """Return a table of a board file line by line; a table in it is indented below its name."""
    indent, width = "  " * depth, 22 - 2 * depth
    found = []
    for key, value in fields.items():
        if isinstance(value, dict) and value:
            found += [f"{indent}{key}:", *_tree(value, depth + 1)]
        elif isinstance(value, tuple) and value and isinstance(value[0], dict):
            found += [f"{indent}{key}:"]
            for entry in value:
                said = ", ".join(f"{name} {_value(name, inner)}" for name, inner in entry.items())
                found.append(f"{indent}  {said}")
        else:
            found.append(f"{indent}{key:{width}} {_value(key, value)}")
    return found


def _value(key: str, value: object) -> str:
    if isinstance(value, tuple | list):
        return ", ".join(str(item) for item in value) or "-"
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, int) and (key in _IN_HEX or key.endswith(("address", "offset"))):
        return f"{value:#x}"
    return "-" if value in (None, "", {}) else str(value)


def _kib(size: int) -> str:
    from edgekit.board import NO_LIMIT

    return "any" if size == NO_LIMIT else f"{size // 1024:,}"
