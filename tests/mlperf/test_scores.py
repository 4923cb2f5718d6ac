"""The texts of scores: what C's own printf makes of the same float32 values."""

import ctypes
import math
from dataclasses import replace

import numpy as np
import pytest
import small_models

from edgekit import board, contract
from edgekit.codegen.generator import generate
from edgekit.errors import UsageError
from edgekit.firmware import project
from edgekit.firmware.options import Firmware
from edgekit.firmware.protocols.mlperf_tiny import MlperfTiny, score_texts
from edgekit.graph import tflite


def printf(value: np.float32) -> str:
    out = ctypes.create_string_buffer(400)
    ctypes.CDLL(None).snprintf(out, ctypes.c_size_t(400), b"%0.3f", ctypes.c_double(float(value)))
    return out.value.decode()


@pytest.mark.parametrize(
    ("scale", "zero_point"),
    [
        (1 / 256, -128),
        (0.1, 3),
        (0.0004, 0),
        (1e-9, 5),
        (1.5, 127),
        (1 / 3, -7),
        (12345.678, 0),
        (1e36, -128),
    ],
)
def test_they_are_those_of_printf(scale: float, zero_point: int) -> None:
    expected = [printf(np.float32(score - zero_point) * np.float32(scale)) for score in range(-128, 128)]
    assert list(score_texts(scale, zero_point)) == expected


def test_random_scales() -> None:
    rng = np.random.default_rng(8)
    for scale in np.float32(10.0 ** rng.uniform(-6, 3, 100)):
        zero_point = int(rng.integers(-128, 128))
        expected = [printf(np.float32(score - zero_point) * scale) for score in range(-128, 128)]
        assert list(score_texts(float(scale), zero_point)) == expected


def test_ties_go_to_the_even_digit_and_small_negatives_keep_their_sign() -> None:
    texts = score_texts(1 / 256, -128)
    assert (texts[16], texts[48], texts[255]) == ("0.062", "0.188", "0.996")
    assert score_texts(0.0001, 0)[127] == "-0.000"


def test_scores_that_no_float_can_hold() -> None:
    with pytest.raises(UsageError, match="too large"):
        score_texts(3e38, -128)


def digits() -> contract.Contract:
    return contract.of(tflite.parse(small_models.classifier()))


@pytest.mark.parametrize(
    ("shape", "name"),
    [((1, 32, 32, 3), "ic01"), ((1, 96, 96, 3), "vww01"), ((1, 49, 10, 1), "kws01")],
)
def test_the_input_names_the_model(shape: tuple[int, ...], name: str) -> None:
    agreed = replace(digits(), input_shape=shape)
    assert MlperfTiny().model_for(agreed) == name
    assert MlperfTiny("ad01", "A. Company-2").model_for(agreed) == "ad01"


def test_no_benchmark_has_the_input() -> None:
    with pytest.raises(UsageError, match=r"no MLPerf Tiny model has the input \[1, 8, 8, 3\]") as caught:
        MlperfTiny().model_for(digits())
    assert "--mlperf-model" in caught.value.hint


@pytest.mark.parametrize("vendor", ["", "a]", 'a"', "a\\", "a%", "é", " a", "a\n", "x" * 33, "a??/"])
def test_a_vendor_that_would_break_the_protocol_or_the_c(vendor: str) -> None:
    with pytest.raises(UsageError, match="vendor"):
        MlperfTiny("ic01", vendor).model_for(digits())


def test_a_project_has_one_application() -> None:
    graph = tflite.parse(small_models.classifier())
    model, host = generate(graph, contract.of(graph)), board.load("host")
    plain = project.assemble(model, host)
    mlperf = project.assemble(model, host, Firmware(MlperfTiny("vww01", "A company")))
    assert {name for name in plain.files if name not in mlperf.files} == {
        "app/ek_frame.c",
        "app/ek_frame.h",
    }
    added = {name for name in mlperf.files if name not in plain.files}
    assert added == {"app/ek_mlperf.c", "app/ek_mlperf.h", "app/ek_text.c", "app/ek_text.h"}
    assert plain.files["app/ek_app.c"] != mlperf.files["app/ek_app.c"]
    assert plain.files["main.c"] == mlperf.files["main.c"]
    assert b'"vww01"' in mlperf.files["app/ek_mlperf.h"]
    assert b'"A company"' in mlperf.files["app/ek_mlperf.h"]
    assert b'"protocol": "mlperf_tiny"' in mlperf.manifest
    with pytest.raises(UsageError, match="debug"):
        project.assemble(model, host, Firmware(MlperfTiny("ic01"), debug=True))


def test_the_longest_score_text_fits_its_row() -> None:
    longest = max(map(len, score_texts(1e36, 127)))
    assert longest < 64
    assert math.isfinite(float(score_texts(1e36, 127)[0]))
