"""Frames from a camera of this machine, made the model's size and colour like any other image."""

from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray

from edgekit.contract import Preprocess
from edgekit.data.prepare import prepare
from edgekit.errors import DataError, MissingExtraError


def frames(number: int, preprocess: Preprocess, size: tuple[int, int]) -> Iterator[NDArray[np.uint8]]:
    """Yield uint8 [H, W, C] frames for as long as the camera delivers; closing the iterator frees it.

    Args:
        number: which camera, counted from 0 as the system does.
        preprocess: color and resize decide.
        size: (height, width).

    Raises:
        MissingExtraError: OpenCV is not installed.
        DataError: there is no such camera, or it stopped.
    """
    try:
        import cv2
    except ModuleNotFoundError as error:
        raise MissingExtraError("opencv-python-headless", "camera", "a camera") from error
    camera = cv2.VideoCapture(number)
    try:
        if not camera.isOpened():
            raise DataError(
                f"camera {number} cannot be opened", "is it plugged in, and used by nothing else?"
            )
        while True:
            there, picture = camera.read()
            if not there:
                raise DataError(f"camera {number} stopped delivering pictures", "is it still plugged in?")
            yield prepare(
                np.ascontiguousarray(picture[:, :, ::-1]), size, preprocess.color, preprocess.resize
            )
    finally:
        camera.release()
