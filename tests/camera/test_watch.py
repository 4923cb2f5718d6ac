"""A board that classifies what its own camera sees, from the port to the client, on the host's board."""

import socket
import subprocess
from collections.abc import Callable, Iterator
from dataclasses import replace
from itertools import islice
from pathlib import Path

import esp32s3
import numpy as np
import pytest
import sights
import small_models

from edgekit import board as boards
from edgekit import connection, contract
from edgekit.codegen.generator import generate
from edgekit.contract import Color, Preprocess, Resize
from edgekit.device import frame as wire
from edgekit.device.client import Device
from edgekit.device.transport import SocketTransport
from edgekit.errors import DeviceError, UsageError
from edgekit.firmware import build, project
from edgekit.firmware import camera as board_camera
from edgekit.firmware.image import FirmwareImage
from edgekit.firmware.options import Firmware
from edgekit.graph import tflite
from edgekit.oracle import Oracle

HOST = boards.load("host")
SANITIZE = ("-fsanitize=address,undefined", "-fno-sanitize-recover=all", "-g")
SIDE = 48
FAILING = """#include "ek_camera.h"
static const uint8_t pixels[2];
bool ek_camera_take(ek_picture *picture) {
    *picture = (ek_picture){pixels, 1, 1};
    return %s;
}
void ek_camera_give_back(void) {
}
"""


def firmware(
    folder: Path, *, color: Color = Color.RGB, camera: bool = True, replaced: str = ""
) -> FirmwareImage:
    """Build the firmware of a model of images with the sanitizers; `replaced` stands for its camera.c."""
    graph = tflite.parse(esp32s3.images(SIDE, color.channels))
    mean, std = (0.0,) * color.channels, (1.0,) * color.channels
    preprocess = Preprocess(color, Resize.SQUASH, mean, std)
    agreed = contract.for_graph(graph, preprocess=preprocess, labels=None, oracle="")
    project.write(project.assemble(generate(graph, agreed), HOST, Firmware(camera=camera)), folder)
    if replaced:
        (folder / "camera.c").write_text(replaced)
    return build.build(folder, HOST, cflags=SANITIZE)


@pytest.fixture(scope="module")
def image(tmp_path_factory: pytest.TempPathFactory) -> FirmwareImage:
    return firmware(tmp_path_factory.mktemp("firmware"))


class Power:
    """Starts the firmware each time that the line is opened."""

    def __init__(self, image: FirmwareImage) -> None:
        self.image = image
        self.processes: list[subprocess.Popen[bytes]] = []

    def __call__(self) -> SocketTransport:
        ours, theirs = socket.socketpair()
        with theirs:
            self.processes.append(
                subprocess.Popen([self.image.path], stdin=theirs.fileno(), stdout=theirs.fileno())
            )
        return SocketTransport(ours, "the test's board")

    def off(self) -> None:
        for process in self.processes:
            process.kill()
            process.wait()


@pytest.fixture
def power(image: FirmwareImage) -> Iterator[Power]:
    power = Power(image)
    yield power
    power.off()


@pytest.mark.parametrize(
    ("color", "order"),
    [(Color.GRAY, sights.GRAY), (Color.RGB, sights.RED_FIRST), (Color.BGR, sights.BLUE_FIRST)],
)
def test_answers_are_the_oracles_on_the_very_frames(color: Color, order: int, tmp_path: Path) -> None:
    image = firmware(tmp_path, color=color)
    with connection.open_device(HOST, image=image, timeout_s=60) as device:
        found = list(islice(device.watch(every=1), 20))
        assert device.statistics.frames >= 20  # what had arrived when the caller stopped counts, too
    assert [sighting.prediction.seq for sighting in found] == list(range(20))
    for time, sighting in enumerate(found):
        expected = sights.frame_of(sights.pattern(time), SIDE, SIDE, order)
        assert sighting.frame is not None
        np.testing.assert_array_equal(sighting.frame, expected)
    # With mean 0 and deviation 1, this model's input is the pixel less 128.
    frames = np.stack([sighting.frame for sighting in found if sighting.frame is not None])
    tensors = (frames.astype(np.int16) - 128).astype(np.int8)
    expected = Oracle(esp32s3.images(SIDE, color.channels)).run(tensors)
    np.testing.assert_array_equal([sighting.prediction.scores for sighting in found], expected)
    assert len({sighting.prediction.scores.tobytes() for sighting in found}) > 5


@pytest.mark.parametrize("every", [0, 3])
def test_frames_come_when_they_are_asked_for(power: Power, every: int) -> None:
    with Device.open(power, timeout_s=60) as device:
        found = list(islice(device.watch(every=every), 40))
    with_frame = [one.prediction.seq for one in found if one.frame is not None]
    assert with_frame == ([] if every == 0 else list(range(0, 40, every)))


def test_watching_and_sending_take_turns(power: Power) -> None:
    with Device.open(power, timeout_s=60) as device:
        for _ in range(3):
            sighting = next(iter(device.watch(every=1)))
            assert sighting.frame is not None
            answer = device.classify(sighting.frame)
            np.testing.assert_array_equal(answer.scores, sighting.prediction.scores)
        assert device.statistics.resets == 0


