"""The commands, from a model to a measured board, as a person would type them."""

import json
import os
import signal
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import serial
import small_models

from edgekit.cli import main

DEADLINE_S = 60.0


def run(*arguments: str) -> int:
    with pytest.raises(SystemExit) as stop:
        main(list(arguments))
    assert isinstance(stop.value.code, int)
    return stop.value.code


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder with a model and labelled frames, and a board of its own."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("EDGEKIT_CACHE", str(tmp_path / "cache"))
    (tmp_path / "m.tflite").write_bytes(small_models.classifier())
    rng = np.random.default_rng(10)
    images = rng.integers(0, 256, (7, 8, 8, 3), dtype=np.uint8)
    np.savez(tmp_path / "d.npz", images=images, labels=rng.integers(0, 3, 7))
    return tmp_path


def flash(*more: str) -> int:
    protocol = ("--protocol", "mlperf_tiny", "--mlperf-model", "ic01")
    return run("flash", "--model", "m.tflite", *protocol, *more, "fw")


def test_flash_and_monitor(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert flash("--mlperf-vendor", "A company") == 0
    assert "MLPerf Tiny firmware of 'A company', model ic01" in capsys.readouterr().out
    monitor = ("monitor", "--protocol", "mlperf_tiny", "--source", "d.npz", "--model", "m.tflite")
    assert run(*monitor, "--json") == 0
    hello, *predictions, summary = map(json.loads, capsys.readouterr().out.splitlines())
    assert (hello["type"], hello["vendor"], hello["model"]) == ("hello", "A company", "ic01")
    assert [p["seq"] for p in predictions] == list(range(7))
    assert set(predictions[0]) == {"type", "seq", "index", "label", "truth", "scores", "invoke", "link_ms"}
    assert set(summary) == {
        "schema",
        "type",
        "ok",
        "error",
        "board",
        "unit",
        "mode",
        "n",
        "accuracy",
        "labelled",
        "correct",
        "invoke",
        "link",
        "frames_per_second",
        "confusion",
        "warnings",
    }
    assert all(p["index"] == int(np.argmax(p["scores"])) and p["invoke"] >= 0 for p in predictions)
    assert (summary["mode"], summary["n"], summary["labelled"]) == ("accuracy", 7, 7)
    assert summary["correct"] == sum(p["label"] == p["truth"] for p in predictions)
    assert run(*monitor, "--json", "--performance", "3") == 0
    *_, summary = map(json.loads, capsys.readouterr().out.splitlines())
    assert (summary["mode"], summary["n"], summary["iterations"], summary["warmup"]) == (
        "performance",
        5,
        3,
        10,
    )
    assert set(summary) == {
        "schema",
        "type",
        "ok",
        "error",
        "board",
        "unit",
        "mode",
        "n",
        "iterations",
        "warmup",
        "invoke_per_file",
        "invoke_median",
        "inferences_per_second_median",
        "warnings",
    }
    assert summary["invoke_median"] == sorted(summary["invoke_per_file"])[2]
    assert run(*monitor, "--confusion") == 0
    assert run(*monitor, "--performance", "2") == 0
    shown = capsys.readouterr().out
    assert "accuracy" in shown
    assert "median" in shown


def test_the_other_protocol_is_refused(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert flash() == 0
    assert run("monitor", "--source", "d.npz", "--model", "m.tflite") == 2
    assert "--protocol mlperf_tiny" in capsys.readouterr().err
    assert run("flash", "--model", "m.tflite", "fw") == 0
    assert run("monitor", "--protocol", "mlperf_tiny", "--source", "d.npz", "--model", "m.tflite") == 2


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("generate", "m.tflite", "--protocol", "mlperf_tiny"), "--mlperf-model"),
        (("generate", "m.tflite", "--mlperf-model", "ic01"), "--protocol mlperf_tiny"),
        (("generate", "m.tflite", "--protocol", "mlperf_tiny", "--mlperf-model", "ic02"), "ic02"),
        (
            ("generate", "m.tflite", "--protocol", "mlperf_tiny", "--mlperf-model", "ic01", "--debug"),
            "--debug",
        ),
        (("monitor", "--source", "d.npz", "--model", "m.tflite", "--performance", "3"), "mlperf_tiny"),
    ],
)
def test_wrong_usage(
    folder: Path, capsys: pytest.CaptureFixture[str], arguments: tuple[str, ...], said: str
) -> None:
    assert run(*arguments) == 2
    assert said in capsys.readouterr().err


def emulate(folder: Path, *more: str) -> subprocess.Popen[str]:
    program = "from edgekit.cli import main; main()"
    protocol = ("--protocol", "mlperf_tiny", "--mlperf-model", "ic01", "--pty")
    return subprocess.Popen(
        [sys.executable, "-c", program, "emulate", "--model", "m.tflite", *protocol, *more],
        cwd=folder,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
    )


def ask(path: str) -> bytes:
    port = serial.Serial(path, 115200, timeout=DEADLINE_S)
    port.write(b"name%")
    said = port.read_until(b"m-ready\r\n")
    port.close()
    return bytes(said)


@pytest.mark.parametrize(
    ("number", "code"), [(signal.SIGINT, 0), (signal.SIGTERM, -15), (signal.SIGKILL, -9)]
)
def test_emulate_leaves_nothing_behind(folder: Path, number: int, code: int) -> None:
    with emulate(folder, "--json") as running:
        assert running.stdout is not None
        ready = json.loads(running.stdout.readline())
        assert (ready["type"], ready["board"]) == ("listening", "host")
        for _ in range(2):
            assert ask(ready["port"]).startswith(b"m-name")
        children = Path(f"/proc/{running.pid}/task/{running.pid}/children").read_text().split()
        assert len(children) == 1
        firmware = os.pidfd_open(int(children[0]))
        running.send_signal(number)
        assert running.wait(DEADLINE_S) == code
        # The firmware reads the end of its line, and goes too.
        import select

        assert select.select([firmware], [], [], DEADLINE_S)[0], "the firmware outlived its user"
        os.close(firmware)
