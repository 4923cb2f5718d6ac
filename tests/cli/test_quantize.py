"""`edgekit quantize` and `edgekit demo` on the digits example: real conversions, real refusals."""

import re
import signal
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from edgekit import resources
from edgekit.data import digits

MODEL = resources.examples() / "digits" / "digits.onnx"
OPTIONS = ("--mean", "0.5", "--std", "0.5", "--color", "gray")


@pytest.fixture
def data(tmp_path: Path) -> tuple[Path, Path]:
    """Return the paths of calibration and test images."""
    found = digits.load()
    paths = []
    for name, indices in (("calibration", found.calibration[:64]), ("test", found.held_out[:100])):
        path = tmp_path / f"{name}.npz"
        np.savez(path, images=found.pixels[indices], labels=found.labels[indices])
        paths.append(path)
    return paths[0], paths[1]


def test_the_digits_quantise_with_a_report_and_the_same_bytes_again(
    cli: Callable, data: tuple[Path, Path]
) -> None:
    calibration, test = data
    before = MODEL.read_bytes()
    arguments = ("quantize", MODEL, "--calibration", calibration, *OPTIONS)
    done = cli(*arguments, "--eval", test, "--max-drop", "2", "-o", "a.tflite", "--json")
    assert done.code == 0, done.out + done.err
    report = done.json
    assert report["evaluation"]["n"] == 100
    assert report["evaluation"]["top1"]["float"] >= 0.97
    assert report["evaluation"]["top1"]["int8"] >= 0.95
    assert report["evaluation"]["top5"]["int8"] >= report["evaluation"]["top1"]["int8"]
    assert report["snr_db"] > 20
    assert report["bytes"] == Path("a.tflite").stat().st_size
    assert report["ops"]["CONV_2D"] > 1
    assert report["macs"] > 0
    assert MODEL.read_bytes() == before
    assert cli(*arguments, "-o", "b.tflite").code == 0
    assert Path("a.tflite").read_bytes() == Path("b.tflite").read_bytes()
    proven = cli("prove", "--model", "a.tflite", "--data", test)
    assert proven.code == 0, proven.err


def test_more_than_the_allowed_drop_fails_and_writes_nothing(
    cli: Callable, data: tuple[Path, Path], tmp_path: Path
) -> None:
    # Black images calibrate every range to nothing: int8 is then far worse than float.
    black = tmp_path / "black.npz"
    np.savez(black, images=np.zeros((8, 32, 32, 1), np.uint8))
    arguments = ("quantize", MODEL, "--calibration", black, *OPTIONS, "--eval", data[1])
    done = cli(*arguments, "--max-drop", "1", "-o", "m.tflite", "--json")
    assert done.code == 5, done.out + done.err
    assert done.json["error"]["id"] == "accuracy"
    assert done.json["error"]["details"]["drop_points"] > 1
    assert not Path("m.tflite").exists()


def test_random_calibration_is_refused(cli: Callable, tmp_path: Path) -> None:
    noise = tmp_path / "noise.npz"
    np.savez(noise, images=np.random.default_rng(0).integers(0, 256, (64, 32, 32, 1), np.uint8))
    done = cli("quantize", MODEL, "--calibration", noise, *OPTIONS, "-o", "m.tflite")
    assert done.code == 3
    assert "random" in done.err
    assert not Path("m.tflite").exists()


@pytest.mark.parametrize(
    ("arguments", "code", "words"),
    [
        ((), 2, ("--calibration",)),
        (("--calibration", "nowhere", "-o", "m.tflite"), 3, ("nowhere",)),
        (("--calibration", "empty", "-o", "m.tflite"), 3, ("empty",)),
        (("--calibration", "broken", "-o", "m.tflite"), 3, ("bad.png",)),
        (("--calibration", "C", "-o", "m.tflite", "--labels", "a,b"), 2, ("2 labels", "10 outputs")),
        (("--calibration", "C", "-o", "m.tflite", "--mean", "127.5"), 2, ("0.5",)),
        (("--calibration", "C", "-o", "m.tflite", "--color", "rgb"), 2, ("rgb", "1")),
        (("--calibration", "C", "-o", "m.tflite", "--size", "8x8"), 2, ("8x8", "[1, 1, 32, 32]")),
        (("--calibration", "C", "-o", "m.tflite", "--max-drop", "1"), 2, ("--eval",)),
        (("--calibration", "C", "-o", "empty"), 7, ("empty", "folder")),
        (("--calibration", "C", "-o", "file/m.tflite"), 7, ("file",)),
    ],
)
def test_bad_requests(
    cli: Callable, data: tuple[Path, Path], arguments: tuple[str, ...], code: int, words: tuple[str, ...]
) -> None:
    Path("empty").mkdir()
    Path("broken").mkdir()
    Path("broken/bad.png").write_bytes(b"\x89PNG\r\n\x1a\n damaged")
    Path("file").write_text("in the way")
    done = cli("quantize", MODEL, *(str(data[0]) if a == "C" else a for a in arguments))
    assert done.code == code, done.err
    for word in words:
        assert word in done.err
    assert not Path("m.tflite").exists()


