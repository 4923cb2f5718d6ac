"""The firmware of the Himax boards, without Himax's SDKs: compiled against declarations of what it uses of them,
linked into the boards' memories, and its ports run on this machine against drivers that behave as the SDKs' do."""

import subprocess
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

from edgekit import board, process, resources, toolchain
from edgekit.errors import DoesNotFitError
from edgekit.firmware import layout, manifest, mlperf_tiny
from edgekit.firmware.build import LANGUAGE, WARNINGS
from edgekit.firmware.project import defines, include_folders

HERE = Path(__file__).parent
BOARDS = ("grove_vision_ai", "grove_vision_ai_v2", "sensecap_a1101")
IDENTITY = mlperf_tiny.Identity("ic01", "edgekit")


def declarations(target: board.Board) -> Path:
    return HERE / target.build.sdk


def compile_all(folder: Path, target: board.Board, out: Path) -> list[Path]:
    """Compile every C file of a project, the stand-in for the SDK and the five string functions."""
    found = manifest.read(folder)
    assert found is not None
    compiler = toolchain.find(target.soc.isa, target.build.compilers)
    libc = resources.firmware_templates() / "bare_metal" / "libc"
    places = [*(folder / name for name in include_folders(found.files)), declarations(target), libc]
    common = [*compiler.command, *LANGUAGE, *WARNINGS, *target.build.cflags, *defines(found.debug)]
    common += [f"-I{place}" for place in places]
    objects = []
    sources = {name.removesuffix(".c"): folder / name for name in found.sources}
    sources |= {"sdk": declarations(target) / "link" / "sdk.c", "memory": libc / "memory.c"}
    for name, source in sources.items():
        output = out / f"{name}.o"
        output.parent.mkdir(parents=True, exist_ok=True)
        process.run([*common, "-c", str(source), "-o", str(output)])
        objects.append(output)
    return objects


def link(folder: Path, target: board.Board, out: Path) -> tuple[layout.Section, ...]:
    objects = compile_all(folder, target, out)
    compiler = toolchain.find(target.soc.isa, target.build.compilers)
    own = folder / "edgekit.ld"
    script = own if own.is_file() else declarations(target) / "linker.ld"
    # Debian's libgcc for ARC is code for another processor; that for the Cortex-M55 divides 64 bits.
    libraries = ["-lgcc"] if target.soc.isa == "cortex_m" else []
    command = [*compiler.command, *target.build.cflags, *map(str, objects), *target.build.ldflags]
    process.run([*command, "-T", str(script), *libraries, "-o", str(out / "firmware.elf")])
    return layout.read_sections((out / "firmware.elf").read_bytes(), "firmware.elf")


@pytest.mark.parametrize("name", BOARDS)
@pytest.mark.parametrize("kind", ["edgekit", "debug", "mlperf_tiny"])
def test_compiles_links_and_fits(write: Callable[..., Path], tmp_path: Path, name: str, kind: str) -> None:
    target = board.load(name)
    mlperf = IDENTITY if kind == "mlperf_tiny" else None
    folder = write(tmp_path / "project", target, debug=kind == "debug", mlperf=mlperf)
    sections = link(folder, target, tmp_path / "out")
    layout.check(sections, target)
    used = {item.region: item.used for item in layout.usage(sections, target)}
    large = "sram" if name.endswith("v2") else "system0"
    code = "itcm" if name.endswith("v2") else "iccm1"
    assert 2_000 < used[code] < 32_000
    # Two frames of 8x8x3 bytes, the arena and the weights at least.
    assert used[large] > 2 * 192 + 768
    if kind != "mlperf_tiny":
        assert used["dtcm" if name.endswith("v2") else "system0"] > target.build.rx_window_bytes


