"""tflite-micro's interpreter as the oracle of devices that run TensorFlow Lite Micro."""

import re
from collections.abc import Callable
from pathlib import Path

import numpy as np
import oracle_models
import pytest
import small_models
import tflm_models
from numpy.typing import NDArray

from edgekit import board, connection, models, pipeline, proof, tflite_micro
from edgekit.errors import ModelError, OracleError, ProofError, UsageError
from edgekit.firmware import build
from edgekit.graph import tflite
from edgekit.oracle import Oracle
from edgekit.tflite_micro import TfliteMicro

HOST = board.load("host")


def frames(data: bytes, count: int) -> NDArray[np.int8]:
    shape = tflite.parse(data).tensor(tflite.parse(data).inputs[0]).shape[1:]
    return np.random.default_rng(5).integers(-128, 128, (count, *shape), np.int8)


def test_both_oracles_agree_where_nothing_is_rounded_twice() -> None:
    data = small_models.classifier()
    inputs = frames(data, 50)
    assert np.array_equal(TfliteMicro(data, tflite.parse(data)).run(inputs), Oracle(data).run(inputs))


def test_they_differ_by_one_in_some_rows_of_a_dense_layer() -> None:
    data = tflm_models.dense()
    inputs = frames(data, 400)
    ours = TfliteMicro(data, tflite.parse(data)).run(inputs).astype(np.int32)
    difference = np.abs(ours - Oracle(data).run(inputs))
    assert difference.max() == 1
    assert 0 < (difference > 0).sum() < 40


@pytest.mark.parametrize(
    ("name", "count", "least", "most"),
    [("ic01_resnet8_int8", 200, 1, 20), ("vww01_mobilenetv1_025_96_int8", 20, 0, 0)],
)
def test_rows_that_differ_on_public_models(
    anchor: Callable[[str], Path], name: str, count: int, least: int, most: int
) -> None:
    data = anchor(name).read_bytes()
    inputs = frames(data, count)
    rows = TfliteMicro(data, tflite.parse(data)).run(inputs)
    differing = (rows != Oracle(data).run(inputs)).any(axis=1).sum()
    assert least <= differing <= most
    # In the dense layer alone, by one: the class stays, but for ties.
    assert (rows.argmax(axis=1) == Oracle(data).run(inputs).argmax(axis=1)).mean() >= 0.99


def test_frames_of_another_shape_are_refused() -> None:
    data = tflm_models.dense()
    with pytest.raises(UsageError, match=r"frames are int8 \[3\], the model takes int8 \[64\]"):
        TfliteMicro(data, tflite.parse(data)).run(np.zeros((1, 3), np.int8))


def test_files_in_the_users_folder_are_not_run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("numpy", "tflite_micro", "platform"):
        (tmp_path / f"{name}.py").write_text("raise SystemExit('this is not it')")
    monkeypatch.chdir(tmp_path)
    data = tflm_models.dense(seed=4)
    tflite_micro._tried.cache_clear()
    assert tflite_micro.measure(data, tflite.parse(data)).total > 0


def test_a_model_that_cannot_run_is_an_error_and_no_crash() -> None:
    data = tflm_models.one("FLOOR")
    with pytest.raises(ModelError, match="tflite-micro cannot run"):
        TfliteMicro(data, tflite.parse(data))


def test_a_crash_names_operator_and_frame_and_the_interpreter_goes_on() -> None:
    data = oracle_models.flat()
    oracle = TfliteMicro(data, tflite.parse(data))  # its arena is measured on zeros, of which it crashes
    inputs = frames(data, 3)
    rows = oracle.run(inputs)
    crashing = inputs.copy()
    crashing[1] = 0
    with pytest.raises(
        OracleError, match=r"tflite-micro crashes \(SIGABRT\) on frame 1, .*operator 1 SOFTMAX"
    ):
        oracle.run(crashing)
    assert np.array_equal(oracle.run(inputs), rows)


def test_what_the_interpreter_refuses_is_named() -> None:
    data = oracle_models.root()
    oracle = TfliteMicro(data, tflite.parse(data))
    with pytest.raises(OracleError, match=r"on frame 1, at operator 0 RSQRT 'root' 1x4x4x3: Rsqrt is only"):
        oracle.run(np.stack([np.full((4, 4, 3), value, np.int8) for value in (5, -5)]))


def prove(data: bytes, inputs: NDArray[np.int8], folder: Path) -> proof.Certificate:
    """Prove a host board with edgekit's own kernels whose HELLO says `tflm`: what a device says decides."""
    path = folder / "model.tflite"
    path.write_bytes(data)
    model = models.load_model(path)
    pipeline.generate_project(model, HOST, folder / "project")
    config = folder / "project" / "app" / "ek_config.h"
    text, count = re.subn('EK_RUNTIME "compiled"', 'EK_RUNTIME "tflm"', config.read_text())
    assert count == 1
    config.write_text(text)
    image = build.build(folder / "project", HOST)
    with connection.open_device(HOST, model=model, image=image) as device:
        assert device.hello.runtime == "tflm"
        return proof.prove(device, model, inputs)


def test_a_device_is_proven_against_the_oracle_of_its_runtime(tmp_path: Path) -> None:
    data = small_models.classifier()
    certificate = prove(data, frames(data, 8), tmp_path)
    assert certificate.rows_equal == 8
    assert certificate.runtime == "tflm"
    assert re.fullmatch(r"tflite-micro \S+ reference kernels", certificate.oracle)


def test_a_device_that_rounds_as_litert_fails_as_tflm(tmp_path: Path) -> None:
    data = tflm_models.dense()
    inputs = frames(data, 400)
    differs = (TfliteMicro(data, tflite.parse(data)).run(inputs) != Oracle(data).run(inputs)).any(axis=1)
    first = int(np.flatnonzero(differs)[0])
    with pytest.raises(ProofError, match=f"frame {first} of 400 differs") as caught:
        prove(data, inputs, tmp_path)
    assert "--runtime compiled" in caught.value.hint
