"""Building: what is compiled when, which flags it gets, and what is said when it fails."""

import json
import os
import subprocess
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from tflite_builder import Value, build

from edgekit import board, contract, emulator, flash
from edgekit.codegen.generator import generate
from edgekit.emulator import RunningBoard
from edgekit.errors import FlashError, ProjectError, ToolError, UsageError
from edgekit.firmware import build as building
from edgekit.firmware import project, seal
from edgekit.firmware.image import FirmwareImage
from edgekit.firmware.options import Firmware
from edgekit.flash import process as virtual
from edgekit.graph import tflite

HOST = board.load("host")
DEADLINE_S = 60.0


@pytest.fixture(autouse=True)
def clean(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("EDGEKIT_CC_HOST", "CC"):
        monkeypatch.delenv(name, raising=False)


def write(folder: Path, *, debug: bool = False, weight: int = 1, target: board.Board = HOST) -> Path:
    """Write the project of a small classifier."""
    data = build(
        "FULLY_CONNECTED",
        inputs=[
            Value((1, 4), scales=(0.5,), zero_points=(0,)),
            Value((3, 4), scales=(0.01,), zero_points=(0,), data=np.full((3, 4), weight)),
            Value((3,), "int32", scales=(0.005,), zero_points=(0,), data=np.zeros(3, np.int32)),
        ],
        outputs=[Value((1, 3), scales=(0.25,), zero_points=(0,))],
    )
    graph = tflite.parse(data)
    model = generate(graph, contract.of(graph))
    project.write(project.assemble(model, target, Firmware(debug=debug)), folder)
    return folder


def logged(folder: Path, *, real: str = "gcc") -> tuple[str, Path]:
    """Return a compiler that notes its arguments, and the file of the notes."""
    log, tool = folder / "log", folder / "noting-cc"
    tool.write_text(f'#!/bin/sh\necho "$*" >> {log}\nexec {real} "$@"\n')
    tool.chmod(0o755)
    return str(tool), log


def compiled(log: Path) -> list[str]:
    """Return the sources that were compiled, and `firmware` where it was linked; forget them."""
    commands = [line.split() for line in log.read_text().splitlines()] if log.exists() else []
    log.unlink(missing_ok=True)
    found = [c[c.index("-c") + 1] for c in commands if "-c" in c]
    return sorted(found) + ["firmware" for c in commands if "-o" in c and c[c.index("-o") + 1] == "firmware"]


@pytest.mark.parametrize("compiler", ["gcc", "ziglang"])
def test_builds_without_a_warning_and_runs(tmp_path: Path, compiler: str) -> None:
    folder = write(tmp_path / "out")
    image = building.build(folder, HOST, compiler=compiler)
    assert image == building.load_image(folder, HOST)
    manifest = json.loads((folder / "edgekit.json").read_bytes())
    assert image.model_digest == manifest["model_digest"]
    assert image.contract_digest == manifest["contract_digest"]
    assert image.path == folder / "firmware"
    assert image.size_bytes == image.path.stat().st_size
    assert ("clang" if compiler == "ziglang" else "gcc") in image.compiler
    with RunningBoard(image, HOST) as running:
        line = running.connect()
        line.settimeout(DEADLINE_S)
        assert line.recv(1) == b"\0"  # the device announces itself in a frame
    assert running.exit_code() == 0


def test_only_what_changed_is_compiled(tmp_path: Path) -> None:
    folder = write(tmp_path / "out")
    tool, log = logged(tmp_path)
    sources = sorted(p.relative_to(folder).as_posix() for p in folder.rglob("*.c"))
    first = building.build(folder, HOST, compiler=tool)
    assert compiled(log) == [*sources, "firmware"]
    assert building.build(folder, HOST, compiler=tool) == first
    assert compiled(log) == []
    with (folder / "main.c").open("a") as file:
        file.write("/* touched */\n")
    building.build(folder, HOST, compiler=tool)
    assert compiled(log) == ["main.c", "firmware"]
    write(folder, weight=2)  # restores main.c
    second = building.build(folder, HOST, compiler=tool)
    assert compiled(log) == ["main.c", "model/model.c", "firmware"]
    assert second.model_digest != first.model_digest
    with (folder / "runtime" / "include" / "ek_nn.h").open("a") as file:
        file.write("/* touched */\n")
    building.build(folder, HOST, compiler=tool)
    assert compiled(log) == [*sources, "firmware"]


def test_objects_of_a_stranger_are_not_believed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    folder = write(tmp_path / "out")
    cc, log = logged(tmp_path)
    monkeypatch.setenv("EDGEKIT_CACHE", str(tmp_path / "strangers"))
    building.build(folder, HOST, compiler=cc)
    compiled(log)
    building.build(folder, HOST, compiler=cc)
    assert compiled(log) == []
    # What a stranger can compute without the user's secret, over an object with a body of its own.
    body = (folder / "obj" / "main.o").read_bytes()
    (folder / "obj" / "app.ek_app.o").write_bytes(body)
    monkeypatch.setenv("EDGEKIT_CACHE", str(tmp_path / "users"))
    building.build(folder, HOST, compiler=cc)
    made = compiled(log)
    assert "app/ek_app.c" in made
    assert len(made) == len(list((folder / "obj").glob("*.o"))) + 1
    secret = tmp_path / "users" / "secret"
    assert (secret.stat().st_mode & 0o777, secret.stat().st_size) == (0o600, 32)
    assert secret.read_bytes() != (tmp_path / "strangers" / "secret").read_bytes()


def test_a_secret_that_others_can_read_is_replaced(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("EDGEKIT_CACHE", str(tmp_path))
    (tmp_path / "secret").write_bytes(bytes(32))
    (tmp_path / "secret").chmod(0o644)
    mark = seal.of("text")
    assert mark == seal.of("text")
    assert (tmp_path / "secret").read_bytes() != bytes(32)
    assert (tmp_path / "secret").stat().st_mode & 0o777 == 0o600


def test_a_build_needs_no_place_for_its_secret(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "file").touch()
    monkeypatch.setenv("EDGEKIT_CACHE", str(tmp_path / "file"))
    building.build(write(tmp_path / "out"), HOST)


def test_flags_of_board_caller_and_debug_reach_the_compiler(tmp_path: Path) -> None:
    folder = write(tmp_path / "out", debug=True)
    tool, log = logged(tmp_path)
    made = replace(HOST.build, cflags=("-O1",), ldflags=("-Wl,-z,relro",))
    image = building.build(folder, replace(HOST, build=made), compiler=tool, cflags=["-DEXTRA=1"], jobs=1)
    assert image.debug
    lines = [line.split() for line in log.read_text().splitlines()]
    for line in lines:
        if "-c" in line:
            assert {"-std=c11", "-Werror", "-O1", "-DEK_TRACE=1", "-DEXTRA=1", "-Iapp", "-I."} <= set(line)
            assert "-Wl,-z,relro" not in line
            assert not any(str(tmp_path) in word for word in line)
    assert lines[-1][-3:] == ["-Wl,-z,relro", "-o", "firmware"]
    assert "-O1" in lines[-1]
    compiled(log)
    building.build(folder, HOST, compiler=tool)
    assert len(compiled(log)) == len(list(folder.rglob("*.c"))) + 1, "other flags make other objects"


def test_a_source_that_does_not_compile_is_shown_and_leaves_no_image(tmp_path: Path) -> None:
    folder = write(tmp_path / "out")
    building.build(folder, HOST, compiler="gcc")
    good = (folder / "main.c").read_text()
    (folder / "main.c").write_text(good + "int unused_and_unknown(void);\nnonsense;\n")
    with pytest.raises(ToolError, match="'gcc' failed(.|\n)*main.c(.|\n)*nonsense") as caught:  # noqa: RUF043
        building.build(folder, HOST, compiler="gcc")
    assert "-c main.c" in caught.value.hint
    with pytest.raises(ToolError, match="has not been built") as caught:
        building.load_image(folder, HOST)
    assert caught.value.hint == f"run `edgekit build {folder} --board host`"
    (folder / "main.c").write_text(good)
    building.build(folder, HOST, compiler="gcc")


def test_a_warning_is_an_error(tmp_path: Path) -> None:
    folder = write(tmp_path / "out")
    with (folder / "main.c").open("a") as file:
        file.write("int narrow(long long wide);\nint narrow(long long wide) { return wide; }\n")
    with pytest.raises(ToolError, match="Werror=conversion"):
        building.build(folder, HOST, compiler="gcc")


def test_a_link_that_fails_is_shown(tmp_path: Path) -> None:
    folder = write(tmp_path / "out")
    broken = replace(HOST, build=replace(HOST.build, ldflags=("-lno-such-library",)))
    with pytest.raises(ToolError, match="no-such-library"):
        building.build(folder, broken, compiler="gcc")


def test_make_alone_builds_the_same_sources(tmp_path: Path) -> None:
    folder = write(tmp_path / "out")
    image = building.build(folder, HOST, compiler="gcc")
    (folder / "firmware").unlink()
    flags = "WARNINGS=-Wall -Wextra -Wpedantic -Werror"
    subprocess.run(["make", "-s", "-C", folder, flags], check=True, env={"PATH": os.environ["PATH"]})
    assert (folder / "firmware").is_file()
    # What make has linked is not taken for the work of `edgekit build`.
    if (folder / "firmware").read_bytes() != image.path.read_bytes():
        with pytest.raises(ToolError, match="is not the one"):
            building.load_image(folder, HOST)
    (folder / "firmware").write_bytes(b"of somebody else")
    assert building.build(folder, HOST, compiler="gcc").sha256 == image.sha256


def test_sanitizers_find_what_they_look_for(tmp_path: Path) -> None:
    folder = write(tmp_path / "out")
    text = (folder / "main.c").read_text()
    crash = "    volatile int big = 0x7fffffff;\n    if (argc > 0) {\n        big += argc;\n    }\n"
    marker = "    ek_app_init();"
    assert marker in text
    sanitize = ["-fsanitize=address,undefined", "-fno-sanitize-recover=all", "-g"]
    with RunningBoard(building.build(folder, HOST, compiler="gcc", cflags=sanitize), HOST) as running:
        running.connect().sendall(b"\0garbage\0")
    assert (running.exit_code(), running.last_words()) == (0, "")
    (folder / "main.c").write_text(text.replace(marker, crash + marker))
    with RunningBoard(building.build(folder, HOST, compiler="gcc", cflags=sanitize), HOST) as running:
        line = running.connect()
        line.settimeout(DEADLINE_S)
        assert line.recv(1) == b""
    assert running.exit_code() not in (0, None)
    assert "signed integer overflow" in running.last_words()


@pytest.mark.parametrize("kind", ["absent", "empty", "foreign"])
def test_a_folder_that_is_no_project(tmp_path: Path, kind: str) -> None:
    folder = tmp_path / "out"
    if kind != "absent":
        folder.mkdir()
    if kind == "foreign":
        (folder / "edgekit.json").write_text("{}")
    for call in (lambda: building.build(folder, HOST), lambda: building.load_image(folder, HOST)):
        with pytest.raises(ToolError, match="not a") as caught:
            call()
        assert "edgekit generate" in caught.value.hint
    assert folder.exists() == (kind != "absent")


def test_an_interrupted_project_is_not_built(tmp_path: Path) -> None:
    folder = write(tmp_path / "out")
    fields = json.loads((folder / "edgekit.json").read_bytes())
    (folder / "edgekit.json").write_text(json.dumps(fields | {"complete": False}))
    with pytest.raises(ToolError, match="generation was interrupted"):
        building.build(folder, HOST)


def test_a_file_that_is_gone_is_named(tmp_path: Path) -> None:
    folder = write(tmp_path / "out")
    (folder / "port.c").unlink()
    with pytest.raises(ToolError, match=r"port\.c'") as caught:
        building.build(folder, HOST)
    assert "edgekit generate" in caught.value.hint


def test_the_project_of_another_board_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ToolError, match="generated for the board 'host', not for 'other'"):
        building.build(write(tmp_path / "out"), replace(HOST, id="other"))


def test_hints_name_a_board_of_the_users_own_by_its_file(tmp_path: Path) -> None:
    file = tmp_path / "my boards" / "mine.toml"
    file.parent.mkdir()
    file.write_bytes(HOST.path.read_bytes())
    own = board.load(file)
    word = f"--board '{file}'"
    folder = write(tmp_path / "out")
    image = building.build(folder, HOST)
    for run in (
        lambda: building.build(folder, own),
        lambda: flash.check_built_for(image, own),
        lambda: RunningBoard(image, own),
        lambda: virtual.installed(own),
    ):
        with pytest.raises((ToolError, FlashError)) as caught:
            run()
        assert word in caught.value.hint
    mine = tmp_path / "out 2"
    write(mine, target=own)
    with pytest.raises(ToolError, match="has not been built") as caught:
        building.load_image(mine, own)
    assert caught.value.hint == f"run `edgekit build '{mine}' {word}`"


def test_an_image_of_an_earlier_generation_is_refused(tmp_path: Path) -> None:
    folder = write(tmp_path / "out")
    building.build(folder, HOST, compiler="gcc")
    write(folder, weight=2)
    with pytest.raises(ToolError, match="generated again after it was built"):
        building.load_image(folder, HOST)


@pytest.mark.parametrize(
    "change",
    [
        {"schema": 9},
        {"path": "../x"},
        {"path": "/bin/sh"},
        {"sha256": "0"},
        {"debug": 1},
        {"size_bytes": "1"},
        {"board_id": "host\x1b[2J"},
        {"parts": [{"name": "\x1b[2J", "offset": 0, "path": "a", "size_bytes": 1, "sha256": "0" * 64}]},
    ],
    ids=str,
)
def test_a_record_is_not_trusted(tmp_path: Path, change: dict[str, object]) -> None:
    folder = write(tmp_path / "out")
    building.build(folder, HOST, compiler="gcc")
    fields = json.loads((folder / "image.json").read_bytes())
    (folder / "image.json").write_text(json.dumps(fields | change))
    with pytest.raises(ToolError, match=r"image\.json"):
        building.load_image(folder, HOST)


class TestFlash:
    @pytest.fixture(autouse=True)
    def _own_cache(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setenv("EDGEKIT_CACHE", str(tmp_path / "cache"))

    def image(self, folder: Path, weight: int = 1) -> FirmwareImage:
        return building.build(write(folder, weight=weight), HOST, compiler="gcc")

    def test_installs_replaces_and_runs(self, tmp_path: Path) -> None:
        with pytest.raises(FlashError, match="nothing is flashed on 'host'") as caught:
            virtual.installed(HOST)
        assert caught.value.hint == "run `edgekit flash --board host --model MODEL`"
        assert caught.value.exit_code == 9
        seen: list[tuple[int, int]] = []
        first = self.image(tmp_path / "out")
        flash.flash(first, HOST, progress=lambda done, whole: seen.append((done, whole)))
        assert seen == [(0, first.size_bytes), (first.size_bytes, first.size_bytes)]
        second = self.image(tmp_path / "out", weight=2)
        flash.flash(second, HOST)
        found = virtual.installed(HOST)
        assert found == replace(second, path=found.path)
        assert len(list(found.path.parent.iterdir())) == 2  # the image and its record
        with emulator.start(found, HOST) as line:
            line.settimeout(DEADLINE_S)
            assert line.recv(1) == b"\0"

    def test_flashing_while_the_board_runs(self, tmp_path: Path) -> None:
        flash.flash(self.image(tmp_path / "out"), HOST)
        with RunningBoard(virtual.installed(HOST), HOST) as running:
            running.connect()
            flash.flash(self.image(tmp_path / "out", weight=2), HOST)
            assert running.exit_code() is None

    def test_damage_is_found(self, tmp_path: Path) -> None:
        flash.flash(self.image(tmp_path / "out"), HOST)
        path = virtual.installed(HOST).path
        path.write_bytes(path.read_bytes()[:-1])
        with pytest.raises(FlashError, match="damaged"):
            virtual.installed(HOST)
        flash.flash(self.image(tmp_path / "out"), HOST)
        path.chmod(0o644)
        with pytest.raises(FlashError, match="cannot be run"):
            virtual.installed(HOST)

    def test_an_image_that_changed_leaves_the_board_as_it_was(self, tmp_path: Path) -> None:
        first = self.image(tmp_path / "out")
        flash.flash(first, HOST)
        second = self.image(tmp_path / "out", weight=2)
        second.path.write_bytes(b"other")
        with pytest.raises(FlashError, match="is as it was"):
            flash.flash(second, HOST)
        second.path.unlink()
        with pytest.raises(FlashError, match="is as it was"):
            flash.flash(second, HOST)
        assert virtual.installed(HOST).sha256 == first.sha256

    def test_what_does_not_apply_is_refused(self, tmp_path: Path) -> None:
        image = self.image(tmp_path / "out")
        with pytest.raises(UsageError, match="has no port '/dev/ttyUSB0'"):
            flash.flash(image, HOST, "/dev/ttyUSB0")
        with pytest.raises(ToolError, match="built for the board 'host', not for 'other'"):
            flash.flash(image, replace(HOST, id="other"))
        with pytest.raises(UsageError, match="takes no facts"):
            flash.flash(image, replace(HOST, flash=board.Flash("process", {"speed": 1})))

    @pytest.mark.parametrize("method", ["__init__", "../process", "os", "nonsense"])
    def test_only_modules_of_the_folder_are_methods(self, tmp_path: Path, method: str) -> None:
        image = self.image(tmp_path / "out")
        with pytest.raises(ProjectError, match="there is no flash method"):
            flash.flash(image, replace(HOST, flash=board.Flash(method)))
        assert flash.methods() == ("arduino", "esptool", "process", "uf2", "xmodem")
