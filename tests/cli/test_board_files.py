"""A hostile board file, project file or project: a clear error, nothing run and nothing written elsewhere."""

import json
import os
from collections.abc import Callable
from pathlib import Path

import pytest

from edgekit import resources

HOST = (resources.boards() / "host.toml").read_text("utf-8")
COMPILERS = 'compilers = ["cc", "gcc", "clang", "ziglang"]'
CFLAGS, LDFLAGS = 'cflags = ["-O3"]', "ldflags = []"
VICTIMS = ("VICTIM", "VICTIM2", "VICTIM3")

# What is replaced in the host's board file, by what, and what the error must say; "" where it is harmless.
CASES = {
    "a quoted name": ('name = "This computer"', 'name = \'a"; system("id"); //\'', ""),
    "a name with a comment's end": (
        'name = "This computer"',
        "name = 'x */ ??/ ${HOME} $(id) `id` \\\\'",
        "",
    ),
    "a template's path": ('template = "host"', 'template = "../.."', "build.template is '../..'"),
    "a part as template": ('template = "host"', 'template = "bare_metal"', "it must be one of"),
    "a program that is none": (COMPILERS, 'compilers = ["touch", "gcc"]', "build.compilers holds 'touch'"),
    "a program by its path": (COMPILERS, 'compilers = ["/tmp/evil"]', "build.compilers holds '/tmp/evil'"),
    "a plugin by the linker": (
        LDFLAGS,
        'ldflags = ["--for-linker=-plugin=/tmp/e.so"]',
        "build.ldflags holds",
    ),
    "a map": (LDFLAGS, f'ldflags = ["-Wl,-Map={VICTIMS[0]}"]', "build.ldflags holds '-Wl,-Map=VICTIM'"),
    "another output": (LDFLAGS, f'ldflags = ["-Wl,-o,{VICTIMS[1]}"]', "build.ldflags holds"),
    "dependencies": (CFLAGS, f'cflags = ["-MMD", "-MF{VICTIMS[2]}"]', "build.cflags holds '-MMD'"),
    "a dump": (CFLAGS, f'cflags = ["-fdump-tree-all={VICTIMS[0]}"]', "build.cflags holds"),
    "a wrapper": (CFLAGS, 'cflags = ["--wrapper=/tmp/e"]', "build.cflags holds '--wrapper=/tmp/e'"),
    "specs": (CFLAGS, 'cflags = ["-specs=e.specs"]', "build.cflags holds '-specs=e.specs'"),
    "a profile": (CFLAGS, 'cflags = ["-fprofile-generate=/tmp/prof"]', "build.cflags holds"),
    "a keyword": (CFLAGS, 'cflags = ["-D__attribute__"]', "build.cflags holds '-D__attribute__'"),
    "a machine with options": (
        'kind = "process"',
        'kind = "qemu"\nprogram = "qemu-system-arm"\nmachine = "x,accel=tcg"',
        "emulator.machine holds 'x,accel=tcg'",
    ),
    "a long number": ("baud = 921600", f"baud = {'9' * 5000}", "an integer of thousands of digits"),
    "a long hexadecimal": ("baud = 921600", f"baud = 0x{'F' * 5000}", "serial.baud is an integer of more"),
    "no number": ("frame_buffers = 2", "frame_buffers = nan", "build.frame_buffers is 'nan'"),
}


@pytest.mark.parametrize("case", CASES)
def test_a_hostile_board_file(cli: Callable, model: Path, case: str) -> None:
    old, new, message = CASES[case]
    assert old in HOST
    board = Path("hb.toml")
    board.write_text(HOST, "utf-8")
    assert cli("generate", model, "--board", "./hb.toml", "-o", "o").code == 0
    for name in VICTIMS:
        Path(name).write_text("precious")
    board.write_text(HOST.replace(old, new, 1), "utf-8")
    commands = (
        ("generate", model, "-o", "p"),
        ("build", "o"),
        ("flash", "o"),
        ("prove", "--model", model, "--random", "1"),
        ("doctor",),
    )
    for command in commands if message else commands[:1]:
        done = cli(*command, "--board", "./hb.toml")
        assert done.code == (3 if message else 0), done.err
        assert message in done.err
        assert "bug in edgekit" not in done.err
        assert len(done.err) < 2000
    assert Path("p").exists() == (not message)
    assert not Path("o/obj").exists()
    assert {Path(name).read_text() for name in VICTIMS} == {"precious"}


