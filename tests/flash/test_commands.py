"""`edgekit flash` of an ESP32-S3, from the command line to the answer of the firmware that then runs."""

import hashlib
import json
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import small_models
from flash.conftest import Built, boot_loader
from flash.rom_loader import RomLoader, Script

from edgekit import board, models, pipeline
from edgekit.cli import _app, _greeting
from edgekit.emulator import RunningBoard
from edgekit.firmware import manifest

pytestmark = pytest.mark.usefixtures("_patient")

Make = Callable[..., Built]


@pytest.fixture
def model(tmp_path: Path) -> Path:
    path = tmp_path / "model.tflite"
    path.write_bytes(small_models.classifier())
    return path


@pytest.fixture
def application(model: Path) -> Iterator[Callable[[], socket.socket]]:
    """Return what turns on the firmware of the model, which is a program of this machine."""
    host = board.load("host")
    running = RunningBoard(pipeline.build_image(models.load_model(model), host), host)
    yield running.connect
    running.close()


@pytest.fixture
def project(model: Path, tmp_path: Path, built: Make) -> Path:
    """Return a firmware project of the model for a XIAO, as it is after a build with ESP-IDF."""
    folder = tmp_path / "project"
    pipeline.generate_project(models.load_model(model), board.load("xiao_esp32s3"), folder)
    found = manifest.read(folder)
    assert found is not None
    image = built(
        folder,
        path=folder / "firmware.bin",
        model_digest=found.model_digest,
        contract_digest=found.contract_digest,
        project_digest=hashlib.sha256((folder / manifest.NAME).read_bytes()).hexdigest(),
    ).image
    image.path.write_bytes(image.parts[2].path.read_bytes())
    image.save()
    return folder


def edgekit(capsys: pytest.CaptureFixture[str], *arguments: object) -> tuple[int, dict[str, Any]]:
    """Run a command; return its exit code and the JSON of its end."""
    capsys.readouterr()
    code = _app._run([*map(str, arguments), "--json"])
    found = json.loads(capsys.readouterr().out.splitlines()[-1])
    assert isinstance(found, dict)
    return code, found


@pytest.mark.parametrize("waits", [False, True], ids=["restarts", "waits in its boot loader"])
def test_the_firmware_answers_once_the_port_is_back(
    capsys: pytest.CaptureFixture[str],
    project: Path,
    application: Callable[[], socket.socket],
    tmp_path: Path,
    waits: bool,
) -> None:
    script = Script(application=application, away_s=0.7, waits_after_reset=waits)
    with RomLoader(script, tmp_path / "ttyACM0") as chip:
        code, said = edgekit(
            capsys,
            "flash",
            "--board",
            "xiao_esp32s3",
            "--port",
            chip.port,
            "--no-build",
            project,
            "--timeout",
            4 if waits else 30,
        )
    assert code == 0, said
    assert said["hello"]["model_digest"] == manifest.read(project).model_digest  # type: ignore[union-attr]
    assert chip.restarts == (["reset", "watchdog"] if waits else ["reset"])
    assert chip.verified == 4


def test_the_built_model_is_flashed_alone(
    capsys: pytest.CaptureFixture[str],
    project: Path,
    application: Callable[[], socket.socket],
    tmp_path: Path,
) -> None:
    flags = ("--board", "xiao_esp32s3", "--model-only", "--no-build", project)
    with RomLoader(Script(application=application), tmp_path / "ttyACM0") as chip:
        code, said = edgekit(capsys, "flash", *flags, "--port", chip.port)
    assert code == 0, said
    assert chip.verified == 1
    assert chip.flash[0x400004:0x400008] == b"TFL3"
    assert chip.flash[:0x400000].strip(b"\xff") == b""


def test_a_board_that_stays_silent_was_flashed_all_the_same(
    capsys: pytest.CaptureFixture[str], project: Path, tmp_path: Path
) -> None:
    flags = ("--board", "xiao_esp32s3", "--no-build", project, "--timeout", 0.5)
    ours, theirs = socket.socketpair()
    with RomLoader(Script(application=lambda: ours), tmp_path / "ttyACM0") as chip:
        code, said = edgekit(capsys, "flash", *flags, "--port", chip.port)
    theirs.close()
    assert code == 10
    assert "'xiao_esp32s3' was written and verified, but does not answer" in said["error"]["message"]
    assert "press RESET" in said["error"]["hint"]
    assert chip.verified == 4


