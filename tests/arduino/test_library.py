"""The exported Arduino library compiles as Arduino does it, for several cores, and computes as the oracle."""

import io
import json
import os
import subprocess
import tty
import zipfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

import generated_c
import numpy as np
import pytest
import small_models
from host.conversation import classify

from edgekit import board, contract, export, models, resources
from edgekit.cli import _app
from edgekit.device.client import Device
from edgekit.device.frame import PacketType
from edgekit.device.transport import SocketTransport
from edgekit.emulator import RunningBoard
from edgekit.errors import UsageError
from edgekit.firmware import arduino, project
from edgekit.firmware.image import FirmwareImage
from edgekit.graph import tflite
from edgekit.oracle import Oracle

SDK = Path(__file__).parents[1] / "sdk" / "arduino"
NAME = "Kit"
TARGET = board.load(arduino.BOARD)
SANITIZE = ("-fsanitize=address,undefined", "-fno-sanitize-recover=all", "-g")
FLAGS = ("-Wall", "-Wextra", "-Wpedantic", "-Wundef", "-Wshadow", "-Werror")
EXAMPLES = ("ClassifyOne", "SerialClassifier")
# Compiler family and the flags of a core; C11 and C++11 are the least that cores ask for.
CORES = {
    "host": ("", ("-O1", *SANITIZE)),
    "Cortex-M0+": ("arm-none-eabi-", ("-Os", "-mcpu=cortex-m0plus", "-mthumb")),
    "Cortex-M4": ("arm-none-eabi-", ("-Os", "-mcpu=cortex-m4", "-mthumb", "-mfloat-abi=hard")),
    "RISC-V": ("riscv64-unknown-elf-", ("-Os", "-march=rv32imc", "-mabi=ilp32")),
    "Xtensa": ("xtensa-lx106-elf-", ("-Os", "-mlongcalls")),
}  # fmt: skip
# Debian's cross compilers come without a C library; this header declares all that the library needs of one.
LIBC = resources.firmware_templates() / "bare_metal" / "libc"
HOSTILE = (
    'cat"; system("x',
    "*/ int x; /*",
    "a\nauthor=mallory",
    "??/",
    "\\",
    "ü",
    "//",
    "%s",
    "\x00end",
    "9",
)


def library(model: bytes, labels: tuple[str, ...] | None = None) -> dict[str, bytes]:
    """Return the library's files by path, as they come out of the .zip."""
    graph = tflite.parse(model)
    agreed = contract.of(graph)
    if labels is not None:
        agreed = replace(agreed, labels=labels)
    made = generated_c.generate(graph, agreed)
    files = arduino.library(made, project.assemble(made, TARGET), NAME)
    with zipfile.ZipFile(io.BytesIO(arduino.pack(files, NAME))) as archive:
        assert archive.testzip() is None
        found = {entry.filename: archive.read(entry) for entry in archive.infolist()}
    assert {name.split("/")[0] for name in found} == {NAME}
    return {name.split("/", 1)[1]: content for name, content in found.items()}


def unpack(files: dict[str, bytes], folder: Path) -> Path:
    for name, content in files.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content)
    return folder


def compile_all(folder: Path, core: str, example: str) -> list[Path]:
    """Compile the library and one example as Arduino does: file by file, only src/ and the core included."""
    prefix, flags = CORES[core]
    include = [f"-I{folder / 'src'}", f"-I{SDK}"]
    if prefix:
        include += ["-ffreestanding", f"-I{LIBC}"]
    sketch = folder / f"{example}.cpp"
    text = (folder / "examples" / example / f"{example}.ino").read_text()
    sketch.write_text(f"#include <Arduino.h>\n{text}")
    objects = []
    for source in [*sorted((folder / "src").rglob("*.c*")), sketch]:
        compiler = [f"{prefix}g++", "-std=c++11"] if source.suffix == ".cpp" else [f"{prefix}gcc", "-std=c11"]
        made = folder / f"{source.stem}.{example}.o"
        done = subprocess.run(
            [*compiler, *FLAGS, *flags, *include, "-c", str(source), "-o", str(made)],
            capture_output=True,
            text=True,
        )
        assert done.returncode == 0, done.stderr[:3000]
        objects.append(made)
    return objects


