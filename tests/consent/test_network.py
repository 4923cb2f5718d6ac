"""No command looks up a name, connects to anybody, or leaves anything outside edgekit's own cache.

Each command runs under a library that sees and refuses it, native code's calls and children's too.
"""

import json
import os
import re
import signal
import socket
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest
import small_models
import torch
from convert.conftest import net
from flash.conftest import boot_loader
from flash.rom_loader import RomLoader
from torch import nn

from edgekit.cli import _app
from edgekit.errors import PortError

SOURCE = Path(__file__).with_name("watch_network.c")
DEADLINE_S = 300
BUILDER = "from torch import nn\ndef build(): return nn.Sequential(nn.Conv2d(3, 5, 8), nn.Flatten())\n"
DATA = ("--calibration", "data.npz", "--eval", "data.npz", "--allow-random-calibration")
HOST = ("--board", "host", "--model", "m.tflite")
# The whole line in order, and what else starts a library or a tool of its own.
LINE: tuple[tuple[str, ...], ...] = (
    ("init", "--board", "host"),
    ("quantize", "net.onnx", *DATA, "-o", "q.tflite"),
    ("quantize", "w.pth", "--builder", "user_net:build", "--size", "8x8", *DATA, "-o", "t.tflite"),
    ("inspect", "m.tflite", "--plot", "plan.svg"),
    ("generate", "m.tflite", "--board", "host", "-o", "firmware"),
    ("generate", "m.tflite", "--board", "grove_vision_ai_v2", "--runtime", "tflm", "-o", "npu"),
    ("build", "firmware"),
    ("flash", *HOST, "firmware"),
    ("monitor", *HOST, "--source", "data.npz"),
    ("classify", *HOST, "--input", "x.npy", "--output", "y.npy"),
    ("prove", *HOST, "--data", "data.npz"),
    ("bench", "m.tflite", "--board", "mps2_an386", "--count", "2"),
    ("export", "m.tflite", "--format", "arduino", "-o", "library"),
    ("boards",),
    ("doctor", "--board", "host"),
    ("demo", "--count", "3", "-o", "demo"),
)
WRITTEN = {"edgekit.toml", "q.tflite", "t.tflite", "plan.svg", "firmware", "npu", "y.npy", "library", "demo"}
"""What the line writes into the user's folder: what it was told to."""
ELSEWHERE = {"emulate"}
"""Commands that have a test of their own below."""


@dataclass
class Place:
    """A user's folders: home, temporary files and work."""

    root: Path
    watch: Path

    def start(self, *command: str) -> "subprocess.Popen[str]":
        # Zig's caches stay where conftest.py puts them: its C library takes a minute to build.
        dropped = ("EDGEKIT_", "XDG_", "KERAS_", "ORT_", "PYTHONDONTWRITEBYTECODE")
        env = {name: value for name, value in os.environ.items() if not name.startswith(dropped)}
        env |= {"HOME": str(self.root / "home"), "TMPDIR": str(self.root / "tmp")}
        env |= {"LD_PRELOAD": str(self.watch), "EK_NETWORK_LOG": str(self.root / "log")}
        return subprocess.Popen(
            command,
            env=env,
            cwd=self.root / "work",
            text=True,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
        )

    def run(self, *command: str) -> tuple[int, str]:
        with self.start(*command) as running:
            out, err = running.communicate(timeout=DEADLINE_S)
        return running.returncode, out + err

    def edgekit(self, *arguments: str) -> tuple[int, str]:
        return self.run(sys.executable, "-P", "-m", "edgekit", *arguments)

    def seen(self) -> list[str]:
        """Return "PROGRAM what ..." for each thing that was refused."""
        lines = (self.root / "log").read_text().splitlines()
        return [line for line in lines if not line.endswith(" started")]

    def programs(self) -> set[str]:
        return set(re.findall(r"(?m)^(\S+) started$", (self.root / "log").read_text()))

    def left(self) -> list[str]:
        """Return what lies in the home folder, but for edgekit's cache, and among the temporary files."""
        home, tmp = self.root / "home", self.root / "tmp"
        files = [path.relative_to(home) for path in home.rglob("*") if not path.is_dir()]
        found = [str(path) for path in files if path.parts[:2] != (".cache", "edgekit")]
        return sorted(found + [str(path.relative_to(self.root)) for path in tmp.iterdir()])