def test_weights_and_activations_of_the_v2_are_in_its_large_memory(
    write: Callable[..., Path], tmp_path: Path
) -> None:
    target = board.load("grove_vision_ai_v2")
    sections = link(write(tmp_path / "project", target), target, tmp_path / "out")
    places = {section.name: section.address for section in sections}
    sram = next(region for region in target.memory.regions if region.name == "sram")
    for name in (".algo", ".activations"):
        assert sram.origin <= places[name] < sram.origin + sram.bytes
    # Above the second bootloader (0x3401F000 and 0x18000 bytes), which runs while it loads them.
    assert sram.origin >= 0x3401F000 + 0x18000
    assert sram.origin + sram.bytes == 0x34200000
    assert places[".bss"] >> 28 == 3  # tightly coupled: DMA and the processor see the same bytes


@pytest.mark.parametrize("name", BOARDS)
def test_what_is_too_large_for_a_region_is_found(
    write: Callable[..., Path], tmp_path: Path, name: str
) -> None:
    target = board.load(name)
    sections = link(write(tmp_path / "project", target), target, tmp_path / "out")
    for region in target.memory.regions:
        used = next(item.used for item in layout.usage(sections, target) if item.region == region.name)
        if used:
            regions = tuple(
                replace(r, bytes=used - 4) if r.name == region.name else r for r in target.memory.regions
            )
            small = replace(target, memory=replace(target.memory, regions=regions))
            with pytest.raises(DoesNotFitError, match=f"the region '{region.name}'"):
                layout.check(sections, small)


@pytest.mark.parametrize("name", ["grove_vision_ai", "grove_vision_ai_v2"])
def test_the_port_runs_against_a_driver_like_the_sdks(
    write: Callable[..., Path], tmp_path: Path, name: str
) -> None:
    target = board.load(name)
    folder = write(tmp_path / "project", target)
    drive = declarations(target) / "host" / "drive.c"
    places = (folder, folder / "app", declarations(target))
    sanitize = ("-g", "-O1", "-fsanitize=address,undefined", "-fno-sanitize-recover=all")
    command = ["gcc", *LANGUAGE, "-Wall", "-Wextra", "-Werror", *sanitize, *(f"-I{p}" for p in places)]
    process.run([*command, str(drive), str(folder / "port.c"), "-o", str(tmp_path / "drive")])
    done = subprocess.run([tmp_path / "drive"], capture_output=True, text=True, check=False, timeout=60)
    assert (done.stdout, done.stderr, done.returncode) == ("ok\n", "", 0)


def test_the_mlperf_tiny_protocol_has_its_own_baud_rate(write: Callable[..., Path], tmp_path: Path) -> None:
    for name in ("grove_vision_ai", "grove_vision_ai_v2"):
        port = (write(tmp_path / name, name, mlperf=IDENTITY) / "port.c").read_text()
        assert f"#define BAUD {mlperf_tiny.BAUD}u" in port


@pytest.mark.parametrize("name", BOARDS)
def test_the_makefile_fragment_lists_every_folder_once(
    write: Callable[..., Path], tmp_path: Path, name: str
) -> None:
    folder = write(tmp_path / "project", name, debug=True)
    fragment = "edgekit.mk" if name.endswith("v2") else "app.mk"
    probe = tmp_path / "probe.mk"
    root = "APP_TYPE" if name.endswith("v2") else "APP_ROOT"
    probe.write_text(f"{root} = here\ninclude {folder / fragment}\nall: ; @echo $(SCENARIO_APP_SUPPORT_LIST)\n")
    said = process.run(["make", "-s", "-f", str(probe), "all"]).split()
    holding = {p.parent.relative_to(folder).as_posix() for p in folder.rglob("*.[ch]")} - {"."}
    assert sorted(set(said) - {"here"}) == sorted(f"here/{name}" for name in holding)
    assert len(said) == len(set(said))
    probe.write_text(probe.read_text() + "flags: ; @echo $(APPL_DEFINES)\n")
    assert "-DEK_TRACE=1" in process.run(["make", "-s", "-f", str(probe), "flags"])
