"""The boards with an ESP32-S3: their projects, and compiling them here without ESP-IDF."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import small_models
from tflite_builder import Node, Value, build_graph

from edgekit import board as boards
from edgekit import contract, process, resources, toolchain
from edgekit.board import Board
from edgekit.codegen import budget
from edgekit.codegen.generator import GeneratedModel, generate
from edgekit.firmware import build, layout, project
from edgekit.firmware.layout import Section
from edgekit.firmware.options import PLAIN, Firmware
from edgekit.graph import tflite
from edgekit.graph.ir import Graph

IDS = tuple(name for name in boards.list_ids() if "esp32s3" in name)
WITH_CAMERA = tuple(name for name in IDS if boards.load(name).camera is not None)
DECLARATIONS = Path(__file__).parent / "sdk" / "esp_idf"
_LINKED = ("-nostdlib", "-static", "-Wl,--gc-sections", "-Wl,--build-id=none", "-e", "main", "-lgcc")


def images(side: int = 64, channels: int = 3) -> bytes:
    """Return a model of square images whose arena is large: CONV_2D, MEAN, FULLY_CONNECTED."""
    rng = np.random.default_rng(5)
    per_channel = (0.01,) * 8
    kernel = rng.integers(-127, 128, (8, 3, 3, channels))
    values = [
        Value((1, side, side, channels), scales=(1 / 255,), zero_points=(-128,)),
        Value((8, 3, 3, channels), scales=per_channel, zero_points=(0,) * 8, data=kernel),
        Value((8,), "int32", scales=(0.01 / 255,) * 8, zero_points=(0,) * 8, data=rng.integers(-999, 999, 8)),
        Value((1, side, side, 8), scales=(0.02,), zero_points=(-128,)),
        Value((2,), "int32", data=np.array([1, 2])),
        Value((1, 8), scales=(0.01,), zero_points=(-128,)),
        Value((4, 8), scales=(0.02,), zero_points=(0,), data=rng.integers(-127, 128, (4, 8))),
        Value((4,), "int32", scales=(0.0002,), zero_points=(0,), data=rng.integers(-99, 99, 4)),
        Value((1, 4), scales=(0.05,), zero_points=(3,)),
    ]
    same = {"padding": "SAME", "stride_w": 1, "stride_h": 1, "fused_activation_function": "RELU"}
    nodes = [
        Node("CONV_2D", [0, 1, 2], [3], same),
        Node("MEAN", [3, 4], [5], {"keep_dims": False}),
        Node("FULLY_CONNECTED", [5, 6, 7], [8]),
    ]
    return build_graph(values, nodes, inputs=[0], outputs=[8])


def write(
    board: Board,
    folder: Path,
    firmware: Firmware = PLAIN,
    *,
    data: bytes | None = None,
) -> project.FirmwareProject:
    """Generate the project of a model (a small one unless `data` is given) into a folder."""
    graph, generated = generated_of(data)
    found = budget.check(generated, graph, board, camera=firmware.camera)
    made = project.assemble(generated, board, firmware, external=found.moved)
    project.write(made, folder)
    return made


def generated_of(data: bytes | None = None) -> tuple[Graph, GeneratedModel]:
    """Return a model as a graph and as C."""
    graph = tflite.parse(small_models.classifier() if data is None else data)
    return graph, generate(graph, contract.of(graph))


def small_inside(name: str, ram_bytes: int) -> Board:
    """Return a board with less internal memory than it has."""
    board = boards.load(name)
    return replace(board, memory=replace(board.memory, ram_bytes=ram_bytes))


def compile_all(board: Board, made: project.FirmwareProject, folder: Path) -> dict[str, Path]:
    """Compile every source of a project for its instruction set, with every warning an error."""
    compiler = toolchain.find(board.soc.isa, board.build.compilers)
    libc = resources.firmware_templates() / "bare_metal" / "libc"
    headers = [
        *(folder / name for name in project.include_folders(made.files)),
        DECLARATIONS / "include",
        libc,
    ]
    flags = [*build.LANGUAGE, *build.WARNINGS, *board.build.cflags, *(f"-I{path}" for path in headers)]
    sources = {name: folder / name for name in made.files if name.endswith(".c")}
    extra = (
        DECLARATIONS / "portable_main.c",
        resources.firmware_templates() / "xtensa_qemu" / "arithmetic.c",
        libc / "memory.c",
    )
    objects = {}
    for name, path in (sources | {path.name: path for path in extra}).items():
        objects[name] = folder / f"{name.replace('/', '.')}.o"
        process.run([*compiler.command, *flags, "-c", str(path), "-o", str(objects[name])])
    return objects


def link_portable(board: Board, objects: dict[str, Path], folder: Path) -> tuple[Section, ...]:
    """Link all but the port of ESP-IDF into the board's regions, and return what takes memory."""
    compiler = toolchain.find(board.soc.isa, board.build.compilers)
    script, elf = folder / "portable.ld", folder / "portable.elf"
    script.write_text(_script(board), "utf-8")
    inputs = [str(path) for name, path in objects.items() if not name.startswith("main/")]
    process.run([*compiler.command, "-T", str(script), *inputs, *_LINKED, "-o", str(elf)])
    return layout.read_sections(elf.read_bytes(), str(elf))


def _script(board: Board) -> str:
    """Return a linker script with the names of ESP-IDF's sections and the regions of the board file."""
    memory = "\n".join(f"  {r.name} : ORIGIN = {r.origin}, LENGTH = {r.bytes}" for r in board.memory.regions)
    return f"""MEMORY
{{
{memory}
}}
SECTIONS
{{
  .flash.text : {{ *(.literal .text .literal.* .text.*) }} > flash_code
  .flash.rodata : {{ *(.rodata .rodata.*) }} > flash_data
  .ext_ram.bss (NOLOAD) : {{ *(.ext_ram.bss .ext_ram.bss.*) }} > flash_data
  .dram0.data : {{ *(.data .data.*) }} > dram
  .dram0.bss (NOLOAD) : {{ *(.bss .bss.* COMMON) }} > dram
}}
"""
