"""`edgekit boards`: the boards that edgekit knows, and what each is."""

import click

from edgekit.cli._app import command as make_command
from edgekit.cli._output import Output


@make_command(short_help="List the boards, or show one.")
@click.argument("board_id", metavar="[ID|FILE]", required=False)
def command(output: Output, board_id: str | None) -> None:
    """List every board, or show one board in full.

    \b
    Examples: edgekit boards
              edgekit boards host
    """
    from dataclasses import asdict

    from edgekit import board as boards

    if board_id is not None:
        found = boards.load(board_id)
        for key, value in asdict(found).items():
            if isinstance(value, dict):
                output.text(f"{key}:")
                for name, inner in value.items():
                    output.text(f"  {name:20} {_show(inner)}")
            else:
                output.text(f"{key:22} {_show(value)}")
        output.result({"board": asdict(found)})
        return
    listed = [boards.load(name) for name in boards.list_ids()]
    output.text(f"{'id':18} {'RAM':>10} {'flash':>10}  {'runtime':9} {'flashed by':11} name")
    for item in listed:
        output.text(
            f"{item.id:18} {_kib(item.memory.ram_bytes):>10} {_kib(item.memory.flash_bytes):>10}  "
            f"{item.build.runtime:9} {item.flash.method:11} {item.name}"
        )
    output.result({"boards": [asdict(item) for item in listed]})


def _kib(size: int) -> str:
    return f"{size // 1024:,} KiB"


def _show(value: object) -> str:
    if isinstance(value, tuple | list):
        return ", ".join(str(v) for v in value) or "-"
    return "-" if value in (None, "") else str(value)
