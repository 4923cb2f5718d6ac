"""`edgekit build --sdk` over folders that stand in for Himax's SDKs.

Their makefiles and image generators are ours: they read and write the files that the real ones do, under the
same names, and compile with the real cross compilers.
"""

import hashlib
import os
import shutil
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

from edgekit import board, process, resources
from edgekit.errors import DoesNotFitError, OutputError, ProjectError, ToolError, UsageError
from edgekit.firmware import build as building
from edgekit.firmware.image import FirmwareImage
from edgekit.firmware.options import Firmware

HERE = Path(__file__).parent
LIBC = resources.firmware_templates() / "bare_metal" / "libc"
BOARDS = ("grove_vision_ai", "grove_vision_ai_v2", "sensecap_a1101")
TOOL = {
    "himax_we1": "tools/image_gen_cstm/image_gen_cstm_gnu",
    "himax_we2": "we2_image_gen_local/we2_local_image_gen",
}
COMPILER = {"himax_we1": "arc-elf32-gcc", "himax_we2": "arm-none-eabi-gcc"}
SOURCES = {"himax_we1": "himax_we1_sdk/sdk.c", "himax_we2": "EPII_CM55M_APP_S/device/sdk.c"}
ELF = {
    "himax_we1": "obj_socket_24/gnu_arcem9d_wei_r16/WEI_FW_gnu_arcem9d_wei_r16.elf",
    "himax_we2": "obj_epii_evb_icv30_bdv10/gnu_epii_evb_WLCSP65/EPII_CM55M_gnu_epii_evb_WLCSP65_s.elf",
}
SCRIPT = "components/linker/grove_vision_ai.ld"

Write = Callable[..., Path]


def put(source: Path, target: Path, *, program: bool = False) -> None:
    target.parent.mkdir(parents=True, exist_ok=True)
    shutil.copyfile(source, target)
    target.chmod(0o755 if program else 0o644)


def text(target: Path, content: str = "") -> None:
    target.parent.mkdir(parents=True, exist_ok=True)
    target.write_text(content)


def make_we1(sdk: Path) -> Path:
    ours = HERE / "himax_we1"
    put(ours / "tree" / "makefile", sdk / "makefile")
    put(ours / "tree" / "image_gen_cstm_gnu", sdk / TOOL["himax_we1"], program=True)
    put(ours / "tree" / "image_gen_cstm_gnu", sdk / "tools/image_gen_cstm/sign_tool", program=True)
    text(sdk / "tools/image_gen_cstm/input/Loader_config.bin")
    text(sdk / "himax_we1_sdk/options/options.mk")
    for header in ours.glob("*.h"):
        put(header, sdk / "himax_we1_sdk" / "inc" / header.name)
    put(LIBC / "string.h", sdk / "himax_we1_sdk" / "inc" / "string.h")
    put(LIBC / "memory.c", sdk / "himax_we1_sdk" / "memory.c")
    put(ours / "link" / "sdk.c", sdk / SOURCES["himax_we1"])
    for hw in ("grove_vision_ai", "sensecap_vision_ai"):
        put(ours / "linker.ld", sdk / "components" / "linker" / f"{hw}.ld")
    text(sdk / "examples/fomo/app.mk", "# somebody else's\n")
    return sdk


def make_we2(sdk: Path) -> Path:
    ours, source = HERE / "himax_we2", sdk / "EPII_CM55M_APP_S"
    put(ours / "tree" / "makefile", source / "makefile")
    put(ours / "tree" / "we2_local_image_gen", sdk / TOOL["himax_we2"], program=True)
    text(sdk / "we2_image_gen_local/project_case1_blp_wlcsp.json", "{}\n")
    text(sdk / "we2_image_gen_local/input_case1_secboot/json/partition.json", "{}\n")
    for header in ours.glob("*.h"):
        put(header, source / "drivers" / "inc" / header.name)
    put(LIBC / "string.h", source / "drivers" / "inc" / "string.h")
    put(LIBC / "memory.c", source / "device" / "memory.c")
    put(ours / "link" / "sdk.c", sdk / SOURCES["himax_we2"])
    text(source / "prebuilt_libs/gnu/libdriver.a", "!<arch>\n")
    text(source / "app/scenario_app/allon_sensor_tflm/allon_sensor_tflm.mk", "# somebody else's\n")
    text(source / "app/main.c", "/* no application that is known */\n")
    return sdk


