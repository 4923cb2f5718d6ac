"""Where a command's words go: full disks, closed pipes, poor encodings, shells that ask for completions."""

import io
import json
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import small_models

EDGEKIT = f"'{sys.executable}' -m edgekit"


def shell(line: str, **environment: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        ["bash", "-o", "pipefail", "-c", line.replace("edgekit", EDGEKIT, 1)],
        capture_output=True,
        text=True,
        check=False,
        env=os.environ | environment,
    )


@pytest.mark.parametrize("options", ["", "--json"])
def test_a_full_disk_is_said_and_no_bug(options: str) -> None:
    done = shell(f"edgekit boards {options} >/dev/full")
    assert done.returncode == 7, done.stderr
    assert "Traceback" not in done.stderr
    assert "bug" not in done.stderr
    if not options:
        assert "cannot write to stdout: No space left" in done.stderr


@pytest.mark.parametrize(
    "where", ["2>/dev/full", "2>&-", ">&- 2>&-", "--json | true", "2>&1 >/dev/null | true"]
)
def test_an_error_that_nobody_hears_keeps_its_exit_code(where: str) -> None:
    done = shell(f"edgekit generate nowhere.tflite {where}")
    assert done.returncode == 4
    assert "Traceback" not in done.stderr


def test_words_that_are_lost_do_not_stop_the_work(model: Path, frames: Path, tmp_path: Path) -> None:
    done = shell(
        f"edgekit classify --model '{model}' --input '{frames}' --output '{tmp_path}/y.npy' -v 2>/dev/full"
    )
    assert done.returncode == 0
    assert np.load(tmp_path / "y.npy").shape == (10, 3)


def test_stdin_may_be_closed() -> None:
    assert shell("edgekit boards <&-").returncode == 0


# Commands that need what an earlier one has made stand behind it.
LINES = {
    "boards": "",
    "doctor": "",
    "init": "--force",
    "inspect": "model.tflite",
    "generate": "foreign.tflite -o fw",  # with a warning
    "build": "fw",
    "flash": "fw",
    "classify": "--model model.tflite --input x.npy --output y.npy",
    "prove": "--model model.tflite --random 2",
    "bench": "model.tflite --count 2",
    "monitor": "--model model.tflite --source test.npz --count 2 --json",
    "emulate": "--board arc_em9d",  # is compiled only: an error
    "export": "model.tflite -o library.zip",
    "quantize": "model.tflite --calibration test.npz -o q.tflite",  # is a .tflite already: an error
    "demo": "--count 0",  # an error
}


def test_every_command_works_with_closed_streams(model: Path, labelled: Path, tmp_path: Path) -> None:
    """What is opened next must not get the number of a closed stream: compilers and libraries write to it."""
    from edgekit.cli import _app

    assert LINES.keys() == set(_app.group.list_commands(None))  # type: ignore[arg-type]
    (tmp_path / "foreign.tflite").write_bytes(small_models.classifier())
    quiet = {"EDGEKIT_CACHE": str(tmp_path / "cache"), "CI": "1"}
    failing = {"emulate": 2, "quantize": 4, "demo": 2}
    for name, options in LINES.items():
        done = shell(f"cd '{tmp_path}' && edgekit {name} {options} 2>&- <&-", **quiet)
        assert done.returncode == failing.get(name, 0), f"{name}: {done.stdout}"
        assert "warning: " not in done.stdout, "talk is on stdout"
    for name in ("build", "prove"):
        done = shell(
            f"cd '{tmp_path}' && rm -rf fw/obj && edgekit {name} {LINES[name]} >&- 2>&- <&-", **quiet
        )
        assert done.returncode == 0, name


@pytest.mark.parametrize("kilobytes", [200_000, 300_000, 450_000])
def test_too_little_memory_is_said_and_no_bug(model: Path, tmp_path: Path, kilobytes: int) -> None:
    with (tmp_path / "large.npy").open("wb") as file:
        np.lib.format.write_array_header_1_0(
            file, {"descr": "|u1", "fortran_order": False, "shape": (1 << 22, 8, 8, 3)}
        )
        file.truncate(file.tell() + (192 << 22))
    for options in (f"classify --model '{model}' --input large.npy --output y.npy", "doctor"):
        # A thread of OpenBLAS for each core would take memory of its own.
        line = f"cd '{tmp_path}' && ulimit -v {kilobytes} && edgekit {options}"
        done = shell(line, OPENBLAS_NUM_THREADS="1")
        assert "Traceback" not in done.stderr, done.stderr
        assert "bug" not in done.stderr, done.stderr
        if options != "doctor":
            assert done.returncode == 7, done.stderr
            assert "not enough memory" in done.stderr


def test_a_limit_that_ends_tensorflow_is_refused(tmp_path: Path) -> None:
    from edgekit import resources

    digits = resources.examples() / "digits" / "digits.onnx"
    np.savez(tmp_path / "images.npz", images=np.indices((8, 32, 32)).sum(0).astype(np.uint8))
    options = f"'{digits}' --calibration images.npz --color gray -o q.tflite"
    done = shell(f"cd '{tmp_path}' && ulimit -v 2500000 && edgekit quantize {options}")
    assert done.returncode == 7, done.stderr
    assert "not enough memory: TensorFlow" in done.stderr


