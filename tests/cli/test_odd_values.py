"""Values that nobody should give, and that somebody will: each is refused in words, or means what it says."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import small_models

from edgekit import board, connection, models


@pytest.fixture
def foreign(tmp_path: Path) -> Path:
    """Return the path of a model without a contract."""
    path = tmp_path / "foreign.tflite"
    path.write_bytes(small_models.classifier())
    return path


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (("prove", "--random", "1000000000000"), "random frames are too many"),
        (("prove", "--random", "1" + 30 * "0"), "random frames are too many"),
        (("prove", "--random", "1", "--seed", "-1"), "--seed"),
        (("prove", "--random", "1", "--count", "1"), "--count limits"),
        (("monitor", "--source", "test.npz", "--fps", "nan"), "'nan' is not a number"),
        (("monitor", "--source", "test.npz", "--fps", "1e-300"), "--fps"),
        (("monitor", "--source", "test.npz", "--timeout", "nan"), "'nan' is not a number"),
        (("monitor", "--source", "test.npz", "--timeout", "inf"), "not in the range 0.1<=x<=86400"),
        (("monitor", "--source", "camera:99999999999999999999"), "names no camera"),
        (("monitor", "--source", "camera:"), "names no camera"),
        (("flash", "--mean", "nan"), "must be finite"),
        (("flash", "--std", "0"), "above 0"),
        (("flash", "--mean", "1,,1"), "is not a list of numbers"),
        (("flash", "--mean", "0.1,0.2"), "2 value(s) for 3 channel(s)"),
        (("flash", "--labels", "a,b\x1b[2Jc,d"), "not plain text"),
        (("flash", "--labels", "."), "Is a directory"),
        (("flash", "--labels", "x.npy"), "not UTF-8"),
        (("flash", "--labels", ","), "holds no labels"),
        (("flash", "--no-build", "--debug"), "--no-build"),
    ],
)
def test_odd_values_are_usage_errors(
    cli: Callable, model: Path, labelled: Path, arguments: tuple[str, ...], words: str
) -> None:
    done = cli(*arguments, "--model", model)
    assert done.code == 2, done.out + done.err
    assert words in done.err
    assert "  try: " in done.err


@pytest.mark.parametrize("size", ["0x0", "32x", "9" * 5000, "-1", "٣٢", "1x2x3", "5000"])
def test_sizes_that_are_none(cli: Callable, size: str) -> None:
    done = cli("quantize", "m.onnx", "--calibration", "c", "-o", "m.tflite", f"--size={size}")
    assert done.code == 2
    assert "is not a size such as" in done.err


def test_no_drop_is_allowed_that_is_no_number(cli: Callable) -> None:
    assert cli("quantize", "m.onnx", "--calibration", "c", "-o", "m.tflite", "--max-drop", "nan").code == 2


def test_one_value_stands_for_all_channels(model: Path) -> None:
    one = models.load_model(model, models.ContractFlags(mean=(0.5,), std=(0.25,)))
    all_three = models.load_model(model, models.ContractFlags(mean=(0.5,) * 3, std=(0.25,) * 3))
    assert one.contract == all_three.contract


def test_more_labels_than_a_path_is_long_are_a_list(cli: Callable, foreign: Path) -> None:
    many = ",".join(f"a-label-that-is-long-{i}" for i in range(100))
    done = cli("generate", foreign, "--labels", many, "-o", "fw")
    assert "100 labels were given, but the model has 3 outputs" in done.err


def test_labels_of_a_file_may_hold_commas_and_begin_with_a_mark(cli: Callable, foreign: Path) -> None:
    Path("labels,with,commas.txt").write_bytes(b'\xef\xbb\xbfcat, tabby\r\n"dog"\r\n' + b"x" * 3000)
    done = cli("flash", "--model", foreign, "--labels", "labels,with,commas.txt")
    assert done.code == 0, done.err
    found = models.load_model(foreign, models.ContractFlags(labels=("cat, tabby", '"dog"', "x" * 3000)))
    with connection.open_device(board.load("host"), model=found) as device:
        assert device.classify(np.zeros((8, 8, 3), np.uint8)).label in found.contract.labels


def test_a_model_that_is_named_must_be_there(cli: Callable, model: Path) -> None:
    assert cli("flash", "--model", model).code == 0
    done = cli("flash", "--model", "nowhere.tflite")
    assert done.code == 4
    assert "nowhere.tflite" in done.err
    assert cli("flash").code == 0  # what was generated before, as it stands
    done = cli("flash", "--debug")
    assert done.code == 2
    assert "as it stands" in done.err


def test_flash_finds_firmware_that_is_not_its_image(cli: Callable, model: Path) -> None:
    assert cli("flash", "--model", model).code == 0
    record = Path("build/host/image.json")
    text = record.read_text()
    digest = models.load_model(model).digest
    record.write_text(text.replace(digest, "0" * 64))
    done = cli("flash", "--no-build")
    assert done.code == 11
    assert "model digest" in done.err


def test_colour_and_resizing_leave_the_implied_table_alone(foreign: Path) -> None:
    plain = models.load_model(foreign).contract
    cropped = models.load_model(foreign, models.ContractFlags(color="bgr", resize="crop")).contract
    assert cropped.table == plain.table
    assert cropped.implied
    stated = models.load_model(foreign, models.ContractFlags(mean=(0.5,), std=(0.5,))).contract
    assert stated.table != plain.table
    assert not models.load_model(foreign, models.ContractFlags(labels=("a", "b", "c"))).contract.implied


def test_classes_are_matched_to_labels_that_were_named_and_to_no_others(
    cli: Callable, foreign: Path, tmp_path: Path
) -> None:
    from PIL import Image

    for name in "abc":
        (tmp_path / "classes" / name).mkdir(parents=True)
        Image.new("RGB", (8, 8)).save(tmp_path / "classes" / name / "0.png")
    options = ("--model", foreign, "--mean", "0.5")
    assert cli("flash", *options).code == 0
    assert cli("monitor", *options, "--source", "classes").code == 0
    assert cli("prove", "--model", foreign, "--labels", "x,y,z", "--data", "classes").code == 0
    assert cli("flash", *options, "--labels", "x,y,z").code == 0
    assert cli("monitor", *options, "--labels", "x,y,z", "--source", "classes").code == 3


def test_frames_in_an_archive_are_refused(cli: Callable, model: Path) -> None:
    Path("x.npy").write_bytes(b"PK\x03\x04 no archive either")
    done = cli("classify", "--model", model, "--input", "x.npy", "--output", "y.npy")
    assert done.code == 3, done.err
    assert "x.npy" in done.err


def test_an_output_that_cannot_be_written_is_found_before_the_work(
    cli: Callable, model: Path, frames: Path, tmp_path: Path
) -> None:
    (tmp_path / "file").touch()
    absent = ("--port", "/dev/nowhere", "--model", model)  # would be exit 8
    assert cli("classify", *absent, "--input", frames, "--output", "file/y.npy").code == 7
    assert cli("prove", *absent, "--random", 1, "-o", "file/c.json").code == 7


@pytest.mark.parametrize("text", ['[model]\noutput = "a\\u0000b"', "x = " + "[" * 5000, "\xff"])
def test_odd_project_files_are_named(cli: Callable, text: str) -> None:
    Path("edgekit.toml").write_bytes(f"schema = 1\n{text}\n".encode("latin-1"))
    done = cli("generate")
    assert done.code == 3, done.err
    assert "edgekit.toml" in done.err


def test_a_device_that_restarts_is_noted_and_the_run_completes(
    cli: Callable, model: Path, labelled: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    import shutil

    from edgekit import resources

    copy = tmp_path / "templates"
    shutil.copytree(resources.firmware_templates(), copy)
    monkeypatch.setenv("EDGEKIT_TEMPLATES", str(copy))
    kernel = copy / "runtime" / "src" / "ref" / "ek_softmax_s8.c"
    text = kernel.read_text("utf-8")
    opening = text.index("{", text.index("void ek_softmax_s8(")) + 1
    dying = "static int calls; if (++calls == 6) { exit(0); }"
    kernel.write_text("#include <stdlib.h>\n" + text[:opening] + dying + text[opening:], "utf-8")
    assert cli("flash", "--model", model).code == 0
    done = cli("monitor", "--model", model, "--source", labelled, "--json")
    assert done.code == 0, done.out
    summary = done.json
    assert summary["n"] == 10
    assert summary["reconnections"] > 0
    assert "opened again" in summary["warnings"][0]
    assert (summary["ok"], summary["error"]) == (True, None)


@pytest.mark.parametrize("command", ["generate", "inspect", "prove --random 1 --model", "flash --model"])
def test_a_flag_counts_more_than_the_environment_and_that_more_than_the_project_file(
    cli: Callable, command: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    words = command.split()
    bare = [word for word in words if word != "--model"]
    Path("edgekit.toml").write_text('schema = 1\n[model]\noutput = "of-the-file.tflite"\n')
    assert "of-the-file.tflite" in cli(*bare).err
    monkeypatch.setenv("EDGEKIT_MODEL", "of-the-environment.tflite")
    assert "of-the-environment.tflite" in cli(*bare).err
    assert "of-the-flag.tflite" in cli(*words, "of-the-flag.tflite").err
