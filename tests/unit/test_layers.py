"""Holds the imports to the layers of docs/explanation/architecture.md, lazy ones too."""

import ast
from pathlib import Path

import pytest

PACKAGE = Path(__file__).parents[2] / "edgekit"

# Lowest first. A module may import modules of lower layers and of its own package, nothing else.
LAYERS = (
    {"install", "percentiles", "untrusted", "quality"},
    {"errors"},
    {
        "resources",
        "process",
        "child",
        "files",
        "scratch",
        "toml_table",
        "json_object",
        "plain_text",
        "answers",
    },
    {"graph"},
    {"contract", "interpreter", "litert"},
    {"ops", "board", "settings", "data", "oracle", "tflite_micro", "toolchain"},
    {"kernels", "reference"},
    {"convert", "codegen", "firmware", "flash", "device", "emulator"},
    {"models", "quantization", "inspection"},
    {"pipeline"},
    {"connection", "export"},
    {"live"},
    {"proof"},
    {"bench"},
    {"cli"},
)
# Results that one stage hands to another: the only imports inside the stages' layer.
RESULT_TYPES = {
    ("firmware", "edgekit.codegen.generator"): {"GeneratedModel"},
    ("flash", "edgekit.firmware.image"): {"FirmwareImage", "FlashSettings", "Part"},
    # A bootloader that talks over the serial port is talked to over the transports that devices have.
    ("flash", "edgekit.device.transport"): {"Transport", "open_port", "LineBrokenError", "SerialTransport"},
    ("flash", "edgekit.device.ports"): {"Port", "choose", "list_ports", "matching"},
    ("emulator", "edgekit.firmware.image"): {"FirmwareImage"},
}
# Heavy packages, and the only parts of edgekit that may import them.
OWNERS = {
    "tensorflow": {"convert"},
    "torch": {"convert"},
    "onnx": {"convert"},
    "onnx2tf": {"convert"},
    "onnxruntime": {"convert"},
    "jinja2": {"firmware"},
    "serial": {"device"},
    "cobs": {"device"},
    "xmodem": {"flash"},
    "click": {"cli"},
    "rich": {"cli"},
    "ai_edge_litert": {"litert"},
    "tflite_micro": {"tflite_micro"},
    "subprocess": {"process", "child", "emulator"},
    # It is GPL: it is run as a program, and never imported.
    "esptool": set(),
}


def layer_of(part: str) -> int:
    found = [number for number, parts in enumerate(LAYERS) if part in parts]
    assert found, f"edgekit/{part} stands in no layer: add it to LAYERS"
    return found[0]


def imports(path: Path) -> list[tuple[str, tuple[str, ...], int]]:
    """Return (module, names, line) for each import anywhere in the file."""
    found: list[tuple[str, tuple[str, ...], int]] = []
    for node in ast.walk(ast.parse(path.read_text("utf-8"))):
        if isinstance(node, ast.Import):
            found += [(alias.name, (), node.lineno) for alias in node.names]
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{path}:{node.lineno}: relative import"
            names = tuple(alias.name for alias in node.names)
            if node.module == "edgekit":
                found += [(f"edgekit.{name}", (), node.lineno) for name in names]
            else:
                found.append((node.module or "", names, node.lineno))
    return found


SOURCES = sorted(p for p in PACKAGE.rglob("*.py") if p.parent != PACKAGE or not p.name.startswith("__"))


@pytest.mark.parametrize("path", SOURCES, ids=lambda p: str(p.relative_to(PACKAGE)))
def test_imports_point_downwards(path: Path) -> None:
    part = path.relative_to(PACKAGE).parts[0].removesuffix(".py")
    for module, names, line in imports(path):
        where = f"{path.relative_to(PACKAGE.parent)}:{line}"
        top = module.split(".")[0]
        if top in OWNERS:
            assert part in OWNERS[top], f"{where}: only {OWNERS[top]} may import {top}"
        if top != "edgekit" or module == "edgekit":
            continue
        other = module.split(".")[1]
        if other == part or other == "__version__":
            continue
        allowed = RESULT_TYPES.get((part, module))
        if allowed is not None and names and set(names) <= allowed:
            continue
        assert layer_of(other) < layer_of(part), f"{where}: {part} may not import {module}"


def test_every_part_stands_in_a_layer() -> None:
    for path in PACKAGE.iterdir():
        if path.name.startswith(("_", ".")) or path.name == "py.typed":
            continue
        layer_of(path.name.removesuffix(".py"))
