"""The ESP-IDF projects with TensorFlow Lite Micro: complete, and compiled for Xtensa as far as it goes."""

import re
from pathlib import Path

import esp32s3
import pytest
import tflm_models

from edgekit import board as boards
from edgekit import contract, process
from edgekit.codegen import budget, tflm
from edgekit.firmware import project
from edgekit.firmware.options import Firmware
from edgekit.graph import tflite

SDK = Path(__file__).parent / "tflm"
FLAGS = (
    "-Wall",
    "-Wextra",
    "-Wshadow",
    "-Wundef",
    "-Werror",
    "-fno-rtti",
    "-fno-exceptions",
    "-ffreestanding",
)


@pytest.mark.parametrize("stored", [False, True], ids=["inside", "stored"])
@pytest.mark.parametrize(("name", "camera"), [("xiao_esp32s3_sense", True), ("esp32s3_devkitc", False)])
def test_every_source_compiles_for_xtensa(name: str, camera: bool, stored: bool, tmp_path: Path) -> None:
    board = boards.choose(boards.load(name), runtime="tflm")
    data = tflm_models.convolutional()
    graph = tflite.parse(data)
    model = tflm.generate(data, graph, contract.of(graph), board, stored=stored)
    found = budget.check(model, graph, board, camera=camera)
    made = project.assemble(model, board, Firmware(camera=camera), external=found.moved)
    project.write(made, tmp_path)
    objects = esp32s3.compile_all(board, made, tmp_path)
    assert {"model/model_data.c", "main/main.c", "main/port.c", "app/ek_app.c"} <= set(objects)
    apart = {"main/stored_model.c", "stored_model/ek_stored_model.c", "stored_model/ek_sha256.c"}
    assert apart & set(objects) == (apart if stored else set())
    makefile = made.files["main/CMakeLists.txt"].decode()
    assert ("esp_partition" in makefile) == ("esptool_py_flash_to_partition" in makefile) == stored
    include = [tmp_path / folder for folder in project.include_folders(made.files)]
    include += [SDK / "include", SDK / "freestanding"]
    # ESP-IDF compiles C++ as gnu++2b, 5.1 as gnu++20.
    command = ["xtensa-lx106-elf-g++", "-std=gnu++20", "-mlongcalls", "-O2", *FLAGS]
    for path in (name for name in made.files if name.endswith(".cc")):
        out = str(tmp_path / "model.o")
        process.run([*command, *(f"-I{folder}" for folder in include), "-c", str(tmp_path / path), "-o", out])
    assert re.findall(r'"\.\./([^"]+\.cc)"', made.files["main/CMakeLists.txt"].decode()) == [
        "model/ek_tflm.cc"
    ]
    components = made.files["main/idf_component.yml"].decode()
    assert "espressif/esp-tflite-micro:" in components
    assert "espressif/esp-nn:" in components
    assert ("espressif/esp32-camera:" in components) == camera
    assert "compiled" not in made.files["app/ek_config.h"].decode().partition("EK_RUNTIME")[2].splitlines()[0]
