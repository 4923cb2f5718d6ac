"""The oracle runs LiteRT's reference kernels, and says plainly what it cannot run."""

import subprocess
import sys

import numpy as np
import pytest
from small_models import classifier

from edgekit import install
from edgekit.errors import ModelError, UsageError
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