def test_trust_is_said_with_each_command(cli: Callable, model: Path) -> None:
    Path("my board.toml").write_text(HOST, "utf-8")
    Path("mine.toml").write_text(HOST.replace(LDFLAGS, 'ldflags = ["-Wl,-Map=out.map"]'), "utf-8")
    done = cli("generate", model, "--board", "mine.toml")
    assert done.code == 3
    assert "--trust-board" in done.err
    Path("edgekit.toml").write_text('schema = 1\n[board]\nid = "mine.toml"\ntrust = true\n')
    assert "unknown key 'board.trust'" in cli("generate", model).err
    Path("edgekit.toml").unlink()
    done = cli("generate", model, "--board", "mine.toml", "--trust-board")
    assert done.out.splitlines()[-1] == "next: edgekit build build/mine --board mine.toml --trust-board"
    assert cli("build", "build/mine", "--board", "mine.toml").code == 3
    done = cli("build", "build/mine", "--board", "mine.toml", "--trust-board")
    said = "next: edgekit flash --board mine.toml --trust-board --no-build build/mine"
    assert done.out.splitlines()[-1] == said
    assert Path("build/mine/out.map").is_file()
    done = cli("boards", "show", "mine.toml", "--trust-board")
    assert "-Wl,-Map=out.map" in done.out
    assert cli("inspect", model, "--board", "mine.toml", "--trust-board").code == 0


@pytest.mark.parametrize(
    ("place", "message"),
    [
        ("etc", "holds no board file"),
        ("file", "not a folder"),
        ("gone", "not a folder"),
        ("many", "300 .toml files"),
    ],
)
def test_a_folder_of_boards_that_is_none(
    cli: Callable, model: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path, place: str, message: str
) -> None:
    Path("file").touch()
    for folder, ending in (("etc", "conf"), ("many", "toml")):
        Path(folder).mkdir()
        for number in range(300):
            (Path(folder) / f"f{number}.{ending}").touch()
    monkeypatch.setenv("EDGEKIT_BOARDS", str(tmp_path / place))
    for command in (
        ("boards",),
        ("boards", "show", "host"),
        ("doctor",),
        ("inspect", model),
        ("generate", model),
    ):
        done = cli(*command)
        assert (done.code, message in done.err, "EDGEKIT_BOARDS" in done.err) == (3, True, True), done.err


@pytest.mark.timeout(60)
def test_pipes_and_devices_in_the_place_of_files(cli: Callable, model: Path) -> None:
    os.mkfifo("pipe.toml")
    Path("endless.toml").symlink_to("/dev/zero")
    for name in ("pipe.toml", "endless.toml"):
        done = cli("generate", model, "--board", name)
        assert (done.code, "not a regular file" in done.err) == (3, True)
        Path("edgekit.toml").write_text(f'schema = 1\n[model]\nlabels = "{name}"\n')
        done = cli("generate", model)
        assert (done.code, "not a regular file" in done.err) == (2, True)
        Path("edgekit.toml").unlink()
        done = cli("bench", model, "--compare", name)
        assert (done.code, "not a regular file" in done.err) == (3, True)
        Path("edgekit.toml").symlink_to(name)
        done = cli("generate", model)
        assert (done.code, "not a regular file" in done.err) == (3, True)
        Path("edgekit.toml").unlink()
        Path("folder").mkdir()
        Path("folder/edgekit.json").symlink_to(Path(name).absolute())
        for command in (("build", "folder"), ("generate", model, "-o", "folder")):
            done = cli(*command)
            assert (done.code, "not a regular file" in done.err) == (7, True), done.err
        Path("folder/edgekit.json").unlink()
        Path("folder").rmdir()


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (f"[accuracy]\nmax_drop = 0x{'F' * 5000}", "accuracy.max_drop is an integer of more than 64 bits"),
        (f"[input]\nsize = {'9' * 5000}", "an integer of thousands of digits"),
        ("[accuracy]\nmax_drop = 1979-05-27", "max_drop must be a number, not '1979-05-27'"),
        ("[model]\nlabels = []", "the list holds no labels"),
        ("[model]\nlabels = ''", "no file of labels is named"),
        ("[board]\nport = 'spy://loop://?file=VICTIM'", "board.port is 'spy://loop://?file=VICTIM'"),
        ("[board]\nport = 'alt://x?class=y'", "board.port is 'alt://x?class=y'"),
        ("'\\u001b[2J' = 1", "unknown key"),
        ("k = " + "[" * 3000, "nested too deeply"),
        ("a." * 200_000 + "a = 1", "a key of more than 16 parts"),
        (f"{'k' * 100_000} = 1", "unknown key 'kkk"),
        ("#" * (1 << 20), "larger than 1,048,576 bytes"),
    ],
)
@pytest.mark.timeout(60)
def test_a_hostile_project_file(cli: Callable, model: Path, text: str, message: str) -> None:
    Path("edgekit.toml").write_text(f"schema = 1\n{text}\n", "utf-8")
    done = cli("flash", "--model", model)
    assert done.code in (2, 3)
    assert message in done.err
    assert "\x1b" not in done.err
    assert len(done.err) < 2000
    assert not Path("VICTIM").exists()