@pytest.mark.parametrize("length", [0, 1, 100, 5000])
def test_what_is_no_model_is_refused(cli: Callable, data: tuple[Path, Path], length: int) -> None:
    Path("cut.onnx").write_bytes(MODEL.read_bytes()[:length])
    done = cli("quantize", "cut.onnx", "--calibration", data[0], "-o", "m.tflite")
    assert done.code == 4, done.err
    assert "cut.onnx" in done.err


def test_a_missing_extra_names_the_pip_line(data: tuple[Path, Path], tmp_path: Path) -> None:
    blocked = tmp_path / "blocked"
    blocked.mkdir()
    (blocked / "onnx.py").write_text("raise ModuleNotFoundError(\"No module named 'onnx'\", name='onnx')")
    arguments = [sys.executable, "-m", "edgekit", "quantize", MODEL, "--calibration", data[0], *OPTIONS]
    done = subprocess.run(
        [*arguments, "-o", tmp_path / "m.tflite"],
        capture_output=True,
        text=True,
        check=False,
        env={"PYTHONPATH": str(blocked), "PATH": ""},
    )
    assert done.returncode == 7, done.stderr
    assert re.search(r' install .*\[convert\]"', done.stderr)


def test_ctrl_c_while_quantising_leaves_no_file(data: tuple[Path, Path], tmp_path: Path) -> None:
    target = tmp_path / "m.tflite"
    arguments = [sys.executable, "-m", "edgekit", "quantize", MODEL, "--calibration", data[0], *OPTIONS]
    process = subprocess.Popen([*arguments, "-o", target, "-v"], stderr=subprocess.PIPE, text=True)
    assert process.stderr is not None
    for line in process.stderr:
        if "quantising with" in line:
            process.send_signal(signal.SIGINT)
            break
    _, err = process.communicate(timeout=120)
    assert process.returncode == 130, err
    assert "Traceback" not in err
    assert sorted(p.name for p in tmp_path.iterdir()) == ["calibration.npz", "test.npz"]


def test_the_demo_runs_the_whole_line(cli: Callable, paste: Callable) -> None:
    done = cli("demo", "--count", "200", "--json")
    assert done.code == 0, done.err
    lines = done.lines
    assert [line["type"] for line in lines] == ["quantize", "hello"] + ["prediction"] * 200 + ["summary"]
    assert lines[0]["evaluation"]["top1"]["float"] >= 0.97
    assert lines[-1]["accuracy"] >= 0.95
    assert lines[-1]["retransmissions"] == 0
    assert lines[-1]["frames_per_second"] > 0
    plain = cli("demo", "--count", "5", "-o", "my demo")
    for word in ("top-1", "top-5", "confusion", "invoke", "link", "accuracy"):
        assert word in plain.out
    said = [line.strip() for line in plain.err.splitlines() if line.startswith("  edgekit ")]
    assert [line.split()[1] for line in said] == ["inspect", "prove", "init"]
    for line in said:
        assert paste(line).code == 0, line


def test_random_calibration_of_another_size_is_refused_too(cli: Callable, tmp_path: Path) -> None:
    noise = tmp_path / "noise.npz"
    np.savez(noise, images=np.random.default_rng(0).integers(0, 256, (64, 96, 96, 1), np.uint8))
    done = cli("quantize", MODEL, "--calibration", noise, *OPTIONS, "-o", "m.tflite")
    assert done.code == 3, done.out
    assert "random" in done.err


