"""Emulated boards classify what their camera sees: the same frames and answers as everywhere else."""

from itertools import islice
from pathlib import Path

import esp32s3
import numpy as np
import pytest
import sights
from emulated.conftest import EXECUTED, tensors

from edgekit import board, connection, models, pipeline
from edgekit.firmware.options import Firmware
from edgekit.oracle import Oracle

SIDE = 24


@pytest.mark.parametrize("name", EXECUTED)
def test_watches_what_the_board_sees(name: str, tmp_path: Path) -> None:
    target, path = board.load(name), tmp_path / "model.tflite"
    path.write_bytes(esp32s3.images(SIDE))
    model = models.load_model(path)
    image = pipeline.build_image(model, target, Firmware(camera=True))
    with connection.open_device(target, model=model, image=image, timeout_s=60) as device:
        found = list(islice(device.watch(every=1), 3))
        assert found[0].frame is not None
        answer = device.classify(found[0].frame)
    for time, sighting in enumerate(found):
        expected = sights.frame_of(sights.pattern(time), SIDE, SIDE, sights.RED_FIRST)
        assert sighting.frame is not None
        np.testing.assert_array_equal(sighting.frame, expected)
    frames = np.stack([sighting.frame for sighting in found if sighting.frame is not None])
    scores = Oracle(path.read_bytes()).run(tensors(frames))
    np.testing.assert_array_equal([sighting.prediction.scores for sighting in found], scores)
    np.testing.assert_array_equal(answer.scores, scores[0])