@pytest.fixture(scope="module")
def watch(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("watch") / "watch_network.so"
    flags = ["-std=gnu11", "-Wall", "-Wextra", "-Werror", "-O1", "-shared", "-fPIC"]
    subprocess.run(["gcc", *flags, "-o", str(path), str(SOURCE), "-ldl"], check=True)
    return path


@pytest.fixture
def place(tmp_path: Path, watch: Path) -> Place:
    for name in ("home", "tmp", "work"):
        (tmp_path / name).mkdir()
    (tmp_path / "log").touch()
    (tmp_path / "work" / "m.tflite").write_bytes(small_models.classifier())
    return Place(tmp_path, watch)


@pytest.fixture
def line(place: Place) -> Place:
    """Return a place where the whole line can run."""
    work = place.root / "work"
    rng = np.random.default_rng(0)
    images = rng.integers(0, 256, (12, 8, 8, 3)).astype(np.uint8)
    np.savez(work / "data.npz", images=images, labels=np.arange(12) % 3)
    np.save(work / "x.npy", images)
    (work / "net.onnx").write_bytes(net().SerializeToString())
    (work / "user_net.py").write_text(BUILDER)
    torch.save(nn.Sequential(nn.Conv2d(3, 5, 8), nn.Flatten()).state_dict(), work / "w.pth")
    return place


def test_the_whole_line_speaks_to_nobody_and_leaves_nothing(line: Place) -> None:
    work = line.root / "work"
    before = {path.name for path in work.iterdir()}
    for command in LINE:
        code, said = line.edgekit(*command)
        assert code == 0, f"{command}: {said}"
        assert line.seen() == [], command
        assert line.left() == [], command
    assert {path.name for path in work.iterdir()} == before | WRITTEN
    # What was watched: our own process, a compiler, an emulator, and the firmware of the host board.
    programs = line.programs()
    assert {"cc1", "qemu-system-arm", "firmware"} <= programs, programs


def test_every_command_is_watched() -> None:
    ran = {command[0] for command in LINE} | ELSEWHERE
    assert ran == set(_app.group.list_commands(_app.group.make_context("edgekit", ["boards"])))


def test_flashing_with_esptool_speaks_to_the_port_alone(place: Place) -> None:
    merged = place.root / "work" / "merged.bin"
    merged.write_bytes(boot_loader(4_000))
    with RomLoader(link=place.root / "ttyACM0") as chip:
        flags = ("--board", "xiao_esp32s3", "--port", chip.port, "--merged", str(merged), "--timeout", "0.5")
        code, said = place.edgekit("flash", *flags)
    assert code == 0, said
    assert chip.verified == 1
    assert place.seen() == []
    assert place.left() == []


def test_emulate_listens_to_this_machine_unless_told_otherwise(place: Place) -> None:
    command = (sys.executable, "-P", "-m", "edgekit", "emulate", *HOST, "--json")
    with place.start(*command) as running:
        assert running.stdout is not None
        port = json.loads(running.stdout.readline())["port"]
        host, _, number = port.removeprefix("socket://").rpartition(":")
        assert host == "127.0.0.1"
        socket.create_connection((host, int(number)), timeout=DEADLINE_S).close()
        running.send_signal(signal.SIGINT)
        assert running.wait(DEADLINE_S) == 0
    assert place.seen() == []
    assert place.left() == []
    code, said = place.edgekit("emulate", *HOST, "--listen", "0.0.0.0:0")
    assert code == PortError.exit_code, said
    assert [seen.partition(" ")[2] for seen in place.seen()] == ["bind 0.0.0.0"]


def test_a_place_that_the_user_names_is_spoken_to(place: Place) -> None:
    np.save(place.root / "work" / "x.npy", np.zeros((1, 8, 8, 3), np.uint8))
    for port, seen in (("192.0.2.1:9", "connect 192.0.2.1"), ("device.invalid:9", "look-up device.invalid")):
        code, said = place.edgekit("monitor", *HOST, "--source", "x.npy", "--port", f"socket://{port}")
        assert code == PortError.exit_code, said
        assert place.seen().pop().endswith(seen)


@pytest.mark.parametrize(
    ("code", "seen"),
    [
        ("socket.getaddrinfo('example.org', 80)", "look-up example.org"),
        ("socket.gethostbyname('example.org')", "look-up example.org"),
        ("socket.gethostbyname_ex('example.org')", "look-up example.org"),
        ("socket.gethostbyaddr('192.0.2.1')", "look-up 192.0.2.1"),
        ("socket.create_connection(('192.0.2.1', 80), 1)", "connect 192.0.2.1"),
        ("socket.create_connection(('2001:db8::1', 80), 1)", "connect 2001:db8::1"),
        ("socket.socket(type=socket.SOCK_DGRAM).sendto(b'?', ('192.0.2.1', 53))", "sendto 192.0.2.1"),
        (
            "socket.socket(type=socket.SOCK_DGRAM).sendmsg([b'?'], [], 0, ('192.0.2.1', 53))",
            "sendmsg 192.0.2.1",
        ),
        ("socket.create_server(('', 0))", "bind 0.0.0.0"),
        ("socket.socket().listen()", "listen 0.0.0.0"),
        ("ctypes.CDLL(None).__res_query(b'example.org', 1, 1, bytes(512), 512)", "look-up example.org"),
        ("socket.create_connection(socket.create_server(('localhost', 0)).getsockname())", ""),
        ("[socket.socketpair() for _ in range(2)]", ""),
    ],
)
def test_the_watch_sees_and_refuses(place: Place, code: str, seen: str) -> None:
    place.run(sys.executable, "-c", f"import ctypes, socket\n{code}")
    found = [said.partition(" ")[2] for said in place.seen()]
    assert bool(found) == bool(seen), found
    assert all(re.fullmatch(seen, said) for said in found), found


def test_the_watch_sees_children_and_native_code(place: Place) -> None:
    place.run("sh", "-c", "getent hosts example.org; getent ahosts example.com; true")
    assert {"getent look-up example.org", "getent look-up example.com"} <= set(place.seen())
