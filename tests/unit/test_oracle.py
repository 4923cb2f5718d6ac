"""The oracle runs LiteRT's reference kernels, and says plainly what it cannot run."""

import os
import signal
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import numpy as np
import oracle_models
import pytest
from generated_c import check_against_oracle
from small_models import classifier

from edgekit import install, interpreter
from edgekit.errors import ModelError, OracleError, ToolError, UsageError
from edgekit.graph import tflite
from edgekit.oracle import Oracle, oracle_version

FRAMES = np.random.default_rng(3).integers(-128, 128, (5, 8, 8, 3)).astype(np.int8)


def test_rows_are_those_of_litert_itself() -> None:
    from ai_edge_litert.interpreter import Interpreter, OpResolverType

    model = classifier()
    litert = Interpreter(model_content=model, experimental_op_resolver_type=OpResolverType.BUILTIN_REF)
    litert.allocate_tensors()
    rows = Oracle(model).run(FRAMES)
    for row, frame in zip(rows, FRAMES, strict=True):
        litert.set_tensor(litert.get_input_details()[0]["index"], frame[None])
        litert.invoke()
        assert np.array_equal(row, litert.get_tensor(litert.get_output_details()[0]["index"])[0])


def test_every_tensor_of_a_frame_is_kept() -> None:
    model = classifier()
    graph = tflite.parse(model)
    oracle = Oracle(model)
    tensors = oracle.tensors(FRAMES[0])
    assert np.array_equal(tensors[graph.inputs[0]][0], FRAMES[0])
    assert np.array_equal(tensors[graph.outputs[0]].reshape(-1), oracle.run(FRAMES[:1])[0])
    for op in graph.ops:
        for index in op.outputs:
            assert tensors[index].shape == graph.tensor(index).shape


@pytest.mark.parametrize("name", [b"image", b"scores"])
def test_names_that_are_not_utf_8_are_no_bug(name: bytes) -> None:
    with pytest.raises(ModelError, match="UTF-8"):
        Oracle(classifier().replace(name, b"\xff" * len(name)))


def test_the_version_is_that_of_the_package() -> None:
    from importlib.metadata import version

    assert oracle_version() == f"LiteRT {version('ai-edge-litert')} BUILTIN_REF"
    assert Oracle(classifier()).version == oracle_version()


def test_frames_of_another_kind_are_refused() -> None:
    oracle = Oracle(classifier())
    with pytest.raises(UsageError, match="uint8"):
        oracle.run(FRAMES.view(np.uint8))
    with pytest.raises(UsageError, match=r"\[8, 8\]"):
        oracle.run(FRAMES[..., 0])
    assert oracle.run(FRAMES[:0]).shape == (0, oracle.classes)


def test_damaged_models_are_refused() -> None:
    for model in (b"", b"not a model", classifier()[:-200]):
        with pytest.raises(ModelError):
            Oracle(model)


def test_a_missing_package_is_named_with_the_pip_line() -> None:
    code = """
import sys
sys.modules["ai_edge_litert"] = None
from edgekit.errors import MissingExtraError
from edgekit.oracle import Oracle
try:
    Oracle(b"")
except MissingExtraError as error:
    print(error.message, error.hint)
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert "'ai-edge-litert'" in done.stdout
    assert install.command("prove") in done.stdout


def of_flat(rows: int, equal: tuple[int, ...]) -> np.ndarray:
    """Return frames for `oracle_models.flat`; in the rows `equal` all scores are, of which LiteRT crashes."""
    frames = np.full((rows, 1, 513, 1), -128, np.int8)
    frames[:, 0, :5] = 127
    frames[list(equal)] = 0
    return frames


def test_a_crash_names_operator_and_frame_and_the_oracle_goes_on() -> None:
    oracle = Oracle(oracle_models.flat())
    lively = of_flat(3, ())
    expected = oracle.run(lively)
    for _ in range(2):
        with pytest.raises(
            OracleError, match=r"crashes \(SIGABRT\) on frame 2, .*operator 1 SOFTMAX 'shares'"
        ) as told:
            oracle.run(of_flat(4, (2,)))
        assert "512" in told.value.message
        assert told.value.details == {"frame": 2}
        assert told.value.exit_code == 7
        assert np.array_equal(oracle.run(lively), expected)
    with pytest.raises(OracleError, match="SOFTMAX"):
        oracle.tensors(of_flat(1, (0,))[0])
    assert len(oracle.tensors(lively[0])) >= 4


@pytest.mark.parametrize("classes", [511, 512])
def test_where_the_reference_has_answers_ours_are_equal(classes: int, tmp_path: Path) -> None:
    check_against_oracle(oracle_models.flat(classes), tmp_path, 5)


def test_what_the_interpreter_refuses_is_named() -> None:
    oracle = Oracle(oracle_models.root())
    frames = np.full((3, 4, 4, 3), 9, np.int8)
    assert oracle.run(frames).shape == (3, 48)
    frames[1, 0, 0, 0] = -1
    with pytest.raises(OracleError) as caught:
        oracle.run(frames)
    assert caught.value.message == (
        "LiteRT has no answer on frame 1, at operator 0 RSQRT 'root' 1x4x4x3: Rsqrt is only defined for "
        "positive values"
    )


def test_the_mode_that_keeps_all_tensors_is_the_reference(tmp_path: Path) -> None:
    model = oracle_models.shared()
    check_against_oracle(model, tmp_path, 10)
    oracle = Oracle(model)
    frames = np.random.default_rng(1).integers(-128, 128, (3, 7, 7, 3)).astype(np.int8)
    rows = oracle.run(frames)
    assert np.array_equal(oracle.tensors(frames[0])[13].reshape(-1), rows[0])
    # If LiteRT mends it, this line goes, and the note of `edgekit prove` with it.
    assert (oracle.run(frames, reuse=True) != rows).any(axis=1).all()
    assert np.array_equal(oracle.run(frames), rows)


@pytest.mark.parametrize("signal_", [signal.SIGKILL, signal.SIGSTOP])
def test_a_process_that_was_ended_from_outside_is_started_again(
    signal_: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    oracle = Oracle(classifier())
    rows = oracle.run(FRAMES)
    assert oracle._interpreter._child is not None
    os.kill(oracle._interpreter._child._running.pid, signal_)
    # The new process has the time that a slow machine needs.
    monkeypatch.setattr(interpreter, "_RUN_S", 3.0)
    assert np.array_equal(oracle.run(FRAMES), rows)


STAND_IN = """
import os, signal, time
import numpy as np
from edgekit.graph import schema
from edgekit.graph.flatbuffer import FlatBuffer

