"""Sessions over a faulty serial line, on a virtual clock, to the real device code."""

from collections.abc import Callable

import pytest
from link_simulator.device import INPUT_BYTES, SimulatedDevice, expected_scores
from link_simulator.line import CLEAN, NOISY, Faults, Simulation

from edgekit.device.events import NoteKind
from edgekit.device.frame import PacketType

MakeDevice = Callable[..., SimulatedDevice]


def check(simulation: Simulation, frames: int) -> None:
    outcome = simulation.outcome
    assert outcome.frames == frames
    assert outcome.wrong == 0
    assert outcome.ignored_whole == 0, "a packet that arrived whole was not taken"


def test_clean_line_is_used_to_95_percent(make_device: MakeDevice) -> None:
    device = make_device()
    simulation = Simulation(device, CLEAN)
    outcome = simulation.run(500, INPUT_BYTES, expected_scores)
    check(simulation, 500)
    assert outcome.goodput >= 0.975
    assert simulation.session.statistics.retransmissions == 0
    assert simulation.session.statistics.questions == 0
    assert device.overflow == 0


def test_2000_frames_over_a_noisy_line(make_device: MakeDevice) -> None:
    simulation = Simulation(make_device(), NOISY, seed=11)
    outcome = simulation.run(2000, INPUT_BYTES, expected_scores)
    check(simulation, 2000)
    assert simulation.down.damaged > 500
    assert simulation.up.damaged > 20
    assert outcome.goodput >= 0.95
    assert simulation.session.statistics.resets == 0


def test_a_device_that_resets_in_the_middle(make_device: MakeDevice) -> None:
    simulation = Simulation(make_device(), NOISY, seed=3)
    simulation.run(400, INPUT_BYTES, expected_scores, reset_after=frozenset({1, 50, 51, 200, 399}))
    check(simulation, 400)
    assert simulation.outcome.device_resets == 5
    notes = simulation.session.take_notes()
    assert sum(note.kind is NoteKind.RESET for note in notes) == simulation.session.statistics.resets >= 4
    assert any(note.text.startswith("ESP-ROM") for note in notes if note.kind is NoteKind.LOG)


@pytest.mark.parametrize("seed", range(4))
def test_a_terrible_line_is_slow_but_right(make_device: MakeDevice, seed: int) -> None:
    faults = Faults(flip=3e-3, lose_byte=1e-4, lose=0.03, duplicate=0.03, truncate=0.03, text=0.03)
    simulation = Simulation(make_device(), faults, seed=seed)
    outcome = simulation.run(100, INPUT_BYTES, expected_scores)
    check(simulation, 100)
    # Only small chunks survive this: 1 KiB ones would arrive whole or repairable one time in thirty.
    assert outcome.goodput >= 0.4


@pytest.mark.parametrize("faults", [CLEAN, NOISY], ids=["clean", "noisy"])
@pytest.mark.parametrize("window", [256, 512, 1024, 2200])
def test_small_receive_buffers_never_overflow(make_device: MakeDevice, window: int, faults: Faults) -> None:
    device = make_device(EK_RX_WINDOW=window)
    simulation = Simulation(device, faults, invoke_s=0.05)
    simulation.run(60, INPUT_BYTES, expected_scores)
    check(simulation, 60)
    assert device.overflow == 0


def test_the_next_frame_travels_while_the_device_computes(make_device: MakeDevice) -> None:
    simulation = Simulation(make_device(), CLEAN, invoke_s=0.2)
    outcome = simulation.run(50, INPUT_BYTES, expected_scores)
    check(simulation, 50)
    assert outcome.seconds < 50 * 0.2 + 0.1
    assert simulation.session.statistics.retransmissions == 0


def test_one_frame_buffer(make_device: MakeDevice) -> None:
    simulation = Simulation(make_device(EK_FRAME_BUFFERS=1), NOISY, invoke_s=0.02, seed=5)
    simulation.run(200, INPUT_BYTES, expected_scores)
    check(simulation, 200)


@pytest.mark.parametrize("invoke_s", [0.0, 4.0])
def test_slow_devices_are_waited_for(make_device: MakeDevice, invoke_s: float) -> None:
    device = make_device()
    simulation = Simulation(device, NOISY, invoke_s=invoke_s, latency_s=0.2, seed=7)
    simulation.run(30, INPUT_BYTES, expected_scores)
    check(simulation, 30)
    assert device.overflow == 0


@pytest.mark.parametrize("size", [3, 126, 300, 1026, 27648])
def test_frames_of_any_size(make_device: MakeDevice, size: int) -> None:
    simulation = Simulation(make_device(TEST_INPUT_BYTES=size), NOISY, seed=size)
    simulation.run(50, size, expected_scores)
    check(simulation, 50)


def test_tensors(make_device: MakeDevice) -> None:
    simulation = Simulation(make_device(), NOISY)
    simulation.run(
        50,
        INPUT_BYTES,
        lambda frame: expected_scores(frame, pixels=False),
        kind=PacketType.CHUNK_TENSOR,
    )
    check(simulation, 50)
