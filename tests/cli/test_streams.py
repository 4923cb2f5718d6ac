"""Where a command's words go: full disks, closed pipes, poor encodings, shells that ask for completions."""

import io
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

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


def test_an_encoding_without_the_labels_characters_is_no_error(tmp_path: Path) -> None:
    path = tmp_path / "m.tflite"
    import small_models

    path.write_bytes(small_models.classifier())
    renamed = path.rename(tmp_path / "größe-模型.tflite")
    done = shell(f"edgekit generate '{renamed}' -o '{tmp_path}/fw-模型'", PYTHONIOENCODING="ascii")
    assert done.returncode == 0, done.stderr
    assert "fw-??" in done.stdout


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

    from edgekit import board, pipeline
    from edgekit.cli._views import edgekit as view
    from edgekit.live.events import Hello
    from edgekit.live.run import _prediction

    image = pipeline.build_image(pipeline.load_model(model), board.load("host"))
    red = np.zeros((8, 8, 3), np.uint8)
    red[..., 0] = 255
    with pipeline.open_device(board.load("host"), image=image) as device:
        prediction = device.classify(red)
    for color, frame in (("rgb", red), ("bgr", red[..., ::-1])):
        agreed = pipeline.load_model(model, pipeline.ContractFlags(color=color)).contract
        console = Console(record=True, force_terminal=True, color_system="truecolor", file=io.StringIO())
        hello = Hello({}, agreed, "microseconds", 1)
        console.print(view.picture(_prediction(prediction, frame), hello))
        text = console.export_text(styles=True)
        assert "38;2;255;0;0" in text
        assert "38;2;0;0;255" not in text


def test_an_error_is_told_with_the_warnings_before_it(
    cli: Callable, tmp_path: Path, labelled: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    import small_models

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
