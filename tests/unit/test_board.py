"""Board files are data: what is wrong in one is named, with the file, the key and what is allowed."""

import os
import re
from pathlib import Path

import pytest

from edgekit import board, resources
from edgekit.errors import ProjectError, UsageError

HOST = (resources.boards() / "host.toml").read_text("utf-8")

# What boards to come need: no emulator, USB ids, memory regions, another compiler, facts for the flasher.
ESP32_LIKE = (
    HOST.replace('[emulator]\nkind = "process"\n', "")
    .replace('isa = "host"', 'isa = "xtensa"\nclock_hz = 240000000')
    .replace("usb_ids = []", 'usb_ids = ["303a:1001", "2886:0056"]')
    .replace(
        "[build]",
        """
[[memory.region]]
name = "dram"
kind = "ram"
origin = 0x3fc88000
bytes = 300000
arena = true

[[memory.region]]
name = "psram"
kind = "ram"
origin = 0x3c000000
bytes = 0x800000
arena = true

[build]""",
    )
    .replace('["cc", "gcc", "clang", "ziglang"]', '["xtensa-esp32s3-elf-gcc"]')
    .replace(
        'cflags = ["-O3"]', 'cflags = ["-O3", "-mlongcalls", "-T", "board/linker.ld", "-Wl,--gc-sections"]'
    )
    + '\n[flash.facts]\nchip = "esp32s3"\nbaud = 460800\nstub = true\noffsets = ["0x0", "0x10000"]\n'
)

MANY_REGIONS = "".join(
    f'\n[[memory.region]]\nname = "r{n}"\nkind = "ram"\norigin = {n}\nbytes = 1\narena = true\n'
    for n in range(10_000)
)


def write(folder: Path, text: str, name: str = "mine.toml") -> Path:
    path = folder / name
    path.write_text(text, "utf-8")
    return path


def test_host_is_known() -> None:
    host = board.load("host")
    assert "host" in board.list_ids()
    assert host.id == "host"
    assert host.build.kernels == ("ref",)
    assert host.build.runtime is board.Runtime.COMPILED
    assert host.ticks == board.Ticks(board.TickUnit.MICROSECONDS, exact=False)
    assert host.emulator == board.Emulator("process")
    assert host.memory.regions == ()


@pytest.mark.parametrize("name", board.list_ids())
def test_every_board_that_comes_with_edgekit_is_sound(name: str) -> None:
    assert board.load(name).id == name


def test_a_board_of_the_users_own(tmp_path: Path) -> None:
    path = write(tmp_path, ESP32_LIKE)
    mine = board.load(str(path))
    assert mine == board.load(path)
    assert mine.id == "mine"
    assert mine.emulator is None
    assert mine.soc.clock_hz == 240_000_000
    assert mine.serial.usb_ids == ("303a:1001", "2886:0056")
    assert mine.memory.regions[0] == board.Region("dram", board.RegionKind.RAM, 0x3FC88000, 300000, True)
    assert mine.flash.facts == {
        "chip": "esp32s3",
        "baud": 460800,
        "stub": True,
        "offsets": ("0x0", "0x10000"),
    }