def test_an_encoding_without_the_labels_characters_is_no_error(tmp_path: Path) -> None:
    path = tmp_path / "m.tflite"
    path.write_bytes(small_models.classifier())
    renamed = path.rename(tmp_path / "größe-模型.tflite")
    done = shell(f"edgekit generate '{renamed}' -o '{tmp_path}/fw-模型'", PYTHONIOENCODING="ascii")
    assert done.returncode == 0, done.stderr
    assert r"fw-\u6a21\u578b" in done.stdout


@pytest.mark.parametrize(
    "locale", [{"LC_ALL": "C"}, {"LC_ALL": "C", "PYTHONUTF8": "0", "PYTHONCOERCECLOCALE": "0"}]
)
def test_labels_of_any_script_pass_a_locale_that_has_none(
    model: Path, tmp_path: Path, locale: dict[str, str]
) -> None:
    from PIL import Image

    names = ("größe", "模型", "кот")
    (tmp_path / "labels.txt").write_text("\n".join(names), "utf-8")
    for number, name in enumerate(names):
        (tmp_path / "pictures" / name).mkdir(parents=True)
        Image.new("RGB", (8, 8), (80 * number, 9, 9)).save(tmp_path / "pictures" / name / "0.png")
    for given in ("labels.txt", ",".join(names)):
        options = f"--model '{model}' --labels {given}"
        done = shell(f"cd '{tmp_path}' && edgekit flash {options}", **locale)
        assert done.returncode == 0, done.stderr
        done = shell(f"cd '{tmp_path}' && edgekit monitor {options} --source pictures", **locale)
        assert done.returncode == 0, done.stderr
        shown = [name.encode("ascii", "backslashreplace").decode() for name in names]
        assert any(name in done.stdout for name in (*names, *shown)), done.stdout
        done = shell(f"cd '{tmp_path}' && edgekit monitor {options} --source pictures --json", **locale)
        assert json.loads(done.stdout.splitlines()[1])["label"] in names


def test_a_name_that_the_locale_cannot_say_is_no_bug(tmp_path: Path) -> None:
    (tmp_path / "edgekit.toml").write_text(
        'schema = 1\n[data]\nsource = "größe"\n[model]\noutput = "größe"\n', "utf-8"
    )
    locale = {"LC_ALL": "C", "PYTHONUTF8": "0", "PYTHONCOERCECLOCALE": "0"}
    for command in ("monitor", "generate", "prove --data größe", "init --force"):
        done = shell(f"cd '{tmp_path}' && edgekit {command}", **locale)
        assert "bug" not in done.stderr, done.stderr
        assert "Traceback" not in done.stderr


def test_a_folder_that_is_gone_has_no_project_file(tmp_path: Path) -> None:
    done = shell(f"mkdir '{tmp_path}/x'; cd '{tmp_path}/x'; rmdir '{tmp_path}/x'; edgekit boards")
    assert done.returncode == 0, done.stderr


def test_shells_are_told_completions() -> None:
    script = shell("edgekit", _EDGEKIT_COMPLETE="zsh_source")
    assert script.returncode == 0, script.stderr
    assert "_EDGEKIT_COMPLETE=zsh_complete" in script.stdout
    asked = {"_EDGEKIT_COMPLETE": "bash_complete", "COMP_CWORD": "2"}
    said = shell("edgekit", COMP_WORDS="edgekit generate --bo", **asked)
    assert said.stdout.split() == ["plain,--board"]


def test_a_frame_is_drawn_in_its_colours_whatever_their_order_on_the_wire(model: Path) -> None:
    from rich.console import Console

    from edgekit import board, connection, models, pipeline
    from edgekit.cli._views import edgekit as view
    from edgekit.live.events import Hello
    from edgekit.live.run import _prediction

    image = pipeline.build_image(models.load_model(model), board.load("host"))
    red = np.zeros((8, 8, 3), np.uint8)
    red[..., 0] = 255
    with connection.open_device(board.load("host"), image=image) as device:
        prediction = device.classify(red)
    for color, frame in (("rgb", red), ("bgr", red[..., ::-1])):
        agreed = models.load_model(model, models.ContractFlags(color=color)).contract
        console = Console(record=True, force_terminal=True, color_system="truecolor", file=io.StringIO())
        hello = Hello({}, agreed, "microseconds", 1)
        console.print(view.picture(_prediction(prediction, frame), hello))
        text = console.export_text(styles=True)
        assert "38;2;255;0;0" in text
        assert "38;2;0;0;255" not in text


def test_an_error_is_told_with_the_warnings_before_it(
    cli: Callable, tmp_path: Path, labelled: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "foreign.tflite").write_bytes(small_models.classifier())
    monkeypatch.setenv("EDGEKIT_CACHE", str(tmp_path / "cache"))
    done = cli("monitor", "--model", "foreign.tflite", "--source", labelled, "--json")
    assert done.code == 9
    assert "carries no contract" in done.json["warnings"][0]


def test_verbose_shows_what_the_users_own_code_printed(cli: Callable, tmp_path: Path) -> None:
    from edgekit import resources

    weights = resources.examples() / "digits" / "digits.pt"
    Path("talker.py").write_text("def build():\n    print('words of the builder')\n")
    Path("calibration").mkdir()
    arguments = ("--builder", "talker:build", "--calibration", "calibration", "-o", "m.tflite")
    for options, seen in (((), False), (("-v",), True)):
        done = cli("quantize", weights, *arguments, "--size", "32x32", *options)
        assert done.code == 4, done.err
        assert ("words of the builder" in done.err) == seen
