"""`edgekit build`: compile a firmware project."""

from pathlib import Path

import click

from edgekit.cli import _next, _options
from edgekit.cli._app import command as make_command
from edgekit.cli._output import Output


@make_command(short_help="Compile a firmware project into an image.")
@_options.board
@_options.sdk
@click.option("--compiler", help="The C compiler to use.  [default: as the board file says]")
@click.argument("folder", type=_options.PATH, required=False)
def command(
    output: Output, board: str, sdk_dir: Path | None, compiler: str | None, folder: Path | None
) -> None:
    """Compile the firmware project in FOLDER (default: build/<board>), as `edgekit generate` wrote it.

    Boards of vendors with an SDK are built by its tools, where they are present.

    \b
    Example: edgekit build build/host
    """
    from dataclasses import asdict

    from edgekit.board import EmulatorKind
    from edgekit.firmware import build, layout

    opened = _options.load_board(board)
    folder = _options.firmware_folder(folder, opened.id)
    with output.status("building"):
        image = build.build(folder, opened, compiler=compiler, sdk_dir=_options.sdk_for(opened, sdk_dir))
    for part in layout.usage(image.sections, opened):
        share = part.used / part.available
        output.text(f"  {part.region:18} {part.used:>11,} of {part.available:>11,} B  {share:6.1%}")
    output.text(f"{image.path}: {image.size_bytes:,} B, by {image.compiler}")
    if opened.emulator is None or opened.emulator.kind is not EmulatorKind.NONE:
        _next.say(output, "flash", *_next.board(), "--no-build", folder)
    output.result(
        {
            "board": image.board_id,
            "image": str(image.path),
            "size_bytes": image.size_bytes,
            "compiler": image.compiler,
            "sections": {section.name: section.bytes for section in image.sections},
            "parts": [asdict(part) for part in image.parts],
            "regions": [asdict(part) for part in layout.usage(image.sections, opened)],
            "model_digest": image.model_digest,
            "contract_digest": image.contract_digest,
        }
    )
