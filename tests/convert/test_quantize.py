"""Quantisation end to end with the real converters: TensorFlow is imported once, for this file alone."""

import hashlib
import io
import math
import os
import random
import re
import socket
import subprocess
import sys
import threading
import zipfile
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from onnx import helper

from edgekit import contract, data, install, ops
from edgekit.contract import Color
from edgekit.convert import evaluate, from_onnx, load, quantize, recipe
from edgekit.convert.onnx_model import OnnxModel
from edgekit.convert.quantize import QuantizedModel
from edgekit.data import digits
from edgekit.errors import DataError, EdgekitError, ModelError, UsageError
from edgekit.graph import tflite
from edgekit.graph.ir import DType
from edgekit.oracle import Oracle, oracle_version
from edgekit.reference import Reference

MODEL = Path(__file__).parents[2] / "examples" / "digits" / "digits.onnx"
GRAY = contract.preprocessing(Color.GRAY, mean=[0.5], std=[0.5])
RGB = contract.preprocessing(Color.RGB, mean=[0.4, 0.5, 0.6], std=[0.25])


def smooth(count: int, height: int = 8, width: int = 8, channels: int = 3, seed: int = 0) -> np.ndarray:
    """Frames whose neighbouring pixels are alike, as those of images are."""
    coarse = np.random.default_rng(seed).integers(0, 256, (count, 4, 4, channels), dtype=np.uint8)
    return coarse.repeat(-(-height // 4), axis=1).repeat(-(-width // 4), axis=2)[:, :height, :width]


@pytest.fixture(scope="module")
def float_digits() -> OnnxModel:
    return load.load_model(MODEL)


@pytest.fixture(scope="module")
def found() -> digits.Digits:
    return digits.load()


@pytest.fixture(scope="module")
def int8_digits(float_digits: OnnxModel, found: digits.Digits) -> QuantizedModel:
    wanted = recipe.Recipe(GRAY, labels=digits.LABELS)
    return quantize.quantize(float_digits, found.pixels[found.calibration], wanted)


def parse(proto: Any) -> OnnxModel:
    return from_onnx.parse(proto.SerializeToString(), "net.onnx")


# --- the digits


def test_the_digits_keep_their_accuracy(
    float_digits: OnnxModel, int8_digits: QuantizedModel, found: digits.Digits
) -> None:
    frames = data.frames(found.subset(found.held_out, "held out"), GRAY, float_digits.size)
    done: list[int] = []
    report = evaluate.evaluate(
        float_digits,
        int8_digits.contract,
        Reference(Oracle(int8_digits.data), int8_digits.contract),
        frames,
        progress=done.append,
    )
    assert report.n == 449
    assert done[-1] == 449
    assert report.top1_float is not None
    assert report.top1_float >= 0.97
    assert report.drop_points is not None
    assert report.drop_points <= 1.0
    assert report.top5_int8 is not None
    assert report.top5_int8 >= 0.99
    assert report.agreement >= 0.98
    assert report.snr_db > 25
    assert int8_digits.snr_db > 25


def test_the_model_carries_its_contract(int8_digits: QuantizedModel) -> None:
    graph = tflite.parse(int8_digits.data)
    agreed = contract.of(graph)
    assert agreed == int8_digits.contract
    assert agreed.labels == digits.LABELS
    assert agreed.oracle == oracle_version()
    assert agreed.preprocess == GRAY
    assert not agreed.implied
    with zipfile.ZipFile(io.BytesIO(int8_digits.data)) as archive:
        assert archive.read("labels.txt").decode().split() == list(digits.LABELS)


def test_what_is_reported_of_the_digits(int8_digits: QuantizedModel) -> None:
    expected = ("ADD", "CONV_2D", "DEPTHWISE_CONV_2D", "FULLY_CONNECTED", "MEAN", "PAD")
    assert tuple(int8_digits.operators) == expected
    # 1x1, 3x3 and depthwise windows of the layers in examples/digits/model.py, by hand.
    assert int8_digits.macs == 18432 + 4608 + 8192 + 9216 + 16384 + 73728 + 320
    assert int8_digits.images == 256
    assert int8_digits.float_bytes == len(load.load_model(MODEL).proto)
    assert int8_digits.notes == ()


def test_every_activation_is_int8_and_dense_weights_are_per_tensor(int8_digits: QuantizedModel) -> None:
    graph = int8_digits.graph
    for op in graph.ops:
        for index in (*op.inputs, *op.outputs):
            assert graph.tensor(index).dtype in (DType.INT8, DType.INT32)
        weights = graph.tensor(op.inputs[1]).quantization if len(op.inputs) > 1 else None
        if op.kind == "FULLY_CONNECTED":
            assert weights is not None
            assert not weights.per_channel
        if op.kind == "CONV_2D":
            assert weights is not None
            assert weights.per_channel


def test_a_second_run_gives_the_same_bytes(
    float_digits: OnnxModel, int8_digits: QuantizedModel, found: digits.Digits
) -> None:
    wanted = recipe.Recipe(GRAY, labels=digits.LABELS)
    again = quantize.quantize(float_digits, found.pixels[found.calibration], wanted)
    assert again.data == int8_digits.data


def test_another_process_gives_the_same_bytes(int8_digits: QuantizedModel) -> None:
    code = f"""
import hashlib
from dataclasses import replace
from pathlib import Path
from edgekit.contract import Color, preprocessing
from edgekit.convert import load, quantize, recipe
from edgekit.data import digits
found = digits.load()
wanted = recipe.Recipe(preprocessing(Color.GRAY, mean=[0.5], std=[0.5]), labels=digits.LABELS)
model = load.load_model(Path({str(MODEL)!r}))
made = quantize.quantize(model, found.pixels[found.calibration], wanted)
print(hashlib.sha256(made.data).hexdigest())
"""
    done = subprocess.run(
        [sys.executable, "-c", code],
        capture_output=True,
        text=True,
        check=True,
        env={**os.environ, "PYTHONHASHSEED": "77"},
    )
    assert done.stdout.strip() == hashlib.sha256(int8_digits.data).hexdigest()
    assert done.stderr == ""


# --- what a conversion must not do


def test_no_network_no_output_no_traces(
    make_net: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    """A 3-channel model is what makes onnx2tf fetch a file."""

    def refuse(*args: object, **kwargs: object) -> None:
        raise AssertionError(f"the network was used: {args}")

    path = tmp_path / "net.onnx"
    path.write_bytes(make_net().SerializeToString())
    before = path.read_bytes()
    monkeypatch.chdir(tmp_path)
    for name in ("socket", "create_connection", "getaddrinfo"):
        monkeypatch.setattr(socket, name, refuse)
    limit, state, threads = sys.getrecursionlimit(), random.getstate(), threading.active_count()
    made = quantize.quantize(load.load_model(path), smooth(8), recipe.Recipe(RGB))
    assert capfd.readouterr() == ("", "")
    assert path.read_bytes() == before
    assert [p.name for p in tmp_path.iterdir()] == ["net.onnx"]
    assert Path.cwd() == tmp_path
    assert (sys.getrecursionlimit(), random.getstate(), threading.active_count()) == (limit, state, threads)
    assert made.contract.labels == ("0", "1", "2", "3", "4")


# --- operators


def nodes(*specs: tuple[Any, ...]) -> list[Any]:
    """Make a chain of nodes: (kind, further inputs, attributes), from "conv" to "y"."""
    made = []
    place = "conv"
    for number, (kind, inputs, attributes) in enumerate(specs):
        target = "y" if number == len(specs) - 1 else f"t{number}"
        made.append(helper.make_node(kind, [place, *inputs], [target], name=f"n{number}", **attributes))
        place = target
    return made


POOL = {"kernel_shape": [3, 3], "strides": [2, 2], "pads": [1, 1, 1, 1]}


@pytest.mark.parametrize(
    ("chain", "options", "operators"),
    [
        (nodes(("Relu", [], {}), ("MaxPool", [], POOL)), {}, {"PAD", "MAX_POOL_2D"}),
        (nodes(("AveragePool", [], {"kernel_shape": [2, 2], "strides": [2, 2]})), {}, {"AVERAGE_POOL_2D"}),
        (nodes(("HardSigmoid", [], {"alpha": 1 / 6})), {}, {"MUL"}),
        (nodes(("HardSwish", [], {})), {}, {"HARD_SWISH"}),
        (nodes(("Gelu", [], {})), {}, {"GELU"}),
        (nodes(("Softmax", [], {"axis": 1})), {}, {"SOFTMAX"}),
        (nodes(("Abs", [], {})), {}, {"ABS"}),
        (
            nodes(("Conv", ["w2"], {"group": 4, "pads": [1, 1, 1, 1], "strides": [2, 2]})),
            {"constants": {"w2": np.linspace(-1, 1, 36, dtype=np.float32).reshape(4, 1, 3, 3)}},
            {"DEPTHWISE_CONV_2D", "PAD"},
        ),
        (
            nodes(("Transpose", [], {"perm": [0, 1, 3, 2]})),
            {},
            {"TRANSPOSE"},
        ),
    ],
)
def test_operators_convert(make_net: Any, chain: list[Any], options: Any, operators: set[str]) -> None:
    made = quantize.quantize(parse(make_net(chain, "y", **options)), smooth(32), recipe.Recipe(RGB))
    assert operators <= set(made.operators)
    assert made.snr_db > 25
    assert any("TRANSPOSE operator" in note for note in made.notes) == ("TRANSPOSE" in operators)
    beyond = operators - set(ops.supported())
    refusals = [note for note in made.notes if "generate" in note]
    assert len(refusals) == len(beyond)
    for note, kind in zip(refusals, beyond, strict=True):
        assert re.search(rf"operator \d+ {kind} .*: there is no kernel for it", note)


def test_a_dense_layer_over_maps_needs_no_transpose(make_net: Any) -> None:
    proto = make_net(nodes(("Flatten", [], {})), "y", pool=False, channels=256)
    made = quantize.quantize(parse(proto), smooth(32), recipe.Recipe(RGB))
    assert set(made.operators) <= {"CONV_2D", "RESHAPE", "FULLY_CONNECTED"}
    assert made.notes == ()
    assert made.macs == 8 * 8 * 27 * 4 + 256 * 5
    assert made.snr_db > 25


def test_a_narrow_range_of_calibration_pixels_is_noted(make_net: Any) -> None:
    made = quantize.quantize(parse(make_net()), smooth(8) // 2 + 40, recipe.Recipe(RGB))
    assert any(re.search(r"span \d+\.\.1[0-6]\d only", note) for note in made.notes)


def test_a_channels_last_model_is_the_same_model(make_net: Any) -> None:
    first = parse(make_net(shape=(1, 3, 12, 8)))
    last = parse(make_net(shape=(1, 12, 8, 3)))
    pixels = smooth(16, 12, 8)
    rows = []
    for model in (first, last):
        made = quantize.quantize(model, pixels, recipe.Recipe(RGB))
        assert made.contract.input_shape == (1, 12, 8, 3)
        rows.append(Oracle(made.data).run(data.quantise(made.contract, pixels)))
    assert np.array_equal(*rows)


def test_a_conversion_that_changes_the_model_is_refused(make_net: Any) -> None:
    """onnx2tf normalises over another axis than ONNX says here."""
    constants = {"s": np.ones(8, np.float32), "b": np.zeros(8, np.float32)}
    proto = make_net(nodes(("LayerNormalization", ["s", "b"], {"axis": -1})), "y", constants=constants)
    with pytest.raises(ModelError, match=r"changes its scores|cannot convert"):
        quantize.quantize(parse(proto), smooth(8), recipe.Recipe(RGB))


def test_float_operators_that_remain_are_named(make_net: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """TensorFlow leaves some operators in float without a word."""
    from edgekit.convert import onnx_ops

    monkeypatch.setattr(onnx_ops, "CONVERTIBLE", onnx_ops.CONVERTIBLE | {"Neg"})
    proto = make_net(nodes(("Neg", [], {})), "y")
    with pytest.raises(ModelError, match=r"keeps float operators .*NEG"):
        quantize.quantize(parse(proto), smooth(8), recipe.Recipe(RGB))


# --- requests that cannot be


@pytest.mark.parametrize(
    ("pixels", "wanted", "message"),
    [
        (smooth(4), recipe.Recipe(RGB, labels=("a", "b")), "2 labels were given, but .* has 5 outputs"),
        (smooth(4), recipe.Recipe(RGB, labels=("a\nb", *"cdef")), "plain text"),
        (smooth(4), recipe.Recipe(GRAY), "color 'gray' has 1 channel"),
        (smooth(4, 9, 8), recipe.Recipe(RGB), r"\[4, 9, 8, 3\]"),
        (smooth(4).astype(np.float32), recipe.Recipe(RGB), "float32"),
        (smooth(0), recipe.Recipe(RGB), r"\[0, 8, 8, 3\]"),
        (smooth(4), recipe.Recipe(RGB, max_images=0), "at least 1 image"),
        (smooth(4), recipe.Recipe(contract.preprocessing(Color.RGB, std=[0.0])), "std .* above 0"),
        (smooth(4), recipe.Recipe(contract.preprocessing(Color.RGB, mean=[0.1, 0.2])), r"2 value\(s\)"),
        (np.random.default_rng(0).integers(0, 256, (9, 8, 8, 3), np.uint8), recipe.Recipe(RGB), "random"),
    ],
)
def test_requests_that_do_not_fit_are_refused_at_once(
    make_net: Any, pixels: np.ndarray, wanted: recipe.Recipe, message: str
) -> None:
    begun: list[str] = []
    with pytest.raises(EdgekitError) as caught:
        quantize.quantize(parse(make_net()), pixels, wanted, progress=begun.append)
    assert isinstance(caught.value, UsageError | DataError)
    assert re.search(message, caught.value.message), caught.value.message
    assert not begun


def test_random_calibration_can_be_allowed(make_net: Any) -> None:
    noise = np.random.default_rng(0).integers(0, 256, (8, 8, 8, 3), np.uint8)
    made = quantize.quantize(parse(make_net()), noise, recipe.Recipe(RGB, allow_random=True))
    assert made.images == 8


def test_mean_in_units_of_255_is_refused_with_the_converted_values() -> None:
    with pytest.raises(UsageError) as caught:
        contract.preprocessing(Color.RGB, mean=[123.675, 116.28, 103.53])
    assert "0.485,0.456,0.406" in caught.value.hint


@pytest.mark.parametrize("package", ["onnx", "onnxruntime", "onnxslim", "onnx2tf", "tensorflow", "tf_keras"])
def test_a_missing_package_is_named_with_the_pip_line(package: str) -> None:
    code = f"""
import sys
sys.modules[{package!r}] = None
import numpy as np
from dataclasses import replace
from pathlib import Path
from edgekit.contract import Color, preprocessing
from edgekit.convert import load, quantize, recipe
from edgekit.errors import MissingExtraError
try:
    model = load.load_model(Path({str(MODEL)!r}))
    wanted = recipe.Recipe(preprocessing(Color.GRAY))
    quantize.quantize(model, np.zeros((4, 32, 32, 1), np.uint8), wanted)
except MissingExtraError as error:
    print(error.message, error.hint)
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert f"'{package}'" in done.stdout
    assert install.command("convert") in done.stdout


# --- evaluation


def test_scores_are_compared_as_documented(int8_digits: QuantizedModel) -> None:
    agreed = int8_digits.contract
    int8 = np.full((2, 10), -128, np.int8)
    int8[0, 3] = int8[0, 7] = 50  # a tie: the first class wins
    int8[1, 9] = 10
    floats = ((int8.astype(np.float64) - agreed.output_zero_point) * agreed.output_scale).astype(np.float32)
    report = evaluate.compare(floats, int8, np.array([3, 0]), agreed)
    assert (report.top1_int8, report.top1_float, report.agreement) == (0.5, 0.5, 1.0)
    assert report.top5_int8 == 1.0
    assert report.snr_db > 100
    assert report.drop_points == 0
    assert replace(report, n=100, top1_float=0.97, top1_int8=0.96).drop_points == 1  # not 1.0000000000000009
    unlabelled = evaluate.compare(floats, int8, None, agreed)
    assert unlabelled.top1_float is None
    assert unlabelled.drop_points is None
    zeros = np.full((1, 10), agreed.output_zero_point, np.int8)
    assert evaluate.compare(np.zeros((1, 10), np.float32), zeros, None, agreed).snr_db == math.inf


def test_labels_beyond_the_outputs_are_refused(float_digits: OnnxModel, int8_digits: QuantizedModel) -> None:
    frames = data.Frames(np.zeros((1, 32, 32, 1), np.uint8), np.array([10]))
    with pytest.raises(DataError, match="label 10, but the model has 10 outputs"):
        evaluate.evaluate(
            float_digits,
            int8_digits.contract,
            Reference(Oracle(int8_digits.data), int8_digits.contract),
            frames,
        )
