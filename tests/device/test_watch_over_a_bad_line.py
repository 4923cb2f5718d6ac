"""Watching, with frames of the host in between, over a line with faults: a virtual clock, the device's C."""

import heapq
import math
from collections.abc import Callable
from itertools import pairwise
from random import Random

import pytest
from link_simulator.device import SimulatedDevice, expected_scores
from link_simulator.line import CLEAN, NOISY, Faults, Line

from edgekit.device.frame import PacketType
from edgekit.device.session import Session
from edgekit.device.watch import Sight

MakeDevice = Callable[..., SimulatedDevice]
BYTES = 3 * 200
ROUND_S = 0.02
HORRID = Faults(flip=1e-3, lose_byte=1e-4, lose=0.05, duplicate=0.05, truncate=0.02, text=0.02)


class World:
    """A session, two lines and a device, which looks into its camera each `ROUND_S` seconds."""

    def __init__(self, device: SimulatedDevice, faults: Faults, seed: int) -> None:
        self.device = device
        self.session = Session(seed + 1, 0.0)
        self.random = Random(seed)
        self.down, self.up = Line(faults, Random(seed + 2)), Line(faults, Random(seed + 3))
        self.now = self.device_at = 0.0
        self.count = 0
        self.events: list[tuple[float, int, str, bytes]] = []
        self.waiting: dict[int, bytes] = {}
        self.answered = 0

    def send(self, line: Line, target: str, data: bytes) -> None:
        for at, piece, _ in line.transmit(data, self.now):
            self.count += 1
            heapq.heappush(self.events, (at, self.count, target, piece))

    def step(self) -> None:
        """Let the next thing happen."""
        self.send(self.down, "device", self.session.bytes_to_send(self.now))
        event_at = self.events[0][0] if self.events else math.inf
        deadline = self.session.next_deadline()
        self.now = max(self.now, min(event_at, self.device_at, math.inf if deadline is None else deadline))
        if self.now >= event_at:
            _, _, target, piece = heapq.heappop(self.events)
            if target == "host":
                self.session.feed(piece, self.now)
            else:
                self.send(self.up, "host", self.device.arrive(piece))
        elif self.now >= self.device_at:
            self.device_at = self.now + ROUND_S
            self.send(self.up, "host", self.device.poll(1))

    def frames_too(self) -> None:
        """Keep a frame of the host's on its way, and check what comes back."""
        if self.session.is_open and self.session.wants_frame:
            frame = self.random.randbytes(BYTES)
            number = self.session.submit(frame, PacketType.CHUNK_PIXELS, self.now)
            self.waiting[number] = expected_scores(frame)
        for result in self.session.take_results():
            assert result.answer.scores == self.waiting.pop(result.answer.seq)
            self.answered += 1


@pytest.mark.parametrize(
    ("faults", "seed", "whole"), [(CLEAN, 1, 1.0), (NOISY, 2, 0.8), (HORRID, 3, 0.1), (HORRID, 4, 0.1)]
)
def test_what_is_seen_is_right_and_goes_on(
    make_device: MakeDevice, faults: Faults, seed: int, whole: float
) -> None:
    world = World(make_device(EK_CAMERA=1, TEST_INPUT_BYTES=BYTES), faults, seed)
    while not world.session.is_open:
        world.step()
    world.session.watch(1, world.now)
    sights: list[Sight] = []
    for target in (100, 200, 300):  # the device restarts twice, in the middle of what it says and hears
        while len(sights) < target:
            world.step()
            world.frames_too()
            sights += world.session.take_sights()
        if target < 300:
            world.device.reset()
    for sight in sights:
        if sight.frame is not None:
            assert sight.seen.scores == expected_scores(sight.frame)
    assert sum(sight.frame is not None for sight in sights) >= whole * len(sights)
    numbers = [sight.seen.seq for sight in sights]
    backwards = [after for before, after in pairwise(numbers) if after <= before]
    assert len(backwards) == 2  # by the restarts alone: nothing is taken twice or out of order
    assert world.answered > 100
    assert world.session.statistics.resets >= 2


def test_a_device_stops_when_nobody_asks_any_more(make_device: MakeDevice) -> None:
    world = World(make_device(EK_CAMERA=1, TEST_INPUT_BYTES=BYTES), HORRID, 5)
    while not world.session.is_open:
        world.step()
    watch = world.session.watch(0, world.now)
    while len(world.session.take_sights()) == 0:
        world.step()
    world.session.stop_watch(watch)
    # Even if the request to stop gets lost, no more come than were asked for.
    silent_from = sum(len(world.device.poll(1)) > 0 for _ in range(100))
    assert silent_from <= 16
    assert world.device.poll(100) == b""
