"""The code that a PyTorch model or its builder brings runs in a process of its own, whatever it does."""

import json
import logging
import os
import re
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch import nn

from edgekit import install
from edgekit.convert import from_torch
from edgekit.convert.load import load_model
from edgekit.errors import ModelError, UsageError

NET = """
from torch import nn

def net():
    return nn.Sequential(nn.Conv2d(3, 4, 3), nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(4, 3))

class Own(nn.Sequential):
    pass

"""
TRAINING = """
import argparse
parser = argparse.ArgumentParser()
parser.add_argument("--data", required=True)
options = parser.parse_args()
build = net
"""
STAYS = """
import atexit, os, sys, threading
assert sys.argv == [__file__], sys.argv
sys.argv += ["--more"]
print("step 1")
os.write(1, b"step 2\\n")
os.write(2, b"step 3\\n")
atexit.register(print, "late")
os.chdir("/")
threading.Thread(target=threading.Event().wait).start()
sys.stdout = None
build = net
"""


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The current folder, with the weights of `net` in it."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "tmp").mkdir()
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path / "tmp"))
    layers = nn.Conv2d(3, 4, 3), nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(4, 3)
    torch.save(nn.Sequential(*layers).state_dict(), "w.pth")
    return tmp_path


def load(code: str) -> Any:
    Path("user_net.py").write_text(NET + code)
    return load_model(Path("w.pth"), builder="user_net:build", size=(8, 8))


@pytest.mark.parametrize(
    ("code", "message"),
    [
        (TRAINING, r"'FILE' ended .* when it was imported \(exit code 2\); .*required: --data$"),
        ("import os; os._exit(0)", r"'FILE' ended .* when it was imported \(exit code 0\) without a word"),
        ("import os; os.abort()", r"'FILE' ended .* when it was imported \(SIGABRT\)"),
        ("import os; os.kill(os.getpid(), 40)", r"'FILE' ended .* when it was imported \(signal 40\)"),
        (
            "import sys\ndef build():\n    sys.exit('no data here')",
            r"the builder in 'FILE' ended .* when it was called \(exit code 1\); .*words: no data here",
        ),
        (
            "def leave(self, x):\n    raise SystemExit\nOwn.forward = leave\ndef build(): return Own(*net())",
            r"the network of 'FILE' ended .* when it was run \(exit code 0\)",
        ),
        (
            "def fail(self, *_, **__):\n    1 / 0\nOwn.state_dict = fail\ndef build(): return Own(*net())",
            r"'user_net:build' failed at 'FILE', line 11: ZeroDivisionError",
        ),
        ("import no_such_package\nbuild = net", "no module 'no_such_package' at 'FILE', line 10"),
    ],
)
def test_an_end_names_the_file_and_the_moment(folder: Path, code: str, message: str) -> None:
    with pytest.raises((ModelError, UsageError)) as caught:
        load(code)
    file = str(folder / "user_net.py")
    assert re.search(message.replace("FILE", re.escape(file)), caught.value.message), caught.value.message
    assert caught.value.hint
    assert list((folder / "tmp").iterdir()) == []


def test_what_it_does_it_does_to_itself(
    folder: Path, capfd: pytest.CaptureFixture[str], caplog: pytest.LogCaptureFixture
) -> None:
    before = list(sys.argv)
    with caplog.at_level(logging.DEBUG, "edgekit.convert"):
        model = load(STAYS)
    assert model.input_shape == (1, 3, 8, 8)
    assert model.classes == 3
    assert (Path.cwd(), sys.argv) == (folder, before)
    assert capfd.readouterr() == ("", "")
    assert "step 1\nstep 2\nstep 3" in caplog.text
    assert "user_net" not in sys.modules


def test_the_command_prints_its_result_alone(folder: Path) -> None:
    """What CI sees of a builder that is a training script: a code, one object, no file."""
    Path("train.py").write_text(NET + "print('{}')\n" + TRAINING)
    images = np.random.default_rng(0).integers(0, 255, (2, 8, 8, 3)).astype(np.uint8)
    np.savez("data.npz", images=images)
    command = [sys.executable, "-P", "-m", "edgekit", "quantize", "w.pth", "--builder", "train:build"]
    command += ["--size", "8x8", "--calibration", "data.npz", "-o", "m.tflite", "--json"]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == ModelError.exit_code
    assert "train.py' ended the program when it was imported" in json.loads(done.stdout)["error"]["message"]
    assert done.stderr == ""
    assert not Path("m.tflite").exists()


def test_an_export_that_does_not_end_names_the_model(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(from_torch, "_EXPORT_S", 0.1)
    with pytest.raises(
        ModelError, match=r"the export of 'w\.pth' did not end within 0\.1 s: PyTorch was still"
    ):
        load("import time; time.sleep(600)")
    assert list((folder / "tmp").iterdir()) == []


def test_what_it_says_does_not_fill_the_disk(folder: Path) -> None:
    code = """
import os, pathlib, time
said = lambda: os.fstat(1).st_size
os.write(1, b"x" * (17 << 20))
end = time.monotonic() + 60
while said() > 1 << 20 and time.monotonic() < end:
    time.sleep(0.01)
assert said() < 1 << 20, said()
os.write(1, b"the end")
os._exit(3)
"""
    with pytest.raises(ModelError, match="its last words: the end"):
        load(code)


def test_an_interrupt_passes(folder: Path) -> None:
    with pytest.raises(KeyboardInterrupt):
        load("raise KeyboardInterrupt")


@pytest.mark.parametrize("stop", [signal.SIGINT, signal.SIGKILL])
def test_it_ends_with_the_command(folder: Path, stop: signal.Signals) -> None:
    """Ctrl-C reaches both processes; a kill the first alone."""
    code = "import os, time\nopen('running.tmp', 'w').write(str(os.getpid()))\n"
    Path("user_net.py").write_text(f"{code}os.rename('running.tmp', 'running')\ntime.sleep(600)\n")
    command = [sys.executable, "-P", "-m", "edgekit", "quantize", "w.pth", "--builder", "user_net:build"]
    command += ["--size", "8x8", "--calibration", ".", "-o", "m.tflite"]
    with subprocess.Popen(command, start_new_session=True, stderr=subprocess.PIPE, text=True) as running:
        wait_for(lambda: Path("running").exists() or running.poll() is not None)
        child = Path("/proc", Path("running").read_text())
        if stop is signal.SIGINT:
            os.killpg(running.pid, stop)
        else:
            running.kill()
        assert running.wait(60) == (130 if stop is signal.SIGINT else -stop)
        wait_for(lambda: gone(child))
        assert running.stderr is not None
        assert ("interrupted" in running.stderr.read()) == (stop is signal.SIGINT)


def gone(process: Path) -> bool:
    try:
        return "State:\tZ" in (process / "status").read_text()
    except OSError:
        return True


def wait_for(happened: Callable[[], bool]) -> None:
    deadline = time.monotonic() + 300
    while not happened():
        assert time.monotonic() < deadline
        time.sleep(0.05)


def test_missing_torch_is_named_with_the_pip_line(folder: Path) -> None:
    code = """
import sys
sys.modules["torch"] = None
from pathlib import Path
from edgekit import install
from edgekit.convert.load import load_model
from edgekit.errors import MissingExtraError
try:
    load_model(Path("w.pth"), builder="user_net:build", size=(9, 12))
except MissingExtraError as error:
    print(error.message, error.hint)
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert "'torch'" in done.stdout
    assert install.command("torch") in done.stdout