def test_a_newer_watch_ends_the_older_one(power: Power) -> None:
    with Device.open(power, timeout_s=60) as device:
        older = device.watch()
        assert next(older).frame is None
        newer = device.watch(every=1)
        next(newer)
        with pytest.raises(UsageError, match="a newer watch has begun"):
            for _ in older:  # what it had taken from the line before that
                pass
        del older
        assert any(sighting.frame is not None for sighting in islice(newer, 60))


def test_a_closed_device_is_not_opened_again(power: Power) -> None:
    with Device.open(power, timeout_s=60) as device:
        watch = device.watch()
        next(watch)
    with pytest.raises(UsageError, match="was closed"):
        for _ in watch:  # what had come before the end may be there
            pass
    with pytest.raises(UsageError, match="was closed"):
        device.classify(np.zeros((SIDE, SIDE, 3), np.uint8))
    device.close()
    assert len(power.processes) == 1


def test_an_interrupted_watch_can_be_taken_up_again(power: Power) -> None:
    with Device.open(power, timeout_s=60) as device:
        watch = device.watch()
        assert next(watch).prediction.seq == 0
        with pytest.raises(KeyboardInterrupt):
            watch.throw(KeyboardInterrupt())  # type: ignore[attr-defined]
        assert next(watch, None) is None
        assert device.classify(np.zeros((SIDE, SIDE, 3), np.uint8)).seq == 0
        assert next(iter(device.watch(every=1))).frame is not None


def test_a_watch_that_waits_while_frames_are_sent_piles_nothing_up(power: Power) -> None:
    with Device.open(power, timeout_s=60) as device:
        watch = device.watch()
        next(watch)
        frames = np.zeros((300, SIDE, SIDE, 3), np.uint8)
        assert len(list(device.stream(frames))) == 300
        assert next(watch).prediction.seq == 1
        assert len(device._session.take_sights()) <= 64


def test_a_board_that_restarts_is_watched_again(power: Power) -> None:
    with Device.open(power, timeout_s=60) as device:
        watch = device.watch(every=1)
        assert [one.prediction.seq for one in islice(watch, 30)] == list(range(30))
        power.processes[-1].kill()
        # What was still on the line may come first; then the new board counts from 0.
        numbers = [one.prediction.seq for one in islice(watch, 60)]
        start = numbers.index(0)
        assert numbers[start:] == list(range(60 - start))
        assert device.statistics.reconnections == 1
    assert len(power.processes) == 2


def test_a_board_that_nobody_listens_to_stops(power: Power) -> None:
    line, decoder = power(), wire.Decoder()
    packets: list[wire.Packet | wire.Noise] = []

    def talk(request: bytes, enough: Callable[[], bool]) -> None:
        while request or not enough():
            written, data = line.exchange(request, 60.0)
            request = request[written:]
            packets.extend(decoder.feed(data))

    def seen() -> list[int]:
        return [packet.seq for packet in packets if isinstance(packet, wire.Seen)]

    def greetings() -> int:
        return sum(isinstance(packet, wire.HelloPacket) for packet in packets)

    talk(wire.encode_hello_request(9) + wire.encode_watch_request(5, 0), lambda: len(seen()) >= 5)
    # The answer to a question is the next thing that is said: no sixth prediction comes before it.
    before = greetings()
    talk(wire.encode_hello_request(0), lambda: greetings() > before)
    assert seen() == [0, 1, 2, 3, 4]
    line.close()


@pytest.mark.parametrize(("works", "said"), [("false", "does not answer"), ("true", "smaller than")])
def test_a_camera_that_fails(works: str, said: str, tmp_path: Path) -> None:
    image = firmware(tmp_path, replaced=FAILING % works)
    power = Power(image)
    try:
        with Device.open(power, timeout_s=60) as device:
            with pytest.raises(DeviceError, match=said):
                next(iter(device.watch()))
            # The board itself goes on.
            assert device.classify(np.zeros((SIDE, SIDE, 3), np.uint8)).seq == 0
    finally:
        power.off()


def test_firmware_without_a_camera(tmp_path: Path) -> None:
    image = firmware(tmp_path, camera=False)
    with connection.open_device(HOST, image=image, timeout_s=60) as device:
        assert not device.hello.has_camera
        with pytest.raises(DeviceError, match="built without a camera"):
            next(iter(device.watch()))


def test_models_that_see_no_images(tmp_path: Path) -> None:
    graph = tflite.parse(small_models.fully_connected())
    with pytest.raises(UsageError, match="is not an image"):
        project.assemble(generate(graph, contract.of(graph)), HOST, Firmware(camera=True))


def test_models_that_see_more_than_the_camera() -> None:
    agreed = replace(contract.of(tflite.parse(esp32s3.images(48))), input_shape=(1, 601, 601, 3))
    with pytest.raises(UsageError, match="601x601"):
        board_camera.view(HOST, agreed)
    for side, size in ((240, "240X240"), (241, "VGA"), (480, "VGA"), (600, "SVGA")):
        assert board_camera.view(HOST, replace(agreed, input_shape=(1, side, side, 3))).size == size