def test_a_path_in_the_current_folder_ends_in_toml(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    write(tmp_path, HOST)
    monkeypatch.chdir(tmp_path)
    assert board.load("mine.toml").id == "mine"


def test_an_unknown_board_suggests_the_nearest() -> None:
    with pytest.raises(ProjectError, match="there is no board 'hots'") as caught:
        board.load("hots")
    assert "did you mean 'host'?" in caught.value.hint
    assert caught.value.exit_code == 3


@pytest.mark.parametrize("name", ["", "..", "host.", "HOST", "ho\0st", "~root", "host\n", "*", "boards"])
def test_an_id_never_becomes_a_path(name: str) -> None:
    with pytest.raises(ProjectError, match="there is no board"):
        board.load(name)


@pytest.mark.parametrize("name", ["../boards/host", "/nowhere/host", "a/b", "nowhere.toml"])
def test_a_path_that_is_not_there(name: str) -> None:
    with pytest.raises(ProjectError, match=r"there is no board file|cannot be one"):
        board.load(name)


@pytest.mark.parametrize("name", ["My Board.toml", "-x.toml", "a-b.toml", "A.toml", "x" * 33 + ".toml"])
def test_a_file_name_that_cannot_be_an_id(tmp_path: Path, name: str) -> None:
    with pytest.raises(ProjectError, match="cannot be one"):
        board.load(write(tmp_path, HOST, name))


def test_a_folder_is_not_a_board(tmp_path: Path) -> None:
    (tmp_path / "mine.toml").mkdir()
    with pytest.raises(ProjectError, match="cannot read the board file"):
        board.load(tmp_path / "mine.toml")


WRONG = {
    # what is replaced, what by, what the message must say, what the hint must say
    "schema": ("schema = 1", "schema = 2", "has schema 2; this edgekit reads schema 1", "upgrade"),
    "no schema": ("schema = 1", "", "schema is missing", ""),
    "misspelt section": ("[serial]", "[seriall]", "unknown key 'seriall'", "did you mean 'serial'?"),
    "misspelt key": ("flash_bytes", "flash_byte", "unknown key 'memory.flash_byte'", "'flash_bytes'?"),
    "foreign key": ("baud =", "colour = 1\nbaud =", "unknown key 'serial.colour'", "Known here: baud"),
    "missing key": ("baud = 921600", "", "serial.baud is missing; it must be an integer in 1200..", ""),
    "missing section": ('[ticks]\nunit = "microseconds"\nexact = false', "", "ticks is missing", ""),
    "zero flash": ("flash_bytes = 67108864", "flash_bytes = 0", "memory.flash_bytes is '0'", ""),
    "negative ram": ("ram_bytes = 67108864", "ram_bytes = -5", "must be an integer in 1..", ""),
    "size as text": ("ram_bytes = 67108864", 'ram_bytes = "64M"', "memory.ram_bytes is '64M'", ""),
    "size as float": ("ram_bytes = 67108864", "ram_bytes = 1e6", "memory.ram_bytes is", ""),
    "size as bool": ("ram_bytes = 67108864", "ram_bytes = true", "memory.ram_bytes is 'True'", ""),
    "template": ('template = "host"', 'template = "ghost"', "one of arc_em9d, arduino, arm_mps, ", ""),
    "template is a path": ('template = "host"', 'template = "../host"', "build.template is '../host'", ""),
    "template is a part of families": (
        'template = "host"',
        'template = "bare_metal"',
        "it must be one of arc_em9d",
        "",
    ),
    "no regions for the linker script": (
        'template = "host"',
        'template = "riscv_virt"\nshared = ["bare_metal"]',
        "memory.region is missing; it must be regions for bare_metal's linker script",
        "",
    ),
    "template is the runtime": ('template = "host"', 'template = "runtime"', "build.template", ""),
    "kernels": ('kernels = ["ref"]', 'kernels = ["mve"]', "different names out of ", ""),
    "no kernels": ('kernels = ["ref"]', "kernels = []", "at least 1", ""),
    "kernels twice": ('kernels = ["ref"]', 'kernels = ["ref", "ref"]', "different names", ""),
    "kernel is a path": ('kernels = ["ref"]', 'kernels = ["../.."]', "build.kernels", ""),
    "runtime": ('runtime = "compiled"', 'runtime = "jit"', "one of compiled, tflm", ""),
    "buffers": ("frame_buffers = 2", "frame_buffers = 3", "an integer in 1..2", ""),
    "flash method": ('method = "process"', 'method = "usb"', "flash.method is 'usb'", ""),
    "flash method is private": ('method = "process"', 'method = "__init__"', "flash.method", ""),
    "usb id": ("usb_ids = []", 'usb_ids = ["303A:1001"]', "lower case", ""),
    "dtr": ("dtr = false", 'dtr = "off"', "serial.dtr is 'off'; it must be true or false", ""),
    "unit": ('unit = "microseconds"', 'unit = "seconds"', "one of instructions, microseconds", ""),
    "emulator": ('kind = "process"', 'kind = "vm"', "it must be one of none, process, qemu", ""),
    "a process with a machine": (
        'kind = "process"',
        'kind = "process"\nmachine = "m"',
        "'emulator.machine'",
        "",
    ),
    "qemu without a machine": (
        'kind = "process"',
        'kind = "qemu"\nprogram = "qemu-system-arm"',
        "is missing",
        "",
    ),
    "qemu by a path": (
        'kind = "process"',
        'kind = "qemu"\nmachine = "m"\nprogram = "/bin/sh"',
        "/bin/sh",
        "",
    ),
    "qemu without a list": (
        'kind = "process"',
        'kind = "qemu"\nmachine = "m"\nprogram = "qemu-system-evil"',
        "emulator.program holds 'qemu-system-evil'",
        "--trust-board",
    ),
    "qemu's machine with options": (
        'kind = "process"',
        'kind = "qemu"\nmachine = "virt,dumpdtb=x"\nprogram = "qemu-system-arm"',
        "emulator.machine holds 'virt,dumpdtb=x'",
        "--trust-board",
    ),
    "qemu's cpu with options": (
        'kind = "process"',
        'kind = "qemu"\nmachine = "virt"\ncpu = "rv32,x=on"\nprogram = "qemu-system-riscv32"',
        "emulator.cpu holds 'rv32,x=on'",
        "--trust-board",
    ),
    "qemu's plugin": (
        'kind = "process"',
        'kind = "qemu"\nmachine = "m"\nprogram = "qemu-system-arm"\narguments = ["-plugin", "/tmp/x.so"]',
        "emulator.arguments holds '-plugin /tmp/x.so'",
        "--trust-board",
    ),
    "qemu's firmware": (
        'kind = "process"',
        'kind = "qemu"\nmachine = "m"\nprogram = "qemu-system-arm"\narguments = ["-bios", "/tmp/x"]',
        "emulator.arguments holds '-bios /tmp/x'",
        "--trust-board",
    ),
    "qemu's arguments": (
        'kind = "process"',
        'kind = "qemu"\nmachine = "m"\nprogram = "qemu-system-arm"\narguments = ["-append x"]',
        "emulator.arguments",
        "",
    ),
    "shared folder": ('template = "host"', 'template = "host"\nshared = ["../host"]', "build.shared", ""),
    "compiler is a path": ('"gcc"', '"/tmp/evil"', "build.compilers", ""),
    "no compiler": ('["cc", "gcc", "clang", "ziglang"]', "[]", "at least 1", ""),
    "flag with a shell": ('["-O3"]', '["-O3 $(touch x)"]', "build.cflags", ""),
    "flag that runs a program": ('["-O3"]', '["-wrapper", "touch,x"]', "build.cflags", ""),
    "flag that loads a plugin": (
        '["-O3"]',
        '["-fplugin=/tmp/x.so"]',
        "build.cflags holds '-fplugin=/tmp/x.so', which is not allowed",
        "--trust-board",
    ),
    "flag that reads flags": ('["-O3"]', '["@/tmp/flags"]', "build.cflags", ""),
    "specs by a path": ('["-O3"]', '["--specs=/tmp/x.specs"]', "build.cflags", ""),
    "two compilers, one unknown": ('"gcc"', '"touch"', "build.compilers holds 'touch'", "--trust-board"),
    "linker's plugin": (
        "ldflags = []",
        'ldflags = ["-O2", "--for-linker=-plugin=/x/e.so"]',
        "build.ldflags holds '--for-linker=-plugin=/x/e.so'",
        "--trust-board",
    ),
    "a decimal of thousands of digits": (
        "baud = 921600",
        f"baud = {'9' * 5000}",
        "holds an integer of thousands of digits",
        "",
    ),
    "a hexadecimal of thousands of digits": (
        "baud = 921600",
        f"baud = 0x{'f' * 5000}",
        "serial.baud is an integer of more than 64 bits",
        "",
    ),
    "a schema of thousands of digits": (
        "schema = 1",
        f"schema = 0x{'f' * 5000}",
        "schema is an integer of more than 64 bits",
        "",
    ),
    "no number": ("frame_buffers = 2", "frame_buffers = nan", "frame_buffers is 'nan'", ""),
    "a name with an invisible character": (
        'name = "This computer"',
        'name = "a\\u00adb\\U000e0041"',
        "name is 'a\\xadb",
        "",
    ),
    "template is the code of a runtime": (
        'template = "host"',
        'template = "tflm"',
        "build.template is 'tflm'; it must be one of arc_em9d, arduino",
        "",
    ),
    "shared is the code of a runtime": (
        'template = "host"',
        'template = "host"\nshared = ["tflm"]',
        "build.shared",
        "",
    ),
    "a name that turns the direction of writing": (
        'name = "This computer"',
        'name = "a\\u202eb"',
        r"name is 'a\u202eb'; it must be one line of text",
        "",
    ),
    "a long name": ('"This computer"', f'"{"a" * 201}"', "of at most 200 characters", ""),
    "a key of control characters": ("baud =", '"\\u001b[2J" = 1\nbaud =', r"'serial.\x1b[2J'", ""),
    "a long key": ("baud =", f"{'k' * 100000} = 1\nbaud =", "unknown key 'serial.kkk", ""),
    "flag with a newline": ('["-O3"]', '["-O3\\nall:"]', "build.cflags", ""),
    "name with a newline": ('name = "This computer"', 'name = "a\\nb"', "one line of text", ""),
    "section is a value": ('[ticks]\nunit = "microseconds"\nexact = false', "", "ticks is missing", ""),
    "isa": ('isa = "host"', 'isa = "HOST;"', "soc.isa", ""),
}


@pytest.mark.parametrize("case", WRONG)
def test_what_is_wrong_is_named(tmp_path: Path, case: str) -> None:
    old, new, message, hint = WRONG[case]
    assert old in HOST
    path = write(tmp_path, HOST.replace(old, new, 1))
    with pytest.raises(ProjectError) as caught:
        board.load(path)
    assert message in caught.value.message
    assert str(path) in caught.value.message
    assert hint in caught.value.hint
    assert len(caught.value.message) < 1500


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ("origin = 0x3c000000", "origin = 0x3fc88010", "'psram' overlaps 'dram'"),
        ('name = "psram"', 'name = "dram"', "'dram' is there twice"),
        ("arena = true", "arena = 1", "memory.region[0].arena is '1'"),
        ('kind = "ram"', 'kind = "rom"', "memory.region[0].kind"),
        ('[[memory.region]]\nname = "dram"', '[memory.region]\nname = "dram"', "not valid TOML|array"),
        ("stub = true", "stub = 1.5", "flash.facts.stub"),
        ('chip = "esp32s3"', "chip = {}", "flash.facts.chip"),
        ("[ticks]", '[camera]\nsensor = "X"\nxclk_hz = 1\npins = {d9 = 1}\n[ticks]', "key 'camera.pins.d9'"),
        ("[ticks]", '[camera]\nsensor = "X"\nxclk_hz = 1\npins = {d0 = 1}\n[ticks]', "camera.pins.pwdn is"),
    ],
)
def test_what_is_wrong_in_the_longer_form_is_named(tmp_path: Path, old: str, new: str, message: str) -> None:
    assert old in ESP32_LIKE
    with pytest.raises(ProjectError) as caught:
        board.load(write(tmp_path, ESP32_LIKE.replace(old, new, 1)))
    assert re.search(message.replace("[0]", r"\[0\]"), caught.value.message)


