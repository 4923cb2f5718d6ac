"""`edgekit flash` for boards with a bootloader of their own."""

import hashlib
import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest
import small_models
from flash.images import made_image
from flash.terminal import terminal
from flash.test_uf2 import board_at, plug_in
from flash.we2_bootloader import Bootloader

from edgekit import board as boards
from edgekit import models, pipeline
from edgekit.cli import _app
from edgekit.firmware import manifest
from edgekit.flash import uf2

V1 = boards.load("grove_vision_ai")


@pytest.fixture
def cli(
    capsys: pytest.CaptureFixture[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Callable[..., tuple[int, str, str]]:
    """Return a function that runs `edgekit flash` in an empty folder: (exit code, stdout, stderr)."""
    monkeypatch.chdir(tmp_path)

    def run(*arguments: object) -> tuple[int, str, str]:
        capsys.readouterr()
        code = _app._run(["flash", *map(str, arguments)])
        return (code, *capsys.readouterr())

    return run


@pytest.fixture
def model(tmp_path: Path) -> Path:
    path = tmp_path / "model.tflite"
    path.write_bytes(small_models.classifier())
    return path


Run = Callable[..., tuple[int, str, str]]


def test_a_model_as_a_file(cli: Run, model: Path, tmp_path: Path) -> None:
    out = tmp_path / "model.uf2"
    code, said, _ = cli(
        *("--board", V1.id, "--model-only", "--model", model, "--uf2-only", out, "--slot", 3, "--json"),
        *("--header", "sensecapai"),
    )
    assert code == 0
    assert out.read_bytes() == uf2.model_file(model.read_bytes(), V1, 3, "sensecapai")
    assert json.loads(said)["bytes"] == out.stat().st_size


def test_a_model_on_the_drive(cli: Run, model: Path, tmp_path: Path) -> None:
    drive = plug_in(tmp_path / "GROVEAI")
    with board_at(drive) as taken:
        code, said, _ = cli("--board", V1.id, "--model-only", "--model", model, "--port", drive)
    assert code == 0
    assert "is on grove_vision_ai" in said
    assert "monitor" not in said
    assert taken.read_bytes() == uf2.model_file(model.read_bytes(), V1)


def test_a_person_is_guided_on_stderr(
    cli: Run, model: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("edgekit.flash._drive.APPEAR_S", 0.02)
    code, said, error = cli(
        "--board", V1.id, "--model-only", "--model", model, "--port", tmp_path / "no", "--json"
    )
    assert code == 9
    assert json.loads(said)["error"]["id"] == "flash"
    assert "double-click the board's BOOT button" in error


def test_a_firmware_as_a_file(cli: Run, model: Path, tmp_path: Path) -> None:
    project = tmp_path / "project"
    pipeline.generate_project(models.load_model(model), boards.load("host"), project)
    digest = hashlib.sha256((project / manifest.NAME).read_bytes()).hexdigest()
    image = replace(made_image(project, V1, b"firmware" * 100), project_digest=digest)
    image.save()
    code, said, error = cli("--board", V1.id, "--no-build", "--uf2-only", tmp_path / "f.uf2", project)
    assert (code, error) == (0, "")
    assert "f.uf2" in said
    assert (tmp_path / "f.uf2").read_bytes() == uf2.firmware_file(image, V1)
    code, _, error = cli("--board", "sensecap_a1101", "--no-build", "--uf2-only", tmp_path / "g.uf2", project)
    assert code == 7
    assert "was built for the board 'grove_vision_ai'" in error
    assert not (tmp_path / "g.uf2").exists()


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("--board", "host", "--uf2-only", "x.uf2"), "is not flashed by UF2"),
        (("--board", "grove_vision_ai_v2", "--model-only", "--uf2-only", "x.uf2"), "is not flashed by UF2"),
        (("--board", "grove_vision_ai", "--header", "groveai"), "are for --model-only"),
        (("--board", "grove_vision_ai", "--slot", "2"), "are for --model-only"),
        (("--board", "grove_vision_ai", "--model-only", "--slot", "9"), "no slot 9"),
        (("--board", "host", "--model-only"), "keeps no model apart"),
    ],
)
def test_what_cannot_be(cli: Run, model: Path, arguments: tuple[str, ...], message: str) -> None:
    code, _, error = cli(*arguments, "--model", model)
    assert code == 2
    assert message in error