def test_a_merged_image_with_firmware_of_ours(
    capsys: pytest.CaptureFixture[str], application: Callable[[], socket.socket], tmp_path: Path
) -> None:
    path = tmp_path / "merged.bin"
    path.write_bytes(boot_loader(40_000))
    with RomLoader(Script(application=application), tmp_path / "ttyACM0") as chip:
        code, said = edgekit(
            capsys, "flash", "--board", "xiao_esp32s3", "--port", chip.port, "--merged", path
        )
    assert code == 0, said
    assert said["hello"]["runtime"] == "compiled"
    assert chip.flash[:40_000] == path.read_bytes()


def test_a_merged_image_with_firmware_of_somebody_else(
    capsys: pytest.CaptureFixture[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(_greeting, "_RETURN_S", 0.3)
    path = tmp_path / "merged.bin"
    path.write_bytes(boot_loader(40_000))
    with RomLoader(link=tmp_path / "ttyACM0") as chip:
        code, said = edgekit(
            capsys, "flash", "--board", "xiao_esp32s3", "--port", chip.port, "--merged", path
        )
    assert (code, said["hello"]) == (0, None)
    assert chip.flash[:40_000] == path.read_bytes()


def test_a_model_for_stock_firmware(capsys: pytest.CaptureFixture[str], model: Path) -> None:
    with RomLoader() as chip:
        code, said = edgekit(
            capsys, "flash", "--board", "xiao_esp32s3", "--model-only", "--model", model, "--port", chip.port
        )
    assert code == 0, said
    content = model.read_bytes()
    assert said["bytes"] == len(content)
    assert chip.flash[0x400000 : 0x400000 + len(content)] == content


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("--merged", "m.bin", "--no-build"), "--merged does not go with --no-build"),
        (("--merged", "m.bin", "--model", "m.tflite"), "--merged does not go with --model"),
        (("--merged", "m.bin", "folder"), "--merged does not go with FOLDER"),
        (("--model-only", "--model", "m.tflite", "folder"), "--model-only does not go with FOLDER"),
        (("--model-only", "--model", "m.tflite", "--debug"), "--model-only does not go with --debug"),
        (("--slot", "1", "--no-build"), "--slot and --header are for --model-only without --no-build"),
    ],
)
def test_what_does_not_go_together(
    capsys: pytest.CaptureFixture[str], arguments: tuple[str, ...], message: str
) -> None:
    code, said = edgekit(capsys, "flash", "--board", "xiao_esp32s3", *arguments)
    assert code == 2
    assert message in said["error"]["message"]


def test_a_virtual_board_takes_no_such_files(capsys: pytest.CaptureFixture[str], model: Path) -> None:
    for arguments in (("--merged", model), ("--model-only", "--model", model)):
        code, said = edgekit(capsys, "flash", "--board", "host", *arguments)
        assert code == 2
        assert "the board 'host' " in said["error"]["message"]


def test_an_error_of_flashing_has_its_exit_code(
    capsys: pytest.CaptureFixture[str], model: Path, configure: Callable[..., None]
) -> None:
    configure(sync_timeout=0.1, connect_attempts=1)
    with RomLoader(Script(silent=True)) as chip:
        code, said = edgekit(
            capsys, "flash", "--board", "esp32s3_eye", "--merged", model, "--port", chip.port
        )
        assert (code, said["error"]["id"]) == (9, "flash")
        code, said = edgekit(
            capsys, "flash", "--board", "xiao_esp32s3", "--model-only", "--model", model, "--port", chip.port
        )
    assert (code, said["error"]["id"]) == (9, "flash")
    assert said["error"]["details"]["exit_code"] == 2
    assert "No serial data received" in said["error"]["details"]["esptool"]


def test_ctrl_c_says_what_state_the_board_is_in(built: Make, tmp_path: Path) -> None:
    path = tmp_path / "merged.bin"
    path.write_bytes(boot_loader(200_000))
    words = [sys.executable, "-m", "edgekit", "flash", "--board", "xiao_esp32s3", "--merged", str(path)]
    # The chip stops answering in the midst, so that there is a midst to be interrupted in.
    with RomLoader(Script(silent_from_block=3)) as chip:
        running = subprocess.Popen([*words, "--port", chip.port], stderr=subprocess.PIPE, text=True)
        deadline = time.monotonic() + 60
        while chip.blocks < 4:
            assert time.monotonic() < deadline and running.poll() is None
            time.sleep(0.01)
        os.kill(running.pid, signal.SIGINT)
        _, errors = running.communicate(timeout=60)
    assert running.returncode == 130
    assert "interrupted: the board is half flashed: merged.bin at 0x0 not" in errors.replace("\n", " ")
