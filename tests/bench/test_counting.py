"""Instructions are counted exactly: the same number every time, and the emulated board's own clock agrees."""

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import small_models

from edgekit import board, models, pipeline, process, toolchain
from edgekit.bench import measure
from edgekit.bench.result import Bench, Method
from edgekit.emulator import batch, counter, qemu
from edgekit.errors import ToolError
from edgekit.firmware import build
from edgekit.models import Model
from edgekit.oracle import Oracle

BOARDS = ("mps3_an547", "mps2_an386", "riscv_virt", "xtensa_kc705")
FRAMES = np.random.default_rng(9).integers(-128, 128, (3, 8, 8, 3), np.int8)


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> Model:
    path = tmp_path_factory.mktemp("model") / "classifier.tflite"
    path.write_bytes(small_models.classifier())
    return models.load_model(path)


@pytest.fixture(scope="module")
def counted(model: Model) -> Callable[[str], Bench]:
    done: dict[str, Bench] = {}

    def count(name: str) -> Bench:
        if name not in done:
            done[name] = measure.measure(model, board.load(name), FRAMES)
        return done[name]

    return count


@pytest.mark.parametrize("name", BOARDS)
def test_a_count_is_the_same_again(name: str, model: Model, counted: Callable[[str], Bench]) -> None:
    again = measure.measure(model, board.load(name), FRAMES)
    # The clock is not exact: it may be read a moment before or after it goes on.
    assert replace(again, timer_instructions=None) == replace(counted(name), timer_instructions=None)


@pytest.mark.parametrize("name", BOARDS)
def test_the_steps_add_up_and_the_clock_agrees(name: str, counted: Callable[[str], Bench]) -> None:
    found = counted(name)
    assert found.method is Method.PLUGIN
    assert found.notes == ()  # a clock that contradicts would be noted
    assert found.instructions_per_invoke == sum(step.instructions or 0 for step in found.per_op)
    assert [step.instructions == 0 for step in found.per_op] == [s.kind == "RESHAPE" for s in found.per_op]
    assert found.timer_instructions is not None
    assert found.instructions_per_invoke is not None
    difference = found.timer_instructions - found.instructions_per_invoke
    assert abs(difference) < 2 * board.load(name).ticks.resolution + 60


def test_a_clock_of_single_instructions_differs_by_its_reading_alone(model: Model) -> None:
    riscv = board.load("riscv_virt")
    frames = (FRAMES[:1], FRAMES[1:2], np.full_like(FRAMES[:1], 127))
    found = [measure.measure(model, riscv, frame) for frame in frames]
    assert len({bench.instructions_per_invoke for bench in found}) > 1
    differences = {(bench.timer_instructions or 0) - (bench.instructions_per_invoke or 0) for bench in found}
    assert len(differences) == 1


def test_the_bytes_are_the_linkers(counted: Callable[[str], Bench]) -> None:
    found = counted("mps2_an386")
    sizes = {part.name: part.bytes for part in found.sections}
    assert found.engine_bytes is not None
    assert found.flash_bytes == found.engine_bytes + found.model_bytes
    assert found.flash_bytes == sum(part.bytes for part in found.sections if "flash" in part.memory)
    assert found.ram_bytes == sum(part.bytes for part in found.sections if "ram" in part.memory)
    assert sizes[".model"] < found.model_bytes < sizes[".model"] + 1000
    assert found.stack_bytes is not None
    assert 100 < found.stack_bytes < sizes[".stack"]


def test_counting_changes_no_output(model: Model, counted: Callable[[str], Bench]) -> None:
    expected = Oracle(model.data).run(FRAMES)
    image = pipeline.build_image(model, board.load("riscv_virt"))
    found = batch.run(image, board.load("riscv_virt"), FRAMES, model.contract.classes)
    assert np.array_equal(found.scores, expected.reshape(found.scores.shape))
    assert counted("riscv_virt").outputs_sha256 == counted("xtensa_kc705").outputs_sha256