def test_a_model_for_the_npu_is_written_as_it_is(cli: Run, tmp_path: Path) -> None:
    compiled = tmp_path / "vela.tflite"
    compiled.write_bytes(b"\x1c\0\0\0TFL3" + b"ethos-u".rjust(100, b"\0"))
    code, _, error = cli(
        *("--board", "grove_vision_ai_v2", "--model-only", "--model", compiled, "--port", "/dev/no-such-port")
    )
    assert code == 8
    assert "is compiled for the NPU of grove_vision_ai_v2" in error
    code, _, error = cli("--board", V1.id, "--model-only", "--model", compiled, "--uf2-only", "x.uf2")
    assert code == 4
    assert not (tmp_path / "x.uf2").exists()


def test_a_model_by_xmodem(cli: Run, model: Path) -> None:
    bootloader = Bootloader(window_s=60)
    with terminal(bootloader) as (path, press):
        press()
        code, said, error = cli(
            *("--board", "grove_vision_ai_v2", "--model-only", "--model", model, "--port", path)
        )
    assert code == 0
    assert "press the board's RESET button" in error
    following = f"monitor --board grove_vision_ai_v2 --port {path} --model {model} --protocol sscma"
    assert f"next: edgekit {following}\n" in said
    # Understood: it goes on to the port, which is no more.
    assert _app._run(following.split()) == 8
    assert bootloader.flash[0x400000].startswith(model.read_bytes())


@pytest.mark.parametrize(
    "given",
    [
        ("--runtime", "tflm"),
        ("--kernels", "ref"),
        ("--protocol", "mlperf_tiny"),
        ("--mlperf-model", "ic01"),
        ("--mlperf-vendor", "me"),
        ("--camera",),
        ("--debug",),
    ],
    ids=" ".join,
)
def test_choices_that_would_change_nothing_are_refused(
    cli: Run, given: tuple[str, ...], tmp_path: Path
) -> None:
    (tmp_path / "out").mkdir()
    for arguments, hint in (((), "or give --model"), (("--no-build",), "leave out")):
        code, said, _ = cli("--board", "xiao_esp32s3_sense", *arguments, *given, "out", "--json")
        error = json.loads(said)["error"]
        assert (code, error["id"]) == (2, "usage")
        assert f"{given[0]} would change nothing" in error["message"]
        assert hint in error["hint"]


def test_an_image_as_it_is_needs_no_compiler_and_no_sdk(cli: Run, tmp_path: Path) -> None:
    for given in (("--compiler", "gcc"), ("--sdk", tmp_path)):
        code, said, _ = cli("--board", "xiao_esp32s3", "--no-build", *given, "out", "--json")
        assert code == 2
        assert given[0] in json.loads(said)["error"]["hint"]


def test_an_sdk_in_the_environment_is_for_boards_that_have_one(
    cli: Run, model: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("EDGEKIT_SDK", str(tmp_path))
    assert cli("--board", "host", "--model", model)[0] == 0
    code, said, _ = cli("--board", "host", "--model", model, "--sdk", tmp_path, "--json")
    assert (code, json.loads(said)["error"]["hint"]) == (2, "leave out --sdk")
    code, said, _ = cli("--board", "xiao_esp32s3", "--model", model, "--json")
    assert code == 7
    assert "which --sdk or EDGEKIT_SDK names, is no ESP-IDF" in json.loads(said)["error"]["message"]