class OpResolverType:
    BUILTIN_REF = 0

class Interpreter:
    def __init__(self, model_content, **options):
        model = FlatBuffer(model_content).root()
        graph = model.buffer.table(model.targets(schema.ModelSlot.SUBGRAPHS)[0])
        self.operators = len(graph.targets(schema.SubGraphSlot.OPERATORS))
    def allocate_tensors(self):
        LOAD
    def invoke(self):
        INVOKE
    def set_tensor(self, index, values):
        pass
    def get_input_details(self):
        return [{"name": "image", "index": 0, "dtype": np.int8, "shape": np.array([1, 8, 8, 3])}]
    def get_output_details(self):
        return [{"name": "scores", "index": 1, "dtype": np.int8, "shape": np.array([1, 3])}]
"""


@pytest.fixture
def stand_in(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[..., None]:
    """Return a way to replace LiteRT by what does things that no model is known to make it do."""

    def replace(load: str = "pass", invoke: str = "pass") -> None:
        package = tmp_path / "ai_edge_litert"
        package.mkdir()
        (package / "__init__.py").touch()
        (package / "interpreter.py").write_text(STAND_IN.replace("LOAD", load).replace("INVOKE", invoke))
        monkeypatch.setenv("PYTHONPATH", str(tmp_path), prepend=os.pathsep)

    return replace


def test_a_process_that_is_ended_again_and_again(stand_in: Callable[..., None]) -> None:
    stand_in(invoke="os.kill(os.getpid(), signal.SIGKILL)")
    with pytest.raises(
        OracleError, match=r"the process of LiteRT was stopped \(SIGKILL\) on frame 0"
    ) as caught:
        Oracle(classifier()).run(FRAMES)
    assert "memory" in caught.value.hint


def test_a_process_that_hangs(stand_in: Callable[..., None], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(interpreter, "_RUN_S", 0.7)
    stand_in(invoke="time.sleep(600)")
    with pytest.raises(
        OracleError, match=r"LiteRT gives no answer on frame 0: .* did not answer within 0\.7 s"
    ):
        Oracle(classifier()).run(FRAMES)


def test_a_crash_that_does_not_come_again_names_no_operator(stand_in: Callable[..., None]) -> None:
    ran = "__file__ + '.ran'"
    stand_in(invoke=f"open({ran}, 'a').write('x'); os.path.getsize({ran}) > 2 or os.abort()")
    with pytest.raises(OracleError, match=r"LiteRT crashes \(SIGABRT\) on frame 0$"):
        Oracle(classifier()).run(FRAMES)


def test_a_model_of_which_it_crashes_while_loading(stand_in: Callable[..., None]) -> None:
    stand_in(load="self.operators <= 2 or os.abort()")
    with pytest.raises(
        ModelError, match=r"cannot run the model: it crashes \(SIGABRT\), at operator 2 ADD 'add'"
    ):
        Oracle(classifier())


def test_files_in_the_users_folder_are_not_run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("numpy", "ai_edge_litert", "json"):
        (tmp_path / f"{name}.py").write_text("raise SystemExit('this is not it')")
    monkeypatch.chdir(tmp_path)
    assert Oracle(classifier()).run(FRAMES).shape == (5, 3)


def test_a_reference_that_cannot_be_loaded_says_why(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "ai_edge_litert.py").write_text("raise ImportError('libc is too old')")
    monkeypatch.setenv("PYTHONPATH", str(tmp_path), prepend=os.pathsep)
    with pytest.raises(ToolError, match=r"LiteRT cannot be started: .*libc is too old"):
        Oracle(classifier())