def test_accuracy_is_taken_from_the_test_files_of_a_folder(cli: Callable, data: tuple[Path, Path]) -> None:
    head = bytes((0, 0, 8, 3, 0, 0, 0, 2, 0, 0, 0, 32, 0, 0, 0, 32)) + bytes(2048)
    Path("mnist").mkdir()
    for part, labels in (("train", bytes((0, 1))), ("t10k", bytes((0, 77)))):
        Path(f"mnist/{part}-images-idx3-ubyte").write_bytes(head)
        Path(f"mnist/{part}-labels-idx1-ubyte").write_bytes(bytes((0, 0, 8, 1, 0, 0, 0, 2)) + labels)
    done = cli("quantize", MODEL, "--calibration", data[0], *OPTIONS, "--eval", "mnist", "-o", "m.tflite")
    assert done.code == 3
    assert "0..77" in done.err


# --- 600 classes: LiteRT crashes where their scores are nearly equal


def wide(gain: float, dark: int) -> tuple[Path, Path]:
    """Write a network whose first class wins by `gain` times the brightness, and 20 images, `dark` black."""
    from onnx import TensorProto, helper, numpy_helper, save

    first = np.zeros((3, 600), np.float32)
    first[:, 0] = gain
    weights = {"w": np.eye(3, dtype=np.float32).reshape(3, 3, 1, 1), "dense": first}
    nodes = [
        helper.make_node("Conv", ["image", "w"], ["conv"]),
        helper.make_node("GlobalAveragePool", ["conv"], ["pool"]),
        helper.make_node("Flatten", ["pool"], ["flat"]),
        helper.make_node("MatMul", ["flat", "dense"], ["logits"]),
        helper.make_node("Softmax", ["logits"], ["scores"], axis=1),
    ]
    graph = helper.make_graph(
        nodes,
        "wide",
        [helper.make_tensor_value_info("image", TensorProto.FLOAT, [1, 3, 8, 8])],
        [helper.make_tensor_value_info("scores", TensorProto.FLOAT, [1, 600])],
        [numpy_helper.from_array(value, name) for name, value in weights.items()],
    )
    save(helper.make_model(graph, opset_imports=[helper.make_opsetid("", 13)], ir_version=8), "wide.onnx")
    images = np.full((20, 8, 8, 3), 200, np.uint8)
    images[:, :4] = np.linspace(0, 255, 20).astype(np.uint8)[:, None, None, None]
    images[20 - dark :] = 0
    np.savez("wide.npz", images=images, labels=np.zeros(20, np.int64))
    return Path("wide.onnx"), Path("wide.npz")


def test_a_model_that_the_reference_cannot_run_is_written_unmeasured(cli: Callable) -> None:
    model, images = wide(gain=0.01, dark=0)
    arguments = ("quantize", model, "--calibration", images, "--eval", images, "-o", "m.tflite")
    done = cli(*arguments, "--max-drop", "1", "--json")
    assert done.code == 5
    assert "could not be measured" in done.json["error"]["message"]
    assert not Path("m.tflite").exists()
    done = cli(*arguments)
    assert done.code == 0, done.err
    assert "on 20 images\n" in done.out  # and no SNR
    assert "top-1" not in done.out
    assert "int8 could not be compared with float on calibration images: LiteRT crashes (SIGABRT)" in done.err
    assert "the int8 accuracy could not be measured: LiteRT crashes (SIGABRT) on frame 0, at oper" in done.err
    assert "SOFTMAX" in done.err
    assert cli("inspect", "m.tflite").code == 0


def test_images_that_the_reference_cannot_run_are_left_out_and_count_as_lost(cli: Callable) -> None:
    model, images = wide(gain=8.0, dark=2)
    arguments = ("quantize", model, "--calibration", images, "--eval", images, "-o", "m.tflite", "--json")
    done = cli(*arguments, "--max-drop", "9")
    assert done.code == 5, done.err
    assert "int8 loses 10.00 points" in done.json["error"]["message"]
    assert (
        "on 20 images, the 2 of them that the reference has no answer for counted as lost"
        in (done.json["error"]["message"])
    )
    assert not Path("m.tflite").exists()
    done = cli(*arguments, "--max-drop", "11")
    assert done.code == 0, done.err
    found = done.json["evaluation"]
    assert (found["n"], found["left_out"], found["agreement"]) == (18, 2, 1.0)
    assert found["top1"] == {"float": 1.0, "int8": 1.0}
    assert done.json["snr_db"] > 10
    (warning,) = (line for line in done.json["warnings"] if "left out" in line)
    assert warning.startswith(
        "2 of 20 images are left out: LiteRT crashes (SIGABRT) on frame 18, at operator"
    )
