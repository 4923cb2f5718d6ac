"""Programs of the tests' own on the emulated boards; start-up, C library and kernels are the firmware's.

The program's `main` stands in the place of the firmware's main, application and serial protocol. It finds
the file `input.bin` and makes `output.bin`.
"""

import hashlib
import json
import subprocess
import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path

import small_models

from edgekit import contract
from edgekit.board import Board, TickUnit
from edgekit.codegen.generator import generate
from edgekit.emulator import ending, qemu
from edgekit.errors import EdgekitError
from edgekit.firmware import build as firmware
from edgekit.firmware import manifest, project
from edgekit.firmware.image import FirmwareImage
from edgekit.graph import tflite
from edgekit.ops.step import Step

_REPLACED = {"main.c", "batch.c", "app/ek_app.c", "app/ek_classify.c"}
_RUN_S = 120


def build(
    sources: Mapping[str, bytes],
    steps: Sequence[Step],
    board: Board,
    folder: Path,
    cflags: Sequence[str] = (),
) -> FirmwareImage:
    """Return the image of `sources`, by file name, with the kernels of `steps`; `folder` keeps objects."""
    graph = tflite.parse(small_models.classifier())
    whole = replace(generate(graph, contract.of(graph)), files={}, steps=tuple(steps))
    made = project.assemble(whole, board, debug=True)
    files = {name: content for name, content in made.files.items() if name not in _REPLACED} | dict(sources)
    fields = json.loads(made.manifest)
    fields["files"] = {name: hashlib.sha256(content).hexdigest() for name, content in files.items()}
    project.write(replace(made, files=files, manifest=manifest.to_json(fields)), folder)
    return firmware.build(folder, board, cflags=cflags, jobs=1)


def run(image: FirmwareImage, board: Board, content: bytes) -> tuple[bytes, str]:
    """Return what the program wrote before it ended, and why it ended if that was not by itself."""
    # No instructions are counted here, and QEMU is faster without.
    uncounted = replace(board, ticks=replace(board.ticks, unit=TickUnit.MICROSECONDS))
    with tempfile.TemporaryDirectory(prefix="edgekit-") as name, tempfile.TemporaryFile() as errors:
        folder = Path(name)
        (folder / "input.bin").write_bytes(content)
        output = folder / "output.bin"
        machine = qemu.find(board.emulator)
        process = machine.start(uncounted, image.path, ["-serial", "none"], errors, folder=folder)
        problem = ""
        try:
            code = process.wait(_RUN_S)
            ending.check(image, board, code, ending.last_lines(errors))
            problem = f"QEMU was ended by signal {-code}" if code else ""
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
            problem = f"it was not ready after {_RUN_S} s"
        except EdgekitError as error:
            problem = error.message
        return output.read_bytes() if output.exists() else b"", problem