def test_ports_that_a_project_file_may_name(cli: Callable, model: Path) -> None:
    for port in ("auto", "/dev/ttyACM0", "COM3", "socket://localhost:1", "rfc2217://h:1", "loop://"):
        Path("edgekit.toml").write_text(f"schema = 1\n[board]\nport = '{port}'\n", "utf-8")
        assert cli("inspect", model).code == 0


def test_a_hostile_project_cannot_say_flags_or_leave_its_folder(cli: Callable, model: Path) -> None:
    assert cli("generate", model, "-o", "o").code == 0
    whole = json.loads(Path("o/edgekit.json").read_bytes())
    for name in ("-fplugin=x.c", "@x.c", "a b.c", "../x.c", "/x.c", "$(id).c", "x.c\n", "a;b.c"):
        Path("o/edgekit.json").write_text(json.dumps(whole | {"files": whole["files"] | {name: "0" * 64}}))
        done = cli("build", "o")
        assert (done.code, "wrong entry" in done.err) == (7, True), name
    for key, value in (
        ("protocol", "x; rm -rf ~"),
        ("board", "../host"),
        ("debug", "-DX"),
        ("schema", 10**30),
    ):
        Path("o/edgekit.json").write_text(json.dumps(whole | {key: value}))
        done = cli("build", "o")
        assert done.code == 7
        assert "edgekit.json'" in done.err
    Path("o/edgekit.json").write_text(json.dumps(whole))
    Path("outside").mkdir()
    Path("outside/file").write_text("precious")
    os.mkfifo("outside/pipe")
    for name, target in (("obj", "outside"), ("firmware", "outside/file"), ("main.c", "outside/pipe")):
        kept = Path("o", name).read_bytes() if name == "main.c" else None
        Path("o", name).unlink(missing_ok=True)
        Path("o", name).symlink_to(Path(target).absolute())
        for command in (("build", "o"), ("generate", model, "-o", "o"), ("flash", "o", "--model", model)):
            done = cli(*command)
            assert (done.code, "leads out of the project" in done.err) == (7, True), done.err
        Path("o", name).unlink()
        if kept is not None:
            Path("o", name).write_bytes(kept)
    assert sorted(path.name for path in Path("outside").iterdir()) == ["file", "pipe"]
    assert Path("outside/file").read_text() == "precious"
    os.mkfifo("o/camera.c")
    done = cli("build", "o")
    assert (done.code, "is not a file of the project" in done.err) == (7, True)
    Path("o/camera.c").unlink()
    assert cli("build", "o").code == 0


@pytest.mark.parametrize("key", ["size_bytes", "schema"])
def test_numbers_of_an_image_record(cli: Callable, model: Path, key: str) -> None:
    assert cli("flash", "--model", model).code == 0
    record = Path("build/host/image.json")
    fields = json.loads(record.read_bytes())
    for digits in (400, 5000):
        text = json.dumps(fields | {key: 0}).replace(f'"{key}": 0', f'"{key}": {"9" * digits}')
        record.write_text(text)
        done = cli("flash", "--no-build")
        assert done.code == 7
        assert "an integer of" in done.err
