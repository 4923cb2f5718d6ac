"""Live runs on the host board: events, an early end, and where frames run."""

import json
from collections.abc import Iterator

import numpy as np
import pytest
from cli.conftest import with_contract
from small_models import classifier

from edgekit import board, connection, models, pipeline, quality
from edgekit.device.client import Device
from edgekit.errors import UsageError
from edgekit.firmware.options import Firmware
from edgekit.live import FEW_FRAMES
from edgekit.live.events import Prediction
from edgekit.live.run import run, watch
from edgekit.live.runner import runner
from edgekit.live.source import Stream
from edgekit.live.tally import Summary
from edgekit.oracle import Oracle
from edgekit.reference import Reference

FRAMES = np.random.default_rng(3).integers(0, 256, (FEW_FRAMES + 1, 8, 8, 3), np.uint8)


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> models.Model:
    path = tmp_path_factory.mktemp("model") / "model.tflite"
    path.write_bytes(with_contract(classifier()))
    return models.load_model(path)


@pytest.fixture
def device(model: models.Model) -> Iterator[Device]:
    host = board.load("host")
    image = pipeline.build_image(model, host, Firmware(camera=True))
    with connection.open_device(host, model=model, image=image, timeout_s=60) as device:
        yield device


def stream(count: int = len(FRAMES)) -> Stream:
    return Stream(iter(FRAMES[:count]), iter([number % 3 for number in range(count)]), count)


@pytest.mark.parametrize("fps", [None, 1000.0])
def test_events_are_plain_data_and_say_how_it_stands(
    device: Device, model: models.Model, fps: float | None
) -> None:
    hello, *predictions, summary = run(device, model.contract, stream(), fps=fps)
    for event in (hello, *predictions, summary):
        assert json.loads(json.dumps(event.to_dict()))["type"] == event.type
    right = 0
    for number, event in enumerate(predictions):
        assert isinstance(event, Prediction)
        right += event.index == number % 3
        assert (event.n, event.accuracy) == (number + 1, right / (number + 1))
        assert event.truth == model.contract.labels[number % 3]
        assert event.frame is not None
        np.testing.assert_array_equal(event.frame, FRAMES[number])
    said = summary.to_dict()
    assert (said["ok"], said["n"], said["correct"]) == (True, len(FRAMES), right)
    assert sum(row[2] for row in said["confusion"]) == len(FRAMES)


@pytest.mark.parametrize("own", [False, True])
def test_an_interrupt_ends_a_run_with_its_summary(device: Device, model: models.Model, own: bool) -> None:
    events = watch(device, model.contract) if own else run(device, model.contract, stream())
    for _ in range(3):
        next(events)
    summary = events.throw(KeyboardInterrupt())
    assert isinstance(summary, Summary)
    assert summary.interrupted
    assert (summary.to_dict()["ok"], summary.to_dict()["n"]) == (False, 2)
    assert next(events, None) is None


@pytest.mark.parametrize(
    ("name", "via", "taken"),
    [("host", "auto", "serial"), ("riscv_virt", "auto", "files"), ("riscv_virt", "serial", "serial")],
)
def test_every_place_gives_the_same_scores(name: str, via: str, taken: str, model: models.Model) -> None:
    told: list[int] = []
    done: list[float] = []
    way = runner(board.load(name), model, via=via, timeout_s=60)
    found = way.scores(FRAMES, each=lambda number, _: told.append(number), progress=done.append)
    expected = Reference(Oracle(model.data), model.contract).scores(FRAMES)
    np.testing.assert_array_equal(found.scores, expected.scores)
    assert (found.via, expected.via) == (taken, "reference")
    assert told == list(range(len(FRAMES)))
    assert done[-1] == 1
    assert len(found.invoke_ticks) == len(FRAMES)
    assert len(found.link_ms) == (len(FRAMES) if taken == "serial" else 0)
    assert bool(found.stack_bytes) == (taken == "files")


def test_few_frames_go_over_the_line(model: models.Model) -> None:
    way = runner(board.load("riscv_virt"), model, timeout_s=60)
    assert way.scores(FRAMES[:2]).via == "serial"
    with pytest.raises(UsageError, match="over its serial line only"):
        runner(board.load("host"), model, via="files")


def test_scores_by_hand() -> None:
    scores = np.array([[5, 5, 1], [0, 2, 9], [7, 0, 8]], np.int8)
    assert quality.top_k(scores, [0, 2, 0]) == pytest.approx(2 / 3)  # of equal scores the first class wins
    assert quality.top_k(scores, [1, 1, 0], 2) == 1
    assert quality.top_k(scores, None) is None
    assert quality.agreement(scores, scores[:, ::-1]) == 0
    np.testing.assert_array_equal(quality.dequantise(scores[0], 0.5, 1), [2, 2, 0])
    assert quality.snr_db(np.array([[3.0, 4.0]]), np.array([[3.0, 3.5]])) == pytest.approx(20)
    confusion = quality.Confusion()
    for truth, predicted in ((0, 0), (1, 0), (0, 0)):
        confusion.add(truth, predicted)
    assert (confusion.rows(), confusion.accuracy) == ([(0, 0, 2), (1, 0, 1)], 2 / 3)
