"""`edgekit boards`: the boards that edgekit knows, and what each is."""

import click

from edgekit.cli._app import command as make_command
from edgekit.cli._output import Output


@make_command(short_help="List the boards, or show one.")
@click.argument("board_id", metavar="[ID|FILE]", required=False)
def command(output: Output, board_id: str | None) -> None:
    """List every board, or show one board in full, with the programs it needs and how to get them.

    \b
    Examples: edgekit boards
              edgekit boards mps3_an547
    """
    from dataclasses import asdict

    from edgekit import board as boards
    from edgekit.cli._needs import needs
    from edgekit.emulator import runs_on

    if board_id is not None:
        found = boards.load(board_id)
        for key, value in asdict(found).items():
            if isinstance(value, dict):
                output.text(f"{key}:")
                for name, inner in value.items():
                    output.text(f"  {name:20} {_show(inner)}")
            else:
                output.text(f"{key:22} {_show(value)}")
        rows = needs(found)
        output.text("needs:")
        for row in rows:
            output.text(
                f"  {'ok  ' if row.ok else ('MISS' if row.needed else '-   ')} {row.name}: {row.found}"
            )
            if row.hint and not row.ok:
                output.text(f"       -> {row.hint}")
        output.result({"board": asdict(found), "needs": [asdict(row) for row in rows]})
        return
    listed = [boards.load(name) for name in boards.list_ids()]
    output.text(f"{'id':18} {'RAM':>10} {'flash':>10}  {'runtime':9} {'runs on':13} name")
    for item in listed:
        output.text(
            f"{item.id:18} {_kib(item.memory.ram_bytes):>10} {_kib(item.memory.flash_bytes):>10}  "
            f"{item.build.runtime:9} {runs_on(item):13} {item.name}"
        )
    output.result({"boards": [asdict(item) | {"runs_on": runs_on(item)} for item in listed]})


def _kib(size: int) -> str:
    return f"{size // 1024:,} KiB"


def _show(value: object) -> str:
    if isinstance(value, tuple | list):
        return ", ".join(str(v) for v in value) or "-"
    return "-" if value in (None, "") else str(value)