@pytest.mark.parametrize("text", ["", "schema", "[[[", "\x00", "schema = 1\nschema = 1", "a = " + "[" * 5000])
def test_text_that_is_no_board(tmp_path: Path, text: str) -> None:
    with pytest.raises(ProjectError, match=r"mine\.toml"):
        board.load(write(tmp_path, text))


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("a." * 200_000 + "a = 1", "a key of more than 16 parts"),
        ("'a' . \"b\" . " * 50_000 + "c = 1", "a key of more than 16 parts"),
        ("\n".join(f"[[{'a.' * 15}a]]" for _ in range(9)), "nested deeper than 16"),
        ("a = " + "{a = " * 20 + "1" + "}" * 20, "nested deeper than 16"),
        ("a = " + "{a = " * 20_000, "nested too deeply"),
        (HOST + MANY_REGIONS, "at most 64 regions"),
        ("#" * ((1 << 20) + 1), "larger than 1,048,576 bytes"),
        ("a = 1\n" + "\n" * (1 << 20), "larger than 1,048,576 bytes"),
    ],
)
@pytest.mark.timeout(30)
def test_what_would_take_for_ever_is_refused(tmp_path: Path, text: str, message: str) -> None:
    with pytest.raises(ProjectError, match=message):
        board.load(write(tmp_path, text))


