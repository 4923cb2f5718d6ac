"""Programs of our own on emulated boards: in the place of the firmware's main, application and protocol.

Start-up, C library, exceptions and linker script are the board's own; edgekit's own build makes the image.
"""

import hashlib
import json
import subprocess
import tempfile
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

from edgekit.board import Board, TickUnit
from edgekit.codegen.generator import GeneratedModel
from edgekit.emulator import ending, qemu
from edgekit.errors import ToolError
from edgekit.firmware import build, manifest, project
from edgekit.firmware.image import FirmwareImage
from edgekit.firmware.options import Firmware

_REPLACED = {"main.c", "batch.c", "app/ek_app.c", "app/ek_classify.c"}


def program(
    model: GeneratedModel, board: Board, files: Mapping[str, bytes], level: str, folder: Path
) -> FirmwareImage:
    """Build `files`, one of which defines main, with the debug firmware of a model, at `-O<level>`.

    `folder` keeps the project, and with it the objects that the next program shares.
    """
    made = project.assemble(model, board, Firmware(debug=True))
    whole = {name: content for name, content in made.files.items() if name not in _REPLACED} | files
    fields = json.loads(made.manifest)
    fields["files"] = {name: hashlib.sha256(content).hexdigest() for name, content in whole.items()}
    project.write(replace(made, files=whole, manifest=manifest.to_json(fields)), folder)
    return build.build(folder, board, cflags=[f"-O{level}"], jobs=1)


def run(image: FirmwareImage, board: Board, folder: Path, timeout_s: float) -> str:
    """Run a program to its end, with its files in `folder`; return what it printed.

    Raises:
        FaultError: it crashed.
        ToolError: it gave up, was ended, or was not ready in time.
    """
    # No instructions are counted here, and QEMU is faster without.
    uncounted = replace(board, ticks=replace(board.ticks, unit=TickUnit.MICROSECONDS))
    with tempfile.TemporaryFile() as errors:
        process = qemu.find(board.emulator).start(
            uncounted, image.path, ["-serial", "none"], errors, folder=folder
        )
        try:
            code = process.wait(timeout_s)
        except subprocess.TimeoutExpired as error:
            raise ToolError(f"'{board.id}' was not ready after {timeout_s:g} s") from error
        finally:
            process.kill()
            process.wait()
        said = ending.last_lines(errors)
        ending.check(image, board, code, said)
        if code != 0:
            raise ToolError(f"QEMU was ended by signal {-code} on '{board.id}'")
        return said
