"""`edgekit boards`: the boards that edgekit knows, and what each is."""

import click

from edgekit.cli._app import command as make_command
from edgekit.cli._output import Output


@make_command(short_help="List the boards, or show one.")
@click.argument("words", metavar="[show ID|FILE]", nargs=-1)
def command(output: Output, words: tuple[str, ...]) -> None:
    """List every board; or show one in full, with the programs it needs and how to get them.

    A board that is "not yet verified on hardware" was proven up to the wire: its owner can verify it
    with the command that `edgekit boards show` names.

    \b
    Examples: edgekit boards
              edgekit boards show xiao_esp32s3
    """
    from dataclasses import asdict

    from edgekit import board as boards
    from edgekit.cli._needs import needs
    from edgekit.emulator import runs_on
    from edgekit.errors import UsageError

    if words:
        board_id = words[-1]
        # `edgekit boards ID` is the short form.
        if board_id == "show" or len(words) > 2 or (len(words) == 2 and words[0] != "show"):
            raise UsageError(
                f"`edgekit boards {' '.join(words)}` is not understood",
                f"say `edgekit boards show {board_id if board_id != 'show' else 'ID'}`",
            )
        found = boards.load(board_id)
        for key, value in asdict(found).items():
            if isinstance(value, dict):
                output.text(f"{key}:")
                for name, inner in value.items():
                    output.text(f"  {name:20} {_show(inner)}")
            else:
                output.text(f"{key:22} {_show(value)}")
        output.text(f"{'verification':22} {boards.verification(found)}")
        if found.emulator is None:
            output.text(
                f"{'verify it':22} edgekit prove --board {board_id} --port auto --model MODEL --data DATA"
            )
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
    output.text(f"{'id':24} {'RAM':>10} {'flash':>10}  {'runtimes':14} {'flashed by':11} {'state':28} name")
    for item in listed:
        state = boards.verification(item)
        output.text(
            f"{item.id:24} {_kib(item.memory.ram_bytes):>10} {_kib(item.memory.flash_bytes):>10}  "
            f"{','.join(item.build.runtimes):14} {item.flash.method:11} {state:28} {item.name}"
        )
    output.result(
        {
            "boards": [
                asdict(item) | {"runs_on": runs_on(item), "verification": boards.verification(item)}
                for item in listed
            ]
        }
    )


def _kib(size: int) -> str:
    return f"{size // 1024:,} KiB"


def _show(value: object) -> str:
    if isinstance(value, tuple | list):
        return ", ".join(map(_show, value)) or "-"
    if isinstance(value, dict):
        return " ".join(f"{key}={_show(inner)}" for key, inner in value.items()) or "-"
    return "-" if value in (None, "") else str(value)
