"""The firmware of the Himax boards, without Himax's SDKs.

It is compiled against declarations of what it uses of them and linked into the boards' memories, and its
ports run on this machine against drivers that behave as the SDKs' do.
"""

import subprocess
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import jinja2
import pytest
from sdk.conftest import declarations

from edgekit import board, process, resources, toolchain
from edgekit.errors import DoesNotFitError
from edgekit.firmware import layout
from edgekit.firmware.build import LANGUAGE, WARNINGS
from edgekit.firmware.options import Firmware
from edgekit.firmware.protocols.mlperf_tiny import MlperfTiny

Link = Callable[..., Path]

BOARDS = ("grove_vision_ai", "grove_vision_ai_v2", "sensecap_a1101")
KINDS = (
    *((name, "edgekit") for name in BOARDS),
    ("grove_vision_ai", "debug"),
    ("grove_vision_ai", "mlperf_tiny"),
    ("grove_vision_ai_v2", "debug"),
    ("grove_vision_ai_v2", "mlperf_tiny"),
)


def sections_of(elf: Path) -> tuple[layout.Section, ...]:
    return layout.read_sections(elf.read_bytes(), elf.name)


@pytest.mark.parametrize(("name", "kind"), KINDS)
def test_compiles_without_a_warning_links_and_fits(link: Link, name: str, kind: str) -> None:
    target = board.load(name)
    sections = sections_of(link(name, kind))
    layout.check(sections, target)
    used = {item.region: item.used for item in layout.usage(sections, target)}
    code, small, large = ("itcm", "dtcm", "sram") if name.endswith("v2") else ("iccm1", "system0", "system0")
    assert 2_000 < used[code] < 32_000
    assert used[large] > 2 * 192 + 768  # two frames and the arena
    assert used[small] > target.build.rx_window_bytes


def test_weights_and_activations_of_the_v2_are_in_its_large_memory(link: Link) -> None:
    target = board.load("grove_vision_ai_v2")
    places = {section.name: section.address for section in sections_of(link(target.id))}
    sram = next(region for region in target.memory.regions if region.name == "sram")
    for name in (".algo", ".activations"):
        assert sram.origin <= places[name] < sram.origin + sram.bytes
    # Above the second bootloader (0x3401F000 and 0x18000 bytes), which runs while it loads them.
    assert sram.origin >= 0x3401F000 + 0x18000
    assert sram.origin + sram.bytes == 0x34200000
    assert places[".bss"] >> 28 == 3  # tightly coupled: DMA and the processor see the same bytes


@pytest.mark.parametrize("name", BOARDS)
def test_what_is_too_large_for_a_region_is_found(link: Link, name: str) -> None:
    target = board.load(name)
    sections = sections_of(link(name))
    for item in layout.usage(sections, target):
        if item.used:
            regions = tuple(
                replace(r, bytes=item.used - 4) if r.name == item.region else r for r in target.memory.regions
            )
            small = replace(target, memory=replace(target.memory, regions=regions))
            with pytest.raises(DoesNotFitError, match=f"the region '{item.region}'"):
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
        port = (write(tmp_path / name, name, Firmware(MlperfTiny("ic01"))) / "port.c").read_text()
        assert f"#define BAUD {MlperfTiny.baud}u" in port


def render(name: str, runtime: board.Runtime) -> str:
    """Return a template of the V2 as it is filled in for a runtime, whatever the model."""
    target = board.load("grove_vision_ai_v2")
    target = replace(target, build=replace(target.build, runtime=runtime))
    template = resources.firmware_templates() / "himax_we2" / name
    sources = ["main.c", "model/ek_tflm.cc", "model/model_data.c", "runtime/src/ref/ek_x.c"]
    return jinja2.Template(template.read_text(), undefined=jinja2.StrictUndefined).render(
        board=target, version="0", sources=sources, include_folders=(".", "app", "model"), defines=()
    )


@pytest.mark.parametrize(
    ("runtime", "library", "kernels"),
    [(board.Runtime.COMPILED, "", "0"), (board.Runtime.TFLM, "tflmtag2412_u55tag2411", "1")],
)
def test_the_v2s_makefile_fragment_names_the_library_of_its_runtime(
    tmp_path: Path, runtime: board.Runtime, library: str, kernels: str
) -> None:
    makefile = tmp_path / "makefile"
    show = "@echo '$(LIB_SEL)/$(LIB_CMSIS_NN_ENALBE)/$(SCENARIO_APP_SUPPORT_LIST)'"
    fragment = render("edgekit.mk.j2", runtime)
    makefile.write_text(f"APP_TYPE = e\nLIB_CMSIS_NN_ENALBE = 1\n{fragment}\nall: ; {show}\n")
    said = process.run(["make", "-s", "-f", str(makefile)]).strip()
    assert said == f"{library}/{kernels}/e e/app e/model e/runtime/src/ref"


def test_the_v2_starts_its_npu_where_something_runs_on_it(tmp_path: Path) -> None:
    target = board.load("grove_vision_ai_v2")
    compiler = toolchain.find(target.soc.isa, target.build.compilers)
    folders = (declarations(target), resources.firmware_templates() / "app")
    for runtime in board.Runtime:
        text = render("main.c.j2", runtime)
        assert ("ethosu_init(" in text) == (runtime is board.Runtime.TFLM)
        assert text.startswith("/* The SDK")
        (tmp_path / "main.c").write_text(text)
        command = [
            *compiler.command,
            *LANGUAGE,
            *WARNINGS,
            *target.build.cflags,
            *(f"-I{f}" for f in folders),
        ]
        process.run([*command, "-c", str(tmp_path / "main.c"), "-o", str(tmp_path / "main.o")])