def test_a_count_does_not_depend_on_the_frames_around_it(
    model: Model, counted: Callable[[str], Bench]
) -> None:
    same = measure.measure(model, board.load("mps2_an386"), np.repeat(FRAMES[:1], 20, axis=0))
    assert same.instructions_lowest == same.instructions_highest
    alone = measure.measure(model, board.load("mps2_an386"), FRAMES[:1])
    assert alone.instructions_per_invoke == same.instructions_per_invoke


@pytest.mark.parametrize("name", ["mps2_an386", "riscv_virt"])
def test_without_a_compiler_for_this_machine_the_clock_stands_in(
    name: str, model: Model, counted: Callable[[str], Bench], monkeypatch: pytest.MonkeyPatch
) -> None:
    exact = counted(name)
    monkeypatch.setenv("EDGEKIT_CC_HOST", "no-such-compiler")
    found = measure.measure(model, board.load(name), FRAMES)
    assert found.method is Method.TIMER
    assert found.resolution == board.load(name).ticks.resolution
    assert any("no-such-compiler" in note and "not exact" in note for note in found.notes)
    assert {step.instructions for step in found.per_op} == {None}
    assert found.instructions_per_invoke is not None
    assert exact.instructions_per_invoke is not None
    assert found.instructions_per_invoke == pytest.approx(exact.instructions_per_invoke, abs=140)
    assert found.outputs_sha256 == exact.outputs_sha256


def test_the_plugin_is_built_once() -> None:
    first = counter.build("7.2.22")
    before = first.stat().st_mtime_ns
    assert counter.build("7.2.1") == first
    assert first.stat().st_mtime_ns == before
    assert counter.build("9.1.0") != first  # another version of QEMU's interface


@pytest.mark.parametrize("compiler", ["gcc", "ziglang"])
def test_the_plugin_compiles_without_a_warning(compiler: str, tmp_path: Path) -> None:
    found = toolchain.find("host", (), compiler)
    flags = (*build.LANGUAGE, *build.WARNINGS, "-fPIC", "-shared", "-DEK_PLUGIN_API=1")
    command = [*found.command, *flags, "-o", str(tmp_path / "x.so"), str(counter.SOURCE)]
    process.run(command, env=found.environment())


def test_the_plugin_needs_no_board_of_this_machine(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "kit.toml").write_bytes(board.load("riscv_virt").path.read_bytes())
    monkeypatch.setenv("EDGEKIT_BOARDS", str(tmp_path))
    assert counter.build(qemu.find(board.load("kit").emulator).version).is_file()


def test_arguments_that_the_plugin_cannot_use_end_qemu_with_a_word(model: Model, tmp_path: Path) -> None:
    target = board.load("riscv_virt")
    image = pipeline.build_image(model, target)
    plugin = counter.build(qemu.find(target.emulator).version)
    nowhere = counter.Places(run=(8, 4), caller=(1, 2), kernels=(), skipped=())
    asked = counter.arguments(plugin, nowhere, tmp_path / "out")
    with pytest.raises(ToolError, match="wrong argument 'run=8-4'"):
        batch.run(image, target, FRAMES, model.contract.classes, arguments=asked)


def test_commas_in_paths_reach_the_plugin(model: Model, tmp_path: Path) -> None:
    target = board.load("riscv_virt")
    image = pipeline.build_image(model, target)
    plugin = tmp_path / "a,b.so"
    plugin.write_bytes(counter.build(qemu.find(target.emulator).version).read_bytes())
    out = tmp_path / "out,=1"
    found = measure.places(image, pipeline.generate_model(model, target))
    asked = counter.arguments(plugin, found, out)
    batch.run(image, target, FRAMES[:1], model.contract.classes, jobs=1, arguments=asked)
    assert len(counter.read(out, 1, 6)[0]) == 6


@pytest.mark.parametrize("content", ["", "1 2\n", "1 2 3\n1 2 3\n", "1 2 x\n", "1 2 3 4\n", "\x80"])
def test_counts_that_do_not_fit_the_model_are_refused(content: str, tmp_path: Path) -> None:
    path = tmp_path / "counts.txt"
    path.write_text(content, "latin-1")
    with pytest.raises(ToolError, match="plugin"):
        counter.read(path, 1, 3)