@pytest.mark.timeout(30)
def test_only_regular_files_are_read(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe.toml")
    (tmp_path / "endless.toml").symlink_to("/dev/zero")
    (tmp_path / "loop.toml").symlink_to(tmp_path / "loop.toml")
    for name, message in (
        ("pipe", "not a regular file"),
        ("endless", "not a regular file"),
        ("loop", "symbolic"),
    ):
        with pytest.raises(ProjectError, match=f"cannot read the board file '.*{name}.toml': .*{message}"):
            board.load(tmp_path / f"{name}.toml")


def test_a_file_cut_anywhere_is_an_error_or_a_board(tmp_path: Path) -> None:
    for length in range(0, len(HOST), 7):
        path = write(tmp_path, HOST[:length])
        try:
            board.load(path)
        except ProjectError as error:
            assert str(path) in error.message


def test_a_variant_is_laid_over_its_board(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    write(tmp_path, ESP32_LIKE + '\n[variant.big]\nname = "Big"\nmemory.flash_bytes = 77\n', "kit.toml")
    monkeypatch.setenv("EDGEKIT_BOARDS", str(tmp_path))
    assert board.list_ids() == ("kit", "kit_big")
    plain, big = board.load("kit"), board.load("kit_big")
    assert (big.id, big.name, big.memory.flash_bytes) == ("kit_big", "Big", 77)
    assert big.memory.ram_bytes == plain.memory.ram_bytes
    assert big.memory.regions == plain.memory.regions
    with pytest.raises(ProjectError, match="no board 'kit_small'"):
        board.load("kit_small")


def boards_at(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("EDGEKIT_BOARDS", str(folder))


def test_a_folder_of_boards_that_is_none(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    file = tmp_path / "file"
    (tmp_path / "etc").mkdir()
    (tmp_path / "etc" / "Odd Name.toml").touch()
    file.touch()
    for place, message in (
        (tmp_path / "etc", "holds no board file"),
        (file, "which is not a folder"),
        (tmp_path / "gone", "which is not a folder"),
        (file / "below", "which is not a folder"),
        ("a" * 5000, "which is not a folder"),
    ):
        monkeypatch.setenv("EDGEKIT_BOARDS", str(place))
        for call in (board.list_ids, lambda: board.load("host")):
            with pytest.raises(ProjectError, match=message):
                call()
        # A file that is named is found, or is not, all the same.
        assert board.load(write(tmp_path, HOST)).id == "mine"
        with pytest.raises(ProjectError, match="there is no board file"):
            board.load(tmp_path / "nowhere.toml")


@pytest.mark.skipif(os.geteuid() == 0, reason="root may read every folder")
def test_a_folder_of_boards_that_may_not_be_read(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    boards_at(tmp_path, monkeypatch)
    tmp_path.chmod(0o000)
    try:
        with pytest.raises(ProjectError, match=r"cannot read the folder of boards .*Permission denied"):
            board.list_ids()
    finally:
        tmp_path.chmod(0o700)


def test_a_folder_of_thousands_of_files(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    boards_at(tmp_path, monkeypatch)
    for number in range(2000):
        (tmp_path / f"f{number}.txt").touch()
    write(tmp_path, HOST, "kit.toml")
    assert board.list_ids() == ("kit",)
    for number in range(256):
        (tmp_path / f"f{number}.toml").touch()
    with pytest.raises(ProjectError, match=r"holds 257 \.toml files, more than 256"):
        board.load("kit")


def test_a_broken_neighbour_does_not_hide_a_board(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    boards_at(tmp_path, monkeypatch)
    write(tmp_path, ESP32_LIKE + '\n[variant.big]\nname = "Big"\n', "kit.toml")
    write(tmp_path, "[[[", "broken.toml")
    (tmp_path / "dangling.toml").symlink_to("nowhere")
    assert board.load("kit").id == "kit"
    assert board.load("kit_big").name == "Big"
    with pytest.raises(ProjectError, match="there is no board 'kat'"):
        board.load("kat")
    with pytest.raises(ProjectError, match=r"broken\.toml' is not valid TOML|no board file .*dangling\.toml"):
        board.list_ids()


def test_variants_are_counted(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    boards_at(tmp_path, monkeypatch)
    write(tmp_path, HOST + "".join(f"\n[variant.v{number}]" for number in range(65)), "kit.toml")
    with pytest.raises(ProjectError, match="has 65 variants, more than 64"):
        board.list_ids()


def test_a_board_is_used_with_another_of_its_runtimes() -> None:
    xiao = board.load("xiao_esp32s3")
    assert board.choose(xiao, runtime="tflm").build.runtime is board.Runtime.TFLM
    assert board.choose(xiao) == xiao
    with pytest.raises(UsageError, match="no runtime 'tflm'"):
        board.choose(board.load("host"), runtime="tflm")
    with pytest.raises(UsageError, match="no kernels 'fast'"):
        board.choose(xiao, kernels="fast")
    with pytest.raises(UsageError, match="tflm has its own"):
        board.choose(xiao, runtime="tflm", kernels="esp_nn")


def test_only_what_ran_counts_as_verified(tmp_path: Path) -> None:
    assert board.verification(board.load("host")) == "runs here"
    assert board.verification(board.load("arc_em9d")) == "compiled and linked"
    assert board.verification(board.load("xiao_esp32s3")) == "not yet verified on hardware"
    seen = board.load(write(tmp_path, ESP32_LIKE.replace("schema = 1", 'schema = 1\nverified = "in Bern"')))
    assert board.verification(seen) == "verified in Bern"
