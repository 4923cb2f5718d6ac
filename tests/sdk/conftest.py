"""Firmware projects for boards whose vendor's SDK builds them."""

import functools
from collections.abc import Callable
from pathlib import Path

import pytest
import small_models

from edgekit import board, models, pipeline, process, resources, toolchain
from edgekit.firmware import manifest, project
from edgekit.firmware.build import LANGUAGE, WARNINGS
from edgekit.firmware.options import PLAIN, Firmware
from edgekit.firmware.project import defines, include_folders
from edgekit.firmware.protocols.mlperf_tiny import MlperfTiny

LIBC = resources.firmware_templates() / "bare_metal" / "libc"
HERE = Path(__file__).parent


def declarations(target: board.Board) -> Path:
    """Return the folder with declarations of what the firmware uses of the board's SDK."""
    return HERE / target.build.sdk


@pytest.fixture(scope="session")
def write(tmp_path_factory: pytest.TempPathFactory) -> Callable[..., Path]:
    """Return a function that writes the small classifier's project for a board into a folder."""
    path = tmp_path_factory.mktemp("model") / "small.tflite"
    path.write_bytes(small_models.classifier())
    model = models.load_model(path)

    def write_project(
        folder: Path,
        name: str | board.Board,
        firmware: Firmware = PLAIN,
    ) -> Path:
        target = board.load(name) if isinstance(name, str) else name
        generated = pipeline.generate_model(model, target)
        project.write(project.assemble(generated, target, firmware), folder)
        return folder

    return write_project


@pytest.fixture(scope="session")
def link(write: Callable[..., Path], tmp_path_factory: pytest.TempPathFactory) -> Callable[..., Path]:
    """Return a function that compiles and links a board's firmware without its SDK, once for each kind."""

    @functools.cache
    def link_project(name: str, kind: str = "edgekit") -> Path:
        target = board.load(name)
        out = tmp_path_factory.mktemp(f"{name}-{kind}")
        kinds = {"mlperf_tiny": Firmware(MlperfTiny("ic01")), "debug": Firmware(debug=True)}
        folder = write(out / "project", target, kinds.get(kind, PLAIN))
        compiler = toolchain.find(target.soc.isa, target.build.compilers)
        objects = _compile(folder, target, compiler, out)
        own = folder / "edgekit.ld"
        script = own if own.is_file() else declarations(target) / "linker.ld"
        # Debian's libgcc for ARC is code for another processor; that for the Cortex-M55 divides 64 bits.
        libraries = ["-lgcc"] if target.soc.isa == "cortex_m" else []
        command = [*compiler.command, *target.build.cflags, *map(str, objects), *target.build.ldflags]
        process.run([*command, "-T", str(script), *libraries, "-o", str(out / "firmware.elf")])
        return out / "firmware.elf"

    return link_project


def _compile(folder: Path, target: board.Board, compiler: toolchain.Compiler, out: Path) -> list[Path]:
    """Compile every C file of a project, the stand-in for the SDK and the five string functions."""
    found = manifest.read(folder)
    assert found is not None
    places = [*(folder / name for name in include_folders(found.files)), declarations(target), LIBC]
    common = [*compiler.command, *LANGUAGE, *WARNINGS, *target.build.cflags, *defines(found.debug)]
    common += [f"-I{place}" for place in places]
    objects = []
    sources = {name.removesuffix(".c"): folder / name for name in found.sources}
    sources |= {"sdk": declarations(target) / "link" / "sdk.c", "memory": LIBC / "memory.c"}
    for name, source in sources.items():
        output = out / f"{name}.o"
        output.parent.mkdir(parents=True, exist_ok=True)
        process.run([*common, "-c", str(source), "-o", str(output)])
        objects.append(output)
    return objects
