"""From a model to its flash partition: generated, built by what stands in for ESP-IDF, and flashed alone."""

import json
import socket
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import esp_idf_tree
import pytest
import small_models
from flash.rom_loader import RomLoader, Script

from edgekit import board, models, pipeline
from edgekit.cli import _app
from edgekit.emulator import RunningBoard

pytestmark = pytest.mark.usefixtures("_patient")
XIAO = ("--board", "xiao_esp32s3", "--runtime", "tflm")


@pytest.fixture
def model(tmp_path: Path) -> Path:
    path = tmp_path / "model.tflite"
    path.write_bytes(small_models.classifier())
    return path


@pytest.fixture
def application(model: Path) -> Iterator[Callable[[], socket.socket]]:
    """Return what turns on firmware with the same model, which is a program of this machine."""
    host = board.load("host")
    running = RunningBoard(pipeline.build_image(models.load_model(model), host), host)
    yield running.connect
    running.close()


def edgekit(capsys: pytest.CaptureFixture[str], *arguments: object) -> dict[str, Any]:
    """Run a command that succeeds; return the JSON of its end."""
    capsys.readouterr()
    code = _app._run([*map(str, arguments), "--json"])
    found = json.loads(capsys.readouterr().out.splitlines()[-1])
    assert code == 0, found
    assert isinstance(found, dict)
    return found


def test_the_model_alone_is_written_to_its_partition(
    capsys: pytest.CaptureFixture[str],
    model: Path,
    application: Callable[[], socket.socket],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    idf = esp_idf_tree.make(tmp_path / "esp-idf", tmp_path / "home")
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    for name in ("IDF_TOOLS_PATH", "IDF_PYTHON_ENV_PATH", "EDGEKIT_SDK"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("IDF_PATH", str(idf))
    folder = tmp_path / "firmware"
    edgekit(capsys, "generate", model, *XIAO, "-o", folder)
    built = edgekit(capsys, "build", *XIAO[:2], folder)
    parts = {part["name"]: part for part in built["parts"]}
    assert list(parts) == ["bootloader", "partition-table", "app", "model"]
    *_, row = (folder / "partitions.csv").read_text().splitlines()
    offset = int(row.split(",")[3], 16)
    assert parts["model"]["offset"] == offset
    with RomLoader(Script(application=application), tmp_path / "ttyACM0") as chip:
        flags = (*XIAO[:2], "--model-only", "--no-build", folder, "--port", chip.port)
        said = edgekit(capsys, "flash", *flags)
    assert chip.verified == 1
    packed = (folder / "model" / "model.bin").read_bytes()
    assert packed.endswith(model.read_bytes())
    assert chip.flash[offset : offset + len(packed)] == packed
    assert chip.flash[:offset].strip(b"\xff") == b""
    assert chip.flash[offset + len(packed) :].strip(b"\xff") == b""
    assert said["hello"]["model_digest"] == models.load_model(model).digest
