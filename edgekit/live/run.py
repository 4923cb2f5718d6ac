"""Runs frames on an open device that speaks edgekit's protocol, and yields what happens."""

import time
from collections.abc import Iterable, Iterator
from dataclasses import asdict
from itertools import islice

from edgekit.contract import Contract
from edgekit.device import prediction as answers
from edgekit.device.client import Device
from edgekit.live.events import Events, Frame, Hello, Prediction
from edgekit.live.source import Stream
from edgekit.live.tally import Summary, Tally


def run(device: Device, contract: Contract, stream: Stream, *, fps: float | None = None) -> Events:
    """Send every frame and yield every answer.

    With `fps`, frames go out one at a time, at most that many a second: pauses then lie between a frame's
    answer and the next frame, and are part of no time that is reported.

    Raises:
        DeviceError: the device falls silent or breaks the protocol.
    """
    yield Hello(asdict(device.hello), contract, device.hello.unit, stream.total)
    tally = Tally(contract.labels, device.hello.unit)
    # The device works ahead of the answers: keep what was sent until its answer is here.
    sent: dict[int, Frame] = {}

    def remembered() -> Iterator[Frame]:
        for number, frame in enumerate(stream.frames):
            sent[number] = frame
            yield frame

    found = device.stream(remembered()) if fps is None else _one_by_one(device, remembered(), fps, tally)
    try:
        for number, answer in enumerate(found):
            truth = None if stream.labels is None else next(stream.labels, None)
            yield tally.add(_prediction(answer, sent.pop(number)), truth)
    except KeyboardInterrupt:
        tally.interrupted = True
    yield Summary(tally, device.statistics)


def watch(device: Device, contract: Contract, *, count: int | None = None, every: int = 0) -> Events:
    """Yield what the board makes of what its own camera sees.

    Args:
        device: one with a camera.
        contract: what names its classes.
        count: stop after so many; None goes on for ever.
        every: whose frames the board shall send: 1 for all, n for each nth, 0 for none.

    Raises:
        DeviceError: the firmware has no camera, the camera fails, or the device falls silent.
    """
    yield Hello(asdict(device.hello), contract, device.hello.unit, count)
    tally = Tally(contract.labels, device.hello.unit)
    try:
        for sighting in islice(device.watch(every=every), count):
            found = _prediction(sighting.prediction, sighting.frame, sighting.capture_ticks)
            yield tally.add(found, None)
    except KeyboardInterrupt:
        # The usual end of a camera's stream: what was counted so far is worth showing.
        tally.interrupted = True
    yield Summary(tally, device.statistics)


def _prediction(answer: answers.Prediction, frame: Frame | None, capture: int | None = None) -> Prediction:
    return Prediction(
        seq=answer.seq,
        index=answer.index,
        label=answer.label,
        scores=tuple(answer.scores.tolist()),
        invoke=answer.invoke_ticks,
        link_ms=round(answer.link_s * 1e3, 3),
        preprocess=answer.preprocess_ticks,
        retransmissions=answer.retransmissions,
        capture=capture,
        frame=frame,
    )


def _one_by_one(
    device: Device, frames: Iterable[Frame], fps: float, tally: Tally
) -> Iterator[answers.Prediction]:
    """Yield answers, each frame asked for when it is due and not before the last answer was taken."""
    source = iter(frames)
    due = answered = time.monotonic()
    while True:
        time.sleep(max(0.0, due - time.monotonic()))
        now = time.monotonic()
        due = max(due, now) + 1 / fps
        tally.paused += now - answered
        frame = next(source, None)
        if frame is None:
            return
        prediction = device.classify(frame)
        answered = time.monotonic()
        yield prediction
