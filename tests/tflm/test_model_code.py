"""The generated C++: compiled against declarations of the interpreter, and run with a scripted one."""

import shutil
import subprocess
from pathlib import Path

import pytest
import small_models
import tflm_models

from edgekit import board, contract, resources
from edgekit.codegen import tflm
from edgekit.codegen.generator import GeneratedModel
from edgekit.graph import tflite

SDK = Path(__file__).parents[1] / "sdk" / "tflm"
INCLUDES = (f"-I{SDK / 'include'}", f"-I{resources.firmware_templates() / 'app'}")
FLAGS = ("-Wall", "-Wextra", "-Werror", "-Wshadow", "-Wundef", "-fno-rtti", "-fno-exceptions", "-O2")
BYTES = 16 * 16 * 3


def generated(data: bytes, board_id: str = "xiao_esp32s3") -> GeneratedModel:
    graph = tflite.parse(data)
    target = board.choose(board.load(board_id), runtime="tflm")
    return tflm.generate(data, graph, contract.of(graph), target)


def program(name: str) -> str:
    found = shutil.which(name)
    assert found, f"{name} is missing: scripts/tools.sh installs it"
    return found


def compile_code(command: list[str]) -> None:
    done = subprocess.run(command, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr[:3000]


def write(made: GeneratedModel, folder: Path) -> None:
    for name, content in made.files.items():
        (folder / name).write_bytes(content)


@pytest.fixture(scope="module")
def peer(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a program of the generated C++ and the scripted interpreter."""
    folder = tmp_path_factory.mktemp("peer")
    write(generated(tflm_models.convolutional()), folder)
    compile_code(
        [
            *(program("gcc"), "-std=c11", *FLAGS[:4], f"-I{folder}"),
            *("-c", "-o", str(folder / "data.o"), str(folder / "model_data.c")),
        ]
    )
    sources = [str(folder / "ek_tflm.cc"), str(SDK / "peer.cc"), str(folder / "data.o")]
    sanitise = ["-fsanitize=address,undefined", "-fno-sanitize-recover=all"]
    out = folder / "peer"
    compile_code(
        [
            *(program("g++"), "-std=c++17", *FLAGS, *sanitise),
            *(*INCLUDES, f"-I{folder}", "-o", str(out), *sources),
        ]
    )
    return out


def run(peer: Path, *script: str) -> list[int]:
    """Return: both places are NULL before; init, init again, invoke; the scores, if there are any."""
    done = subprocess.run([peer, *script], capture_output=True, text=True, timeout=60)
    assert done.returncode == 0, done.stderr
    return [int(word) for word in done.stdout.splitlines()[0].split()]


def test_a_frame_goes_through_the_arena(peer: Path) -> None:
    # The interpreter sums the input, one byte of which is 7.
    assert run(peer) == [1, 0, 0, 0, 7, 8, 9, 10]


@pytest.mark.parametrize(
    ("script", "reason"),
    [
        ("version=2", 1),
        ("add=1", 2),
        ("add=4", 2),
        ("allocate=1", 3),
        ("inputs=2", 4),
        ("outputs=0", 4),
        ("null=1", 4),
        ("type=1", 4),
        ("output_type=1", 4),
        ("bytes=1", 4),
        ("bytes=-1", 4),
        ("output_bytes=1", 4),
        ("rank=3", 4),
        ("channels=1", 4),
        ("past=1", 4),
        ("past=2", 4),
    ],
)
def test_what_is_wrong_at_the_start_is_said_every_time(peer: Path, script: str, reason: int) -> None:
    assert run(peer, script) == [1, reason, reason, reason]


def test_an_operator_that_fails_is_said(peer: Path) -> None:
    assert run(peer, "invoke=1")[:4] == [1, 0, 0, 5]


def test_operators_are_registered_once(peer: Path) -> None:
    done = subprocess.run([peer], capture_output=True, text=True, check=True)
    assert done.stdout.splitlines()[1] == "added 4"


@pytest.mark.parametrize("standard", ["c++17", "c++20"])
@pytest.mark.parametrize("target", ["g++", "arm-none-eabi-g++"])
@pytest.mark.parametrize("board_id", ["esp32s3_eye", "grove_vision_ai_v2"])
def test_generated_code_compiles_without_warnings(
    tmp_path: Path, board_id: str, target: str, standard: str
) -> None:
    write(generated(tflm_models.convolutional(middle="L2_NORMALIZATION"), board_id), tmp_path)
    bare = [f"-I{SDK / 'freestanding'}", "-mcpu=cortex-m55", "-mthumb"] if target.startswith("arm") else []
    flags = [f"-std={standard}", *FLAGS, *bare, *INCLUDES, f"-I{tmp_path}"]
    compile_code([program(target), *flags, "-c", "-o", str(tmp_path / "o"), str(tmp_path / "ek_tflm.cc")])


def test_the_data_is_the_model_and_aligned(tmp_path: Path) -> None:
    data = tflm_models.convolutional()
    write(generated(data), tmp_path)
    (tmp_path / "dump.c").write_text(
        '#include "model.h"\n#include <stdio.h>\n#include <stdint.h>\nint main(void) {\n'
        "    fwrite(ek_model_data, 1, sizeof ek_model_data, stdout);\n"
        "    return (uintptr_t)ek_model_data % 16 != 0 || sizeof ek_model_data != EK_MODEL_DATA_BYTES;\n}\n"
    )
    out = tmp_path / "dump"
    compile_code(
        [
            *(program("gcc"), "-std=c11", *FLAGS[:3], f"-I{tmp_path}"),
            *("-o", str(out), str(tmp_path / "dump.c"), str(tmp_path / "model_data.c")),
        ]
    )
    assert subprocess.run([out], capture_output=True, check=True).stdout == data


def test_the_resolver_lists_exactly_the_models_operators() -> None:
    made = generated(tflm_models.convolutional(middle="L2_NORMALIZATION"))
    source = made.files["model_operators.h"].decode()
    assert "#define EK_MODEL_METHODS 5\n" in source
    methods = ["AddAveragePool2D", "AddConv2D", "AddFullyConnected", "AddL2Normalization", "AddReshape"]
    assert made.report["resolver"] == methods
    assert source.count("resolver->Add") == 5


def test_an_operator_that_comes_twice_is_listed_once() -> None:
    made = generated(small_models.classifier())
    assert made.report["operators"] == 7
    assert len(made.report["resolver"]) == 6
    assert made.files["model_operators.h"].count(b"AddConv2D()") == 1


def test_equal_models_give_equal_files() -> None:
    for board_id in ("xiao_esp32s3", "grove_vision_ai_v2"):
        first, second = (generated(tflm_models.convolutional(), board_id) for _ in range(2))
        assert first == second
        assert first.files == second.files