def make_sdk(name: str, folder: Path) -> Path:
    return make_we1(folder) if name == "himax_we1" else make_we2(folder)


def state(folder: Path) -> dict[str, str]:
    """Return what stands in each file of a folder, and may be done with it."""
    files = (path for path in sorted(folder.rglob("*")) if path.is_file())
    return {f"{p} {p.stat().st_mode:o}": hashlib.sha256(p.read_bytes()).hexdigest() for p in files}


@pytest.fixture(autouse=True)
def arc_elf32_gcc(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Put Debian's compiler for ARC on PATH under the name of the one that the SDK asks for."""
    real = process.find("arc-linux-gnu-gcc")
    assert real is not None
    program = tmp_path / "bin" / "arc-elf32-gcc"
    text(program, f'#!/bin/sh\nexec {real} "$@"\n')
    program.chmod(0o755)
    monkeypatch.setenv("PATH", f"{program.parent}{os.pathsep}{os.environ['PATH']}")


class Case:
    """A board, its project and its SDK in one folder."""

    def __init__(self, write: Write, folder: Path, name: str) -> None:
        self.board = board.load(name)
        self.project = write(folder / "project", name)
        self.sdk = make_sdk(self.board.build.sdk, folder / "sdk")

    def build(self) -> FirmwareImage:
        return building.build(self.project, self.board, sdk_dir=self.sdk)

    def link_at_once(self, elf: Path) -> None:
        """Let the SDK's make take firmware that was linked before: for tests of what comes after it."""
        place = "." if self.board.build.sdk == "himax_we1" else "EPII_CM55M_APP_S"
        target = ELF[self.board.build.sdk]
        recipe = f"all: ; @mkdir -p {target.rpartition('/')[0]}; cp {elf} {target}\n"
        text(self.sdk / place / "makefile", recipe)

    @property
    def tool(self) -> Path:
        return self.sdk / TOOL[self.board.build.sdk]


@pytest.fixture(params=["grove_vision_ai", "grove_vision_ai_v2"])
def case(request: pytest.FixtureRequest, write: Write, tmp_path: Path) -> Case:
    return Case(write, tmp_path, request.param)


@pytest.fixture
def linked(case: Case, link: Callable[..., Path]) -> Case:
    """Return a case whose SDK does not compile."""
    case.link_at_once(link(case.board.id))
    return case


@pytest.mark.parametrize("name", BOARDS)
def test_builds_and_leaves_the_sdk_as_it_was(write: Write, tmp_path: Path, name: str) -> None:
    case = Case(write, tmp_path, name)
    before = state(case.sdk)
    image = case.build()
    assert state(case.sdk) == before
    assert image == building.load_image(case.project, case.board)
    assert image.path == case.project / "output.img"
    content = image.path.read_bytes()
    assert content[:3] == b"IMG" and content[4:8] == b"\x7fELF"
    assert image.size_bytes == len(content)
    assert image.sha256 == hashlib.sha256(content).hexdigest()
    assert "gcc" in image.compiler.lower()
    assert (image.board_id, image.debug, image.protocol) == (name, False, "edgekit")
    taken = {section.name: section.bytes for section in image.sections}
    assert taken[".text"] > 2_000
    assert taken[".activations" if name.endswith("v2") else ".bss_all"] > 1_000


def test_builds_again_only_what_changed(write: Write, case: Case) -> None:
    first = case.build()
    objects = {p: p.stat().st_mtime_ns for p in (case.project / "obj").rglob("obj_*/**/*.o")}
    assert len(objects) > 10
    assert case.build() == first
    assert {p: p.stat().st_mtime_ns for p in objects} == objects
    write(case.project, case.board, Firmware(debug=True))
    second = case.build()
    assert second.debug and second.project_digest != first.project_digest


def test_another_sdk_starts_afresh(linked: Case, tmp_path: Path) -> None:
    linked.build()
    old, linked.sdk = linked.sdk, make_sdk(linked.board.build.sdk, tmp_path / "other")
    place = linked.project / "obj" / "sdk" / SOURCES[linked.board.build.sdk]
    assert place.resolve().is_relative_to(old)
    shutil.copytree(old, linked.sdk, dirs_exist_ok=True)
    shutil.rmtree(old)
    linked.build()
    assert place.resolve().is_relative_to(linked.sdk)


def test_files_that_the_sdk_no_longer_has_are_not_linked(linked: Case) -> None:
    text(linked.sdk / "NEWS")
    linked.build()
    (linked.sdk / "NEWS").unlink()
    linked.build()
    assert not (linked.project / "obj" / "sdk" / "NEWS").is_symlink()


def test_a_link_in_the_place_of_a_folder_is_replaced(linked: Case, tmp_path: Path) -> None:
    linked.build()
    outside = tmp_path / "outside"
    outside.mkdir()
    (outside / "dangling").symlink_to(tmp_path / "nothing")
    tree = linked.project / "obj" / "sdk"
    for link in [path for path in tree.iterdir() if path.is_dir() and not path.is_symlink()]:
        if not (linked.sdk / link.name).is_dir():
            continue  # what make made
        shutil.rmtree(link)
        link.symlink_to(outside)
    linked.build()
    assert [path.name for path in outside.iterdir()] == ["dangling"]


def test_an_application_of_the_same_name_in_the_sdk_is_left_alone(case: Case) -> None:
    places = {"himax_we1": "examples/edgekit", "himax_we2": "EPII_CM55M_APP_S/app/scenario_app/edgekit"}
    theirs = case.sdk / places[case.board.build.sdk]
    text(theirs / "main.c", "#error not ours\n")
    case.build()
    assert [path.name for path in theirs.iterdir()] == ["main.c"]
    assert theirs.joinpath("main.c").read_text() == "#error not ours\n"


def test_what_make_says_is_shown_and_no_image_is_left(case: Case) -> None:
    case.build()
    source = case.sdk / SOURCES[case.board.build.sdk]
    source.write_text(source.read_text() + "nonsense;\n")
    with pytest.raises(ToolError, match=r"'make' failed(.|\n)*sdk\.c(.|\n)*nonsense") as caught:
        case.build()
    assert "V=0` in" in caught.value.hint
    with pytest.raises(ToolError, match="has not been built"):
        building.load_image(case.project, case.board)


def test_a_region_that_is_too_small_is_the_models_fault(write: Write, tmp_path: Path) -> None:
    case = Case(write, tmp_path, "grove_vision_ai")
    script = case.sdk / SCRIPT
    script.write_text(script.read_text().replace("LENGTH = 0x15f800", "LENGTH = 0x400"))
    with pytest.raises(DoesNotFitError, match="exceeds the region 'system0' by"):
        case.build()


def test_sections_outside_the_boards_memory_are_found(write: Write, tmp_path: Path) -> None:
    case = Case(write, tmp_path, "grove_vision_ai")
    script = case.sdk / SCRIPT
    script.write_text(script.read_text().replace("0x20020800", "0x20000000"))
    with pytest.raises(ToolError, match="where 'grove_vision_ai' has no memory"):
        case.build()


def test_an_image_that_the_bootloader_does_not_take(
    write: Write, link: Callable[..., Path], tmp_path: Path
) -> None:
    case = Case(write, tmp_path, "grove_vision_ai_v2")
    case.link_at_once(link(case.board.id))
    assert case.build().size_bytes > 2_000
    case.board = replace(case.board, memory=replace(case.board.memory, flash_bytes=2_000))
    with pytest.raises(DoesNotFitError, match=r"bootloader of 'grove_vision_ai_v2' takes 2,000"):
        case.build()


class TestWhatIsMissing:
    def test_no_sdk(self, case: Case) -> None:
        with pytest.raises(ToolError, match="no --sdk was given") as caught:
            building.build(case.project, case.board)
        assert "git clone --recursive https://github.com/" in caught.value.hint
        assert "--sdk" in caught.value.hint

    @pytest.mark.parametrize("name", ["grove_vision_ai", "grove_vision_ai_v2"])
    def test_another_folder(self, write: Write, tmp_path: Path, name: str) -> None:
        case = Case(write, tmp_path, name)
        other = "himax_we2" if case.board.build.sdk == "himax_we1" else "himax_we1"
        case.sdk = make_sdk(other, tmp_path / "other")
        with pytest.raises(ToolError, match=r"is not Himax's WE. SDK: it has no ") as caught:
            case.build()
        assert "git clone" in caught.value.hint
        case.sdk = tmp_path / "absent"
        with pytest.raises(ToolError, match="absent' is not"):
            case.build()

    def test_the_compiler(self, case: Case, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setenv("PATH", str(tmp_path))
        wanted = COMPILER[case.board.build.sdk]
        with pytest.raises(ToolError, match=f"'{wanted}' was not found") as caught:
            case.build()
        assert "put its bin folder on PATH" in caught.value.hint

    def test_make(self, case: Case, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        wanted = COMPILER[case.board.build.sdk]
        program = tmp_path / "only" / wanted
        text(program, "#!/bin/sh\necho gcc of a test\n")
        program.chmod(0o755)
        monkeypatch.setenv("PATH", str(program.parent))
        with pytest.raises(ToolError, match="the program 'make' was not found"):
            case.build()

    def test_the_image_generator(self, case: Case) -> None:
        case.tool.unlink()
        with pytest.raises(ToolError, match="image generator is not complete") as caught:
            case.build()
        assert "clone" in caught.value.hint

    def test_leave_to_run_the_image_generator(self, case: Case) -> None:
        case.tool.chmod(0o644)
        with pytest.raises(ToolError, match="may not be run") as caught:
            case.build()
        assert caught.value.hint == f"chmod +x '{case.tool}'"


class TestTheImageGenerator:
    def test_fails(self, linked: Case) -> None:
        linked.tool.write_text("#!/bin/sh\necho no key\nexit 5\n")
        with pytest.raises(ToolError, match="failed with exit code 5:\nno key"):
            linked.build()

    def test_is_for_another_processor(self, linked: Case) -> None:
        linked.tool.write_bytes(b"\x7fELF\2\1\1" + bytes(60))
        with pytest.raises(ToolError, match="cannot be run") as caught:
            linked.build()
        assert "Linux on x86-64" in caught.value.hint

    def test_leaves_nothing_although_an_older_image_lies_there(self, linked: Case) -> None:
        place = "output" if linked.board.build.sdk == "himax_we1" else "output_case1_sec_wlcsp"
        text(linked.tool.parent / place / "output.img", "old")
        linked.tool.write_text("#!/bin/sh\necho done, or not\n")
        with pytest.raises(ToolError, match=r"left no 'output.*/output\.img':\ndone, or not"):
            linked.build()


def test_an_sdk_that_puts_its_result_elsewhere(case: Case) -> None:
    folder = case.sdk if case.board.build.sdk == "himax_we1" else case.sdk / "EPII_CM55M_APP_S"
    text(folder / "makefile", "all: ;\n")
    with pytest.raises(ToolError, match=r"make left no '.*\.elf'"):
        case.build()


def test_a_project_with_a_file_missing(case: Case) -> None:
    (case.project / "port.c").unlink()
    with pytest.raises(ToolError, match=r"port\.c'") as caught:
        case.build()
    assert "edgekit generate" in caught.value.hint


def test_a_tree_that_cannot_be_written(case: Case) -> None:
    text(case.project / "obj", "in the way")
    with pytest.raises(OutputError, match=r"cannot (make|write)"):
        case.build()


def test_the_board_file_must_name_the_hardware(write: Write, tmp_path: Path) -> None:
    case = Case(write, tmp_path, "grove_vision_ai")
    for facts in ({}, {"hw": "x; rm -rf"}):
        case.board = replace(case.board, build=replace(case.board.build, facts=facts))
        with pytest.raises(ProjectError, match=r"build\.facts\.hw"):
            case.build()


def test_a_compiler_cannot_be_chosen(case: Case) -> None:
    with pytest.raises(UsageError, match="built by its SDK"):
        building.build(case.project, case.board, compiler="gcc", sdk_dir=case.sdk)
