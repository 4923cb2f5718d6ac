"""`edgekit doctor`: what is installed, what is missing, and how to get it."""

from pathlib import Path
from typing import Any

import click

from edgekit.cli import _options
from edgekit.cli._app import command as make_command
from edgekit.cli._output import Output
from edgekit.errors import ProjectError

# What each extra is for, and the package whose absence means that it is not installed.
_EXTRAS = {
    "prove": ("ai_edge_litert", "prove a board against LiteRT's reference kernels"),
    "tflm": ("tflite_micro", "run models in TensorFlow Lite Micro (--runtime tflm)"),
    "convert": ("onnx2tf", "quantise ONNX models"),
    "torch": ("torch", "quantise PyTorch models"),
    "camera": ("cv2", "classify what a camera of this machine sees"),
    "compiler": ("ziglang", "build where no C compiler is installed"),
    "demo": ("sklearn", "run `edgekit demo`"),
}

_WIDTH = 26


@make_command(short_help="Say what is installed, what is missing, and how to get it.")
@click.option(
    "--board",
    envvar="EDGEKIT_BOARD",
    show_envvar=True,
    metavar="ID|FILE",
    help="The board to check for.  [default: board.id of edgekit.toml, else host]",
)
@_options.trust_board
def command(output: Output, board: str | None) -> None:
    """Check Python, the optional packages, compilers, serial ports and the board of this project.

    \b
    Example: edgekit doctor
    """
    import importlib.util
    import platform

    from edgekit import __version__, install, settings
    from edgekit.cli._needs import Need, lines, needs
    from edgekit.device import ports
    from edgekit.emulator import runs_on

    checks: list[dict[str, Any]] = []

    def check(name: str, ok: bool, found: str, hint: str = "", needed: bool = False) -> None:
        checks.append({"name": name, "ok": ok, "needed": needed, "found": found, "hint": hint})
        for line in lines(Need(name, ok, found, hint, needed), _WIDTH):
            output.text(line)

    output.text(f"edgekit {__version__}")
    check("Python", True, f"{platform.python_version()} on {platform.system()} {platform.machine()}")
    for extra, (package, purpose) in _EXTRAS.items():
        there = importlib.util.find_spec(package) is not None
        check(f"extra '{extra}'", there, purpose, install.command(extra))
    project = settings.Settings()
    try:
        project = settings.load(Path())
        there = project.path is not None
        check("project", there, settings.FILE_NAME if there else "no edgekit.toml here", "edgekit init")
    except ProjectError as error:
        check("project", False, error.message, error.hint, needed=True)
    opened = _options.load_board(board or str(project.get("board.id") or "host"))
    check("board", True, f"{opened.id}: {opened.name}")
    for need in needs(opened):
        check(need.name, need.ok, need.found, need.hint, need.needed)
    if opened.emulator is not None:
        check("port", True, f"none needed; runs on: {runs_on(opened)}")
    else:
        listed = [port for port in ports.list_ports() if port.usb_id in opened.serial.usb_ids]
        hint = "plug the board in; on Linux you may need to join the group 'dialout'"
        found = ", ".join(map(str, listed)) or "no matching serial port"
        check("port", bool(listed), found, hint, needed=True)
    ready = all(item["ok"] or not item["needed"] for item in checks)
    output.text("\nready" if ready else "\nnot ready: see MISS above")
    output.result({"ready": ready, "checks": checks})
