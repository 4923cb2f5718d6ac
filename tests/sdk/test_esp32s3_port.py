"""The port of the ESP32-S3 as it runs: its C on this machine, over a scripted driver and camera."""

import ctypes
import shutil
from pathlib import Path

import esp32s3
import pytest
from link_simulator.device import compiler

from edgekit import board as boards
from edgekit import process
from edgekit.firmware import build
from edgekit.firmware.options import Firmware

PEER = esp32s3.DECLARATIONS / "peer.c"
INSTALLED, FAILED, WAITED, WRITES, LARGEST, STARTED, TAKEN, RETURNED = range(8)
WRITE_WAIT, READ_WAIT = 1000, 500


class Picture(ctypes.Structure):
    _fields_ = (("pixels", ctypes.c_void_p), ("width", ctypes.c_uint32), ("height", ctypes.c_uint32))


class Port:
    """The compiled port; its functions take and give Python's own types."""

    def __init__(self, library: Path) -> None:
        self.c = ctypes.CDLL(str(library))
        self.c.ek_port_pending.restype = self.c.ek_camera_take.restype = ctypes.c_bool
        self.c.ek_port_read.restype = self.c.peer_count.restype = self.c.peer_sent.restype = ctypes.c_size_t
        self.c.ek_port_ticks.restype = ctypes.c_uint64
        self.c.peer_camera.argtypes = [ctypes.c_bool] * 2 + [ctypes.c_size_t] * 3 + [ctypes.c_int]
        self.c.peer_reset()

    def arrive(self, data: bytes) -> None:
        self.c.peer_arrive(data, ctypes.c_size_t(len(data)))

    def room(self, size: int) -> None:
        self.c.peer_room(ctypes.c_size_t(size))

    def read(self, size: int) -> bytes:
        out = ctypes.create_string_buffer(b"\xa5" * (size + 8), size + 8)
        count = self.c.ek_port_read(out, ctypes.c_size_t(size))
        assert out.raw[size:] == b"\xa5" * 8
        return out.raw[:count]

    def write(self, data: bytes) -> None:
        self.c.ek_port_write(data, ctypes.c_size_t(len(data)))

    def sent(self) -> bytes:
        out = ctypes.create_string_buffer(65536)
        count = self.c.peer_sent(out)
        return out.raw[:count]

    def count(self, which: int) -> int:
        return int(self.c.peer_count(which))


@pytest.fixture(scope="module")
def library(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("port")
    esp32s3.write(boards.load("xiao_esp32s3_sense"), folder, Firmware(camera=True), data=esp32s3.images(2))
    sources = [folder / "main" / "port.c", folder / "main" / "camera.c", PEER]
    includes = [esp32s3.DECLARATIONS / "include", folder / "app", folder / "camera"]
    flags = [*build.LANGUAGE, "-Wall", "-Wextra", "-Werror", "-O1", "-shared", "-fPIC"]
    flags += ["-fsanitize=undefined", "-fno-sanitize-recover=all", *(f"-I{path}" for path in includes)]
    out = folder / "port.so"
    process.run([*compiler(), *flags, *map(str, sources), "-o", str(out)])
    return out


@pytest.fixture
def port(library: Path, tmp_path: Path) -> Port:
    # A loaded library is known by its file, and the port's state lives in it.
    return Port(Path(shutil.copy(library, tmp_path / "port.so")))


def test_the_driver_is_installed_once(port: Port) -> None:
    port.c.ek_port_init()
    port.c.ek_port_init()
    assert (port.count(INSTALLED), port.count(FAILED)) == (1, 0)
    assert port.c.ek_port_ticks() == 5_000_000_000


def test_looking_whether_there_is_something_loses_nothing(port: Port) -> None:
    assert not port.c.ek_port_pending()
    assert port.count(WAITED) == 0
    data = bytes(range(256)) * 2
    port.arrive(data)
    got = b""
    for size in (1, 64, 3, 63, 64, 200, 1, 64, 64):
        assert port.c.ek_port_pending()
        assert port.c.ek_port_pending()
        part = port.read(size)
        assert 0 < len(part) <= size
        got += part
    while port.c.ek_port_pending():
        got += port.read(64)
    assert got == data
    assert port.read(64) == b""
    assert port.count(WAITED) == READ_WAIT


@pytest.mark.parametrize("size", [0, 1, 2048, 2049, 20_000])
def test_long_answers_go_in_pieces_that_the_driver_can_hold(port: Port, size: int) -> None:
    data = bytes(i * 7 & 0xFF for i in range(size))
    port.write(data)
    assert port.sent() == data
    assert port.count(LARGEST) <= 2048


def test_a_host_that_does_not_read_is_waited_for_once(port: Port) -> None:
    port.room(3000)
    port.write(bytes(5000))
    assert (len(port.sent()), port.count(WRITES), port.count(WAITED)) == (2048, 2, WRITE_WAIT)
    # From now on every packet is tried, and none is waited for.
    port.room(0)
    port.write(b"abc")
    assert (port.sent(), port.count(WRITES), port.count(WAITED)) == (b"", 3, 0)
    port.room(65536)
    port.write(b"def")
    assert (port.sent(), port.count(WAITED)) == (b"def", 0)
    port.write(b"ghi")
    assert (port.sent(), port.count(WAITED)) == (b"ghi", WRITE_WAIT)


def take(port: Port) -> Picture | None:
    picture = Picture()
    return picture if port.c.ek_camera_take(ctypes.byref(picture)) else None


def test_pictures_are_given_back_and_the_camera_is_started_once(port: Port) -> None:
    port.c.peer_camera(False, False, 4, 3, 0, 0)
    for number in range(1, 4):
        picture = take(port)
        assert picture is not None
        assert (picture.width, picture.height) == (4, 3)
        port.c.ek_camera_give_back()
        port.c.ek_camera_give_back()  # twice does no harm
        assert (port.count(STARTED), port.count(TAKEN), port.count(RETURNED)) == (1, number, number)


def test_a_camera_that_does_not_start_is_tried_again(port: Port) -> None:
    port.c.peer_camera(True, False, 4, 3, 0, 0)
    assert take(port) is None
    assert take(port) is None
    assert (port.count(STARTED), port.count(TAKEN)) == (2, 0)
    port.c.peer_camera(False, False, 4, 3, 0, 0)
    assert take(port) is not None


@pytest.mark.parametrize(("empty", "lacking", "kind"), [(True, 0, 0), (False, 2, 0), (False, 0, 1)])
def test_no_picture_half_a_picture_or_one_of_another_kind(
    port: Port, empty: bool, lacking: int, kind: int
) -> None:
    port.c.peer_camera(False, empty, 4, 3, lacking, kind)
    assert take(port) is None
    assert port.count(TAKEN) == port.count(RETURNED)
    port.c.peer_camera(False, False, 4, 3, 0, 0)
    assert take(port) is not None
