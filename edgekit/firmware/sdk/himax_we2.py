"""Builds with Himax's WE2 SDK, as Himax publishes it for the Grove Vision AI Module V2."""

import platform
import sys
from pathlib import Path

from edgekit.board import Board
from edgekit.errors import DoesNotFitError
from edgekit.firmware.image import FirmwareImage
from edgekit.firmware.manifest import Manifest
from edgekit.firmware.sdk import _tree

URL = "https://github.com/HimaxWiseEyePlus/Seeed_Grove_Vision_AI_Module_V2.git"
_APPLICATION = "edgekit"
_SOURCE = "EPII_CM55M_APP_S"
_TOOLS = "we2_image_gen_local"
_PROJECT = "project_case1_blp_wlcsp.json"
_MARKERS = (
    f"{_SOURCE}/makefile",
    f"{_SOURCE}/drivers/inc/hx_drv_uart.h",
    f"{_SOURCE}/prebuilt_libs/gnu/libdriver.a",
    f"{_TOOLS}/{_PROJECT}",
)
_COMPILER = "arm-none-eabi-gcc"
_HOW_TO_GET_COMPILER = (
    "unpack arm-gnu-toolchain-13.2.rel1-x86_64-arm-none-eabi.tar.xz from "
    "https://developer.arm.com/downloads/-/arm-gnu-toolchain-downloads and put its bin folder on PATH"
)
# Where the SDK's makefile puts what it makes: board, versions, toolchain and package are fixed there.
_ELF = "obj_epii_evb_icv30_bdv10/gnu_epii_evb_WLCSP65/EPII_CM55M_gnu_epii_evb_WLCSP65_s.elf"
_IMAGE_ELF = "input_case1_secboot/EPII_CM55M_gnu_epii_evb_WLCSP65_s.elf"
_OUTPUT = "output_case1_sec_wlcsp/output.img"


def build(project_dir: Path, found: Manifest, board: Board, sdk: Path | None) -> FirmwareImage:
    """See `edgekit.firmware.sdk.build`."""
    root = _tree.check(sdk, "Himax's WE2 SDK", URL, _MARKERS)
    program = _image_program()
    _tree.check_programs(root / _TOOLS, (program,), f"clone {URL} anew: it is a file of it")
    compiler = _tree.compiler_version(_COMPILER, _HOW_TO_GET_COMPILER)
    copies = (_TOOLS, f"{_SOURCE}/prebuilt_libs")
    place = f"{_SOURCE}/app/scenario_app/{_APPLICATION}"
    tree = _tree.make_tree(project_dir, found, root, place, copies)
    folder = tree / _SOURCE
    arguments = (f"APP_TYPE={_APPLICATION}", "V=0")
    _tree.make(folder, arguments, board, f"`make {' '.join(arguments)}` in '{folder}' shows all that it says")
    elf = folder / _ELF
    output = _tree.generate_image(tree / _TOOLS, (program, _PROJECT), elf, _IMAGE_ELF, _OUTPUT)
    size, limit = output.stat().st_size, board.memory.flash_bytes
    if size > limit:
        raise DoesNotFitError(
            f"the image has {size:,} bytes, and the bootloader of '{board.id}' takes {limit:,}",
            "use fewer channels or layers, or a board with more memory",
        )
    return _tree.finish(project_dir, found, board, compiler, elf, output)


def _image_program() -> str:
    on_apple_silicon = sys.platform == "darwin" and platform.machine() == "arm64"
    return "we2_local_image_gen_macOS_arm64" if on_apple_silicon else "we2_local_image_gen"