def link(folder: Path, example: str) -> Path:
    """Return the example as a program of this machine, under the sanitizers."""
    objects = compile_all(folder, "host", example)
    program = folder / example
    command = ["g++", *SANITIZE, "-std=c++11", f"-I{SDK}", str(SDK / "host.cpp"), *map(str, objects)]
    done = subprocess.run([*command, "-o", str(program)], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr[:3000]
    return program


@pytest.mark.parametrize("core", [core for core in CORES if core != "host"])
def test_it_compiles_for_any_core(core: str, tmp_path: Path) -> None:
    folder = unpack(library(small_models.classifier(), small_models.LABELS), tmp_path)
    for example in EXAMPLES:
        objects = compile_all(folder, core, example)
        assert all(made.stat().st_size > 0 for made in objects)


def test_a_model_without_pixels_compiles_too(tmp_path: Path) -> None:
    folder = unpack(library(small_models.fully_connected()), tmp_path)
    for example in EXAMPLES:
        compile_all(folder, "Cortex-M0+", example)


def test_headers_of_sketches_are_ours_alone() -> None:
    files = library(small_models.classifier())
    assert [name for name in files if name.startswith("src/") and name.count("/") == 1] == [f"src/{NAME}.h"]
    assert {name.split("/")[0] for name in files} == {"library.properties", "src", "examples"}


def test_its_kernels_are_those_that_the_kernel_tests_prove() -> None:
    files = library(small_models.classifier())
    runtime = resources.firmware_templates() / "runtime"
    proven = {
        path.name: path.read_bytes()
        for path in runtime.rglob("*.[ch]")
        if path.parent.name in ("ref", "include")
    }
    found = {Path(name).name: content for name, content in files.items() if Path(name).name in proven}
    assert len([name for name in found if name.endswith("_s8.c")]) == 5
    assert all(content == proven[name] for name, content in found.items())


def image_of(program: Path) -> FirmwareImage:
    zeros = "0" * 64
    return FirmwareImage(program, arduino.BOARD, zeros, zeros, zeros, zeros, 1, "", False)


def test_the_serial_example_answers_as_the_oracle(tmp_path: Path) -> None:
    model = small_models.classifier()
    program = link(unpack(library(model), tmp_path), "SerialClassifier")
    virtual = replace(board.load("host"), id=arduino.BOARD)
    frames = np.random.default_rng(1).integers(0, 256, (60, 8, 8, 3), dtype=np.uint8)
    tensors = (frames.astype(np.int16) - 128).astype(np.int8)
    expected = Oracle(model).run(tensors)
    with RunningBoard(image_of(program), virtual) as running:
        for sent, kind in ((frames, PacketType.CHUNK_PIXELS), (tensors, PacketType.CHUNK_TENSOR)):
            session, results = classify(running.connect(), [frame.tobytes() for frame in sent], kind)
            assert session.hello is not None
            assert session.hello.board == arduino.BOARD
            assert session.statistics.retransmissions == 0
            found = np.stack([np.frombuffer(result.answer.scores, np.int8) for result in results])
            assert np.array_equal(found, expected)
    assert (running.exit_code(), running.last_words()) == (0, "")


def test_the_client_knows_the_model_and_times_go_past_the_clocks_wrap(tmp_path: Path) -> None:
    model = small_models.classifier()
    graph = tflite.parse(model)
    program = link(unpack(library(model), tmp_path), "SerialClassifier")
    virtual = replace(board.load("host"), id=arduino.BOARD)
    frames = np.random.default_rng(2).integers(0, 256, (40, 8, 8, 3), dtype=np.uint8)
    expected = Oracle(model).run((frames.astype(np.int16) - 128).astype(np.int8))
    digest = generated_c.made(model).model_digest
    with (
        RunningBoard(image_of(program), virtual) as running,
        Device.open(
            lambda: SocketTransport(running.connect(), arduino.BOARD),
            contract=contract.of(graph),
            model_digest=digest,
            serial=TARGET.serial,
        ) as device,
    ):
        predictions = list(device.stream(iter(frames)))
    assert np.array_equal(np.stack([p.scores for p in predictions]), expected)
    # A clock of 32 bits that wraps during a frame would say more than an hour.
    assert all(p.invoke_ticks < 60_000_000 for p in predictions)


@contextmanager
def on_a_pty(program: Path) -> Iterator[str]:
    """Run a program whose line is a pseudo-terminal, like a board on a USB port; yield the port's name."""
    primary, replica = os.openpty()
    tty.setraw(replica)
    process = subprocess.Popen([program], stdin=primary, stdout=primary)
    try:
        yield os.ttyname(replica)
    finally:
        process.terminate()
        process.wait(timeout=30)
        os.close(primary)
        os.close(replica)


def test_monitor_streams_to_the_serial_example(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = tmp_path / "model.tflite"
    path.write_bytes(small_models.classifier())
    frames = np.random.default_rng(3).integers(0, 256, (20, 8, 8, 3), dtype=np.uint8)
    labels = Oracle(path.read_bytes()).run((frames.astype(np.int16) - 128).astype(np.int8)).argmax(axis=1)
    np.savez(tmp_path / "test.npz", images=frames, labels=labels)
    where = ("--model", str(path), "--source", str(tmp_path / "test.npz"))
    made = tmp_path / "Kit.zip"
    assert _app._run(["export", str(path), "--name", NAME, "-o", str(made), "-q"]) == 0
    with zipfile.ZipFile(made) as archive:
        archive.extractall(tmp_path)
    program = link(tmp_path / NAME, "SerialClassifier")
    capsys.readouterr()
    with on_a_pty(program) as port:
        assert _app._run(["monitor", "--board", "arduino", "--port", port, *where, "--json"]) == 0
    lines = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    assert lines[0]["board"] == "arduino"
    assert (lines[-1]["n"], lines[-1]["accuracy"]) == (20, 1.0)


def test_the_example_without_protocol_prints_the_best_label(tmp_path: Path) -> None:
    model = small_models.classifier()
    labels = ('a "cat"', "dög", "??=bird")
    program = link(unpack(library(model, labels), tmp_path), "ClassifyOne")
    expected = Oracle(model).run(np.full((1, 8, 8, 3), -128, np.int8))[0]
    with subprocess.Popen([program], stdin=subprocess.DEVNULL, stdout=subprocess.PIPE) as process:
        assert process.stdout is not None
        line = process.stdout.readline().decode()
        process.kill()
    label, _, rest = line.rpartition(": ")
    assert (label, rest.split()[0]) == (labels[int(expected.argmax())], str(expected.max()))


def test_nothing_leaves_its_line_or_its_string(tmp_path: Path) -> None:
    model = small_models.fully_connected(outputs=len(HOSTILE))
    files = library(model, HOSTILE)
    properties = dict(line.split("=", 1) for line in files["library.properties"].decode("ascii").splitlines())
    assert list(properties) == [
        *("name", "version", "author", "maintainer", "sentence", "paragraph", "category", "url"),
        *("architectures", "includes"),
    ]
    assert (properties["name"], properties["author"], properties["includes"]) == (
        NAME,
        "edgekit",
        f"{NAME}.h",
    )
    assert all(len(value) <= 200 for value in properties.values())
    folder = unpack(files, tmp_path)
    (folder / "print.c").write_text(
        '#include <stdio.h>\n#include "edgekit/model.h"\nextern const char *const ek_labels[];\n'
        "int main(void) {\n"
        "for (unsigned i = 0; i < EK_MODEL_OUTPUT_BYTES; i++) puts(ek_labels[i]);\nreturn 0;\n}\n"
    )
    command = ["gcc", "-std=c11", *FLAGS, "-trigraphs", f"-I{folder / 'src'}", "-o", str(folder / "print")]
    sources = (folder / "print.c", folder / "src" / "edgekit" / "ek_labels.c")
    subprocess.run([*command, *map(str, sources)], check=True)
    said = subprocess.run([folder / "print"], capture_output=True, check=True).stdout.decode()
    assert said == "".join(label.partition("\0")[0] + "\n" for label in HOSTILE)


@pytest.mark.parametrize(
    "name",
    ["", "kit", "Ab", "Arduino", "String", "TIME", "A-b", "A b", "../X", "X\n", "9Lives", "A" * 49, "Ünlaut"],
)
def test_names_that_cannot_be_a_librarys(name: str) -> None:
    with pytest.raises(UsageError, match="cannot name an Arduino library"):
        arduino.check_name(name)


def test_the_same_model_gives_the_same_bytes() -> None:
    first, second = (generated_c.made() for _ in range(2))
    packed = [arduino.pack(arduino.library(m, project.assemble(m, TARGET)), NAME) for m in (first, second)]
    assert packed[0] == packed[1]


def test_the_sketch_opens_its_port_as_the_board_file_says() -> None:
    for example in EXAMPLES:
        text = library(small_models.classifier())[f"examples/{example}/{example}.ino"].decode()
        assert f"Serial.begin({TARGET.serial.baud});" in text


def test_a_public_model_answers_as_the_oracle(tmp_path: Path, anchor: Callable[[str], Path]) -> None:
    model = anchor("ic01_resnet8_int8").read_bytes()
    program = link(unpack(library(model), tmp_path), "SerialClassifier")
    virtual = replace(board.load("host"), id=arduino.BOARD)
    frames = np.random.default_rng(4).integers(0, 256, (4, 32, 32, 3), dtype=np.uint8)
    expected = Oracle(model).run((frames.astype(np.int16) - 128).astype(np.int8))
    with RunningBoard(image_of(program), virtual) as running:
        _, results = classify(running.connect(), [f.tobytes() for f in frames], PacketType.CHUNK_PIXELS)
    found = np.stack([np.frombuffer(result.answer.scores, np.int8) for result in results])
    assert np.array_equal(found, expected)


def test_the_command_writes_the_library(tmp_path: Path) -> None:
    path = tmp_path / "model.tflite"
    path.write_bytes(small_models.classifier())
    made, files = export.export_arduino(models.load_model(path), tmp_path / "out" / "x.zip", name=NAME)
    assert (tmp_path / "out" / "x.zip").read_bytes() == arduino.pack(files, NAME)
    assert made.name == "ek_model"
