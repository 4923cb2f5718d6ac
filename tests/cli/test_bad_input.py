"""Bad input: a clear error, its exit code, and nothing lost or half-written."""

import signal
import socket
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import small_models

from edgekit import board, flash, models, pipeline


def failed(done, code: int, *words: str) -> None:  # type: ignore[no-untyped-def]
    said = done.out + done.err
    assert done.code == code, said
    assert "Traceback" not in said
    for word in words:
        assert word in said, f"'{word}' is not in: {said}"


@pytest.mark.parametrize("command", ["generate", "inspect"])
@pytest.mark.parametrize(
    ("content", "word"),
    [
        (b"", "empty"),
        (b"hello, I am a text file", "model"),
        (b"PK\x03\x04" + bytes(100), "model"),
        (b"\x08\x08\x12\x07pytorch" + bytes(50), "model"),
    ],
)
def test_what_is_not_a_model(cli: Callable, command: str, content: bytes, word: str, tmp_path: Path) -> None:
    path = tmp_path / "m.tflite"
    path.write_bytes(content)
    failed(cli(command, path), 4, "m", word)
    assert not (tmp_path / "build").exists()


def test_a_model_cut_at_any_length_is_an_error_without_a_traceback(cli: Callable, model: Path) -> None:
    whole = model.read_bytes()
    for length in range(0, len(whole) - 1, max(1, len(whole) // 60)):
        model.write_bytes(whole[:length])
        done = cli("generate", model, "-o", "fw")
        assert done.code in (0, 4), f"{length}: {done.err}"
        assert "Traceback" not in done.err
        if done.code == 0:  # only bytes that nothing refers to were cut off
            assert length > len(whole) * 0.8


def test_an_absent_model(cli: Callable) -> None:
    failed(cli("generate", "nowhere.tflite"), 4, "nowhere.tflite", "No such file")
    failed(cli("generate"), 2, "edgekit init")


def test_an_unsupported_model_lists_its_operators(cli: Callable, tmp_path: Path) -> None:
    from tflite_builder import Node, Value, build_graph

    values = [Value((1, 4, 4, 3), scales=(0.1,), zero_points=(0,), name=f"t{i}") for i in range(3)]
    nodes = [Node("LOGISTIC", (0,), (1,)), Node("TANH", (1,), (2,))]
    path = tmp_path / "odd.tflite"
    path.write_bytes(build_graph(values, nodes, inputs=[0], outputs=[2]))
    failed(cli("generate", path), 4, "LOGISTIC", "TANH")
    shown = cli("inspect", path, "--json").json
    assert "LOGISTIC" in shown["problem"]


def test_a_model_that_does_not_fit(cli: Callable, model: Path, tmp_path: Path) -> None:
    text = (board.load("host").path).read_text("utf-8")
    lines = ["ram_bytes = 9000" if line.startswith("ram_bytes") else line for line in text.splitlines()]
    (tmp_path / "tiny.toml").write_text("\n".join(lines), "utf-8")
    done = cli("generate", model, "--board", tmp_path / "tiny.toml", "-o", "fw")
    failed(done, 6, "9,000", "'tiny'", "the largest tensors are")
    assert not Path("fw").exists()


def test_labels_that_do_not_match(cli: Callable, model: Path) -> None:
    failed(cli("generate", model, "--labels", "a,b"), 2, "2 labels", "3 outputs")
    failed(cli("generate", model, "--labels", "nowhere.txt"), 2, "nowhere.txt")


def test_values_above_one_are_shown_converted(cli: Callable, model: Path) -> None:
    failed(cli("generate", model, "--mean", "127.5,127.5,127.5"), 2, "0.5")


@pytest.mark.parametrize(
    ("array", "words"),
    [
        (np.zeros((2, 9, 9, 3), np.uint8), ("[9, 9, 3]", "[8, 8, 3]")),
        (np.zeros((2, 8, 8, 3), np.float32), ("float32",)),
        (np.array([{}], dtype=object), ("does not unpickle",)),
    ],
)
def test_frames_that_do_not_fit(
    cli: Callable, model: Path, tmp_path: Path, array: np.ndarray, words: tuple[str, ...]
) -> None:
    np.save(tmp_path / "x.npy", array)
    done = cli("classify", "--model", model, "--input", "x.npy", "--output", "y.npy")
    failed(done, 3, *words)
    assert not Path("y.npy").exists()


def test_no_frames_at_all_give_no_scores(cli: Callable, model: Path, tmp_path: Path) -> None:
    np.save(tmp_path / "x.npy", np.zeros((0, 8, 8, 3), np.uint8))
    assert cli("classify", "--model", model, "--input", "x.npy", "--output", "y.npy").code == 0
    assert np.load("y.npy").shape == (0, 3)


def test_a_missing_compiler(cli: Callable, model: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert cli("generate", model, "-o", "fw").code == 0
    monkeypatch.setenv("EDGEKIT_CC_HOST", "no-such-compiler")
    failed(cli("build", "fw"), 7, "no-such-compiler", "apt-get install")
    failed(cli("build", "nowhere"), 7, "not a firmware project")


def test_an_output_that_cannot_be_written(cli: Callable, model: Path, frames: Path, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("in the way")
    failed(cli("generate", model, "-o", "file/fw"), 7, "file")
    failed(cli("classify", "--model", model, "--input", frames, "--output", "file/y.npy"), 7, "file")
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine" / "notes.txt").write_text("do not lose me")
    failed(cli("generate", model, "-o", "mine"), 7, "notes.txt")
    assert (tmp_path / "mine" / "notes.txt").read_text() == "do not lose me"


def test_an_absent_port(cli: Callable, model: Path, labelled: Path) -> None:
    done = cli("monitor", "--model", model, "--source", labelled, "--port", "/dev/nowhere", "--json")
    failed(done, 8, "/dev/nowhere")
    assert done.json["error"]["id"] == "port"


def test_a_busy_port(cli: Callable, model: Path, labelled: Path, host_on_pty: Callable) -> None:
    import serial

    with host_on_pty(model) as port, serial.Serial(port, exclusive=True):
        done = cli("monitor", "--model", model, "--source", labelled, "--port", port)
    failed(done, 8, port, "in use")


def test_a_silent_device(cli: Callable, model: Path, labelled: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = f"socket://127.0.0.1:{server.getsockname()[1]}"
        done = cli("monitor", "--model", model, "--source", labelled, "--port", port, "--timeout", "0.5")
    failed(done, 10, "0.5 s")


def test_another_models_firmware(cli: Callable, model: Path, labelled: Path, tmp_path: Path) -> None:
    cli("flash", "--model", model)
    other = tmp_path / "other.tflite"
    other.write_bytes(small_models.classifier())
    done = cli("monitor", "--model", other, "--source", labelled)
    failed(done, 11, "contract")


def test_nothing_flashed(
    cli: Callable, model: Path, labelled: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("EDGEKIT_CACHE", str(tmp_path / "cache"))
    failed(cli("monitor", "--model", model, "--source", labelled), 9, "nothing is flashed", "edgekit flash")


def test_firmware_that_crashes_at_every_frame_ends_in_an_error(
    cli: Callable, model: Path, labelled: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    import shutil

    from edgekit import resources

    copy = tmp_path / "templates"
    shutil.copytree(resources.firmware_templates(), copy)
    monkeypatch.setenv("EDGEKIT_TEMPLATES", str(copy))
    kernel = copy / "runtime" / "src" / "ref" / "ek_softmax_s8.c"
    text = kernel.read_text("utf-8")
    opening = text.index("{", text.index("void ek_softmax_s8("))
    kernel.write_text(text[: opening + 1] + "__builtin_trap();" + text[opening + 1 :], "utf-8")
    assert cli("flash", "--model", model).code == 0
    done = cli("monitor", "--model", model, "--source", labelled, "--timeout", "2")
    failed(done, 10)


def test_prove_needs_exactly_one_source_of_frames(cli: Callable, model: Path) -> None:
    failed(cli("prove", "--model", model), 2, "--data", "--random")
    failed(cli("prove", "--model", model, "--random", "2", "--data", "x"), 2)


def test_unknown_boards_and_options(cli: Callable, model: Path) -> None:
    failed(cli("generate", model, "--board", "hots"), 3, "host")
    failed(cli("generate", model, "--bord", "host"), 2, "--board")
    done = cli("generate", model, "--bord", "host", "--json")
    assert done.json["error"]["exit"] == 2


def test_a_wrong_project_file_names_the_key(cli: Callable) -> None:
    Path("edgekit.toml").write_text('schema = 1\n[bord]\nid = "host"\n')
    failed(cli("boards"), 3, "bord", "board")


def test_init_keeps_what_is_there(cli: Callable) -> None:
    Path("edgekit.toml").write_text("mine")
    failed(cli("init"), 3, "exists")
    assert Path("edgekit.toml").read_text() == "mine"
    assert cli("init", "--force").code == 0


def test_a_reader_that_goes_away_is_no_error(model: Path) -> None:
    command = f"'{sys.executable}' -m edgekit inspect '{model}' | head -n 1"
    done = subprocess.run(
        ["bash", "-o", "pipefail", "-c", command], capture_output=True, text=True, check=False
    )
    assert "Traceback" not in done.stderr
    assert done.returncode == 0


@pytest.mark.parametrize("when", ["hello", "prediction"])
def test_ctrl_c_ends_with_130_and_leaves_no_process(model: Path, tmp_path: Path, when: str) -> None:
    host = board.load("host")
    flash.flash(pipeline.build_image(models.load_model(model), host), host)
    np.savez(tmp_path / "many.npz", images=np.zeros((20000, 8, 8, 3), np.uint8))
    options = ("--model", model, "--source", tmp_path / "many.npz", "--json")
    command = [sys.executable, "-m", "edgekit", "monitor", *options]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    assert process.stdout is not None
    for line in process.stdout:
        if f'"type": "{when}"' in line:
            process.send_signal(signal.SIGINT)
            break
    rest, err = process.communicate(timeout=60)
    assert process.returncode == 130, err
    assert '"interrupted"' in rest.splitlines()[-1]
    assert "Traceback" not in err
