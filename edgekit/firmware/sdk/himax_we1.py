"""Builds with Himax's WE1 SDK, as Seeed publishes it for Grove Vision AI V1 and SenseCAP A1101.

Of the board file it reads the fact `hw`: HW of the SDK's makefile.
"""

from pathlib import Path

from edgekit.board import Board
from edgekit.errors import OutputError, ProjectError
from edgekit.firmware.image import FirmwareImage
from edgekit.firmware.manifest import Manifest
from edgekit.firmware.sdk import _tree
from edgekit.untrusted import quoted

URL = "https://github.com/Seeed-Studio/sscma-example-vision-ai.git"
BOARDS = ("grove_vision_ai", "sensecap_vision_ai")
_APPLICATION = "edgekit"
_TOOLS = "tools/image_gen_cstm"
_PROGRAMS = ("image_gen_cstm_gnu", "sign_tool")
_MARKERS = ("makefile", "himax_we1_sdk/options/options.mk", "himax_we1_sdk/inc/hx_drv_uart.h", _TOOLS)
_COMPILER = "arc-elf32-gcc"
_HOW_TO_GET_COMPILER = (
    "unpack arc_gnu_2020.09_prebuilt_elf32_le_linux_install.tar.gz from "
    "https://github.com/foss-for-synopsys-dwc-arc-processors/toolchain/releases/tag/arc-2020.09-release "
    "and put its bin folder on PATH"
)
# Where the SDK's makefile puts what it makes: board, version, toolchain and core are fixed there.
_OUT = "obj_socket_24/gnu_arcem9d_wei_r16"
_ELF = "WEI_FW_gnu_arcem9d_wei_r16.elf"
_CORE_FLAGS = (
    "-mcpu=",
    "-mlittle-endian",
    "-mcode-density",
    "-mdiv-rem",
    "-mswap",
    "-mnorm",
    "-mmpy-option=",
    "-mbarrel-shifter",
    "-mfpu=",
)


def build(project_dir: Path, found: Manifest, board: Board, sdk: Path | None) -> FirmwareImage:
    """See `edgekit.firmware.sdk.build`."""
    hw = board.build.facts.get("hw")
    if hw not in BOARDS:
        raise ProjectError(f"'{board.path}': build.facts.hw is {quoted(hw)}", f"one of {', '.join(BOARDS)}")
    root = _tree.check(sdk, "Himax's WE1 SDK", URL, _MARKERS)
    _tree.check_programs(root / _TOOLS, _PROGRAMS, f"clone {URL} anew: they are files of it")
    compiler = _tree.compiler_version(_COMPILER, _HOW_TO_GET_COMPILER)
    tree = _tree.make_tree(project_dir, found, root, f"examples/{_APPLICATION}", (_TOOLS,))
    _write_core_flags(tree, board)
    elf = tree / _OUT / _ELF
    # TCF= keeps the SDK from asking ARC's tcftool, which its own instructions do not install, for the flags.
    arguments = (f"HW={hw}", f"APP={_APPLICATION}", "TCF=", "V=0")
    _tree.make(tree, arguments, board, f"`make {' '.join(arguments)}` in '{tree}' shows all that it says")
    command = (_PROGRAMS[0], "ic", "config")
    output = _tree.generate_image(tree / _TOOLS, command, elf, f"input/{_ELF}", "output/output.img")
    return _tree.finish(project_dir, found, board, compiler, elf, output)


def _write_core_flags(tree: Path, board: Board) -> None:
    """Write the file of flags that tcftool would make from the SDK's description of the core."""
    flags = [flag for flag in board.build.cflags if flag.startswith(_CORE_FLAGS)]
    path = tree / _OUT / "embARC_generated" / "gcc.arg"
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(" ".join(flags) + "\n", "ascii")
    except OSError as error:
        raise OutputError(f"cannot write '{path}': {error.strerror}") from error
