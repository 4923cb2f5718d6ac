"""`--runtime tflm` in generate and inspect: what is written, shown and refused."""

import hashlib
import json
import re
from collections.abc import Callable
from pathlib import Path

import pytest
import small_models
import tflm_models

from edgekit import resources
from edgekit.firmware import manifest


@pytest.fixture
def saved(tmp_path: Path) -> Callable[[bytes], Path]:
    """Return a function that writes a model and returns its path."""

    def save(data: bytes) -> Path:
        path = tmp_path / "model.tflite"
        path.write_bytes(data)
        return path

    return save


def test_generate_for_espressif(cli: Callable, saved: Callable, tmp_path: Path) -> None:
    path = saved(tflm_models.convolutional(middle="L2_NORMALIZATION"))
    out = tmp_path / "fw"
    done = cli("generate", path, "--board", "esp32s3_eye", "--runtime", "tflm", "-o", out, "--json")
    assert done.code == 0, done.err
    report = done.json["tflm"]
    assert report["library"] == "esp-tflite-micro 1.4.0"
    assert "AddL2Normalization" in report["resolver"]
    assert report["npu"] is None
    assert done.json["macs"] is None
    arena = report["arena"]
    assert arena["bytes"] >= arena["reference_bytes"] + arena["margin_bytes"] > arena["reference_bytes"] > 0
    assert "ESP-NN" in arena["margin_reason"]
    assert report["data"]["sha256"] == hashlib.sha256(path.read_bytes()).hexdigest()
    written = json.loads((out / manifest.NAME).read_text())
    assert written["runtime"] == "tflm"
    assert written["tflm"] == report
    assert written["memory"]["arena_bytes"] == arena["bytes"]
    files = set(written["files"])
    assert {"model/ek_tflm.cc", "model/model.h", "model/model_data.c"} <= files
    assert not [name for name in files if name.startswith("runtime/")]
    assert f"#define EK_MODEL_ARENA_BYTES {arena['bytes']}u" in (out / "model" / "model.h").read_text()
    # The other runtime lacks the operator.
    assert cli("generate", path, "--board", "esp32s3_eye", "-o", out).code == 4


def test_generate_for_the_npu(cli: Callable, saved: Callable, tmp_path: Path) -> None:
    path = saved(tflm_models.convolutional(middle="L2_NORMALIZATION"))
    out = tmp_path / "fw"
    done = cli("generate", path, "--board", "grove_vision_ai_v2", "--runtime", "tflm", "-o", out)
    assert done.code == 0, done.err
    assert "on NPU     4 (AVERAGE_POOL_2D 1, CONV_2D 1, FULLY_CONNECTED 1, RESHAPE 1)" in done.out
    assert "on CPU     1 (L2_NORMALIZATION 1)" in done.out
    assert "L2_NORMALIZATION 'middle': Unsupported opType" in done.out
    assert "Vela's estimate" in done.out
    assert "not yet verified on hardware" in done.out
    written = json.loads((out / manifest.NAME).read_text())
    assert written["tflm"]["data"]["sha256"] != hashlib.sha256(path.read_bytes()).hexdigest()
    assert written["tflm"]["npu"]["operators_on_cpu"] == {"L2_NORMALIZATION": 1}


def test_an_operator_that_no_release_has(cli: Callable, saved: Callable, tmp_path: Path) -> None:
    out = tmp_path / "fw"
    path = saved(tflm_models.one("GELU"))
    done = cli("generate", path, "--board", "esp32s3_eye", "--runtime", "tflm", "-o", out)
    assert done.code == 4
    assert "operator 0 GELU 'y': TensorFlow Lite Micro has no kernel for it" in done.err
    assert not out.exists()


def test_a_debug_build_is_refused(cli: Callable, saved: Callable, tmp_path: Path) -> None:
    path = saved(small_models.classifier())
    arguments = ("--board", "esp32s3_eye", "--runtime", "tflm", "-o", tmp_path / "fw")
    done = cli("generate", path, *arguments, "--debug")
    assert done.code == 2
    assert "the runtime tflm cannot record the output of every step" in done.err


def test_a_board_without_it(cli: Callable, saved: Callable) -> None:
    done = cli("generate", saved(small_models.classifier()), "--board", "host", "--runtime", "tflm")
    assert done.code == 2
    assert "the board 'host' has no runtime 'tflm'" in done.err


def test_inspect_shows_every_board_that_has_it(cli: Callable, saved: Callable) -> None:
    found = cli("inspect", saved(small_models.classifier()), "--runtime", "tflm", "--json").json
    reports = found["tflm"]
    assert {"esp32s3_eye", "grove_vision_ai_v2", "xiao_esp32s3_sense"} <= set(reports)
    assert "host" not in reports
    assert reports["grove_vision_ai_v2"]["npu"]["estimate"]["cycles"] > 0
    assert {budget["board"] for budget in found["boards"]} == set(reports)
    assert all(budget["fits"] for budget in found["boards"])


def test_inspect_says_what_only_one_runtime_can(cli: Callable, saved: Callable) -> None:
    path = saved(tflm_models.convolutional(middle="L2_NORMALIZATION"))
    done = cli("inspect", path, "--runtime", "tflm", "--board", "xiao_esp32s3")
    assert done.code == 0
    assert "edgekit's own C cannot run it" in done.out
    assert "tflm on xiao_esp32s3" in done.out
    assert re.search(r"^xiao_esp32s3 +fits ", done.out, re.MULTILINE)
    refused = cli("inspect", saved(tflm_models.one("GELU")), "--runtime", "tflm", "--board", "xiao_esp32s3")
    assert refused.code == 0
    assert "  cannot run it: esp-tflite-micro 1.4.0 cannot run 1 of the model's 1 operators" in refused.out


def test_bench_counts_no_steps_of_an_interpreter(cli: Callable, saved: Callable, tmp_path: Path) -> None:
    mine = tmp_path / "mine.toml"
    text = (resources.boards() / "esp32s3_eye.toml").read_text("utf-8")
    mine.write_text(re.sub(r'(?m)^runtime = "compiled"$', 'runtime = "tflm"', text), "utf-8")
    done = cli("bench", "--board", mine, saved(tflm_models.convolutional()))
    assert done.code == 2, done.err
    assert "steps cannot be counted" in done.err
