"""What a board's camera sees and what becomes of it, computed with numpy: the oracle of the C code."""

import numpy as np
from numpy.typing import NDArray

WIDTH, HEIGHT = 320, 240
GRAY, RED_FIRST, BLUE_FIRST = 0, 1, 2


def pattern(time: int) -> NDArray[np.uint16]:
    """Return picture number `time` of the host's camera, RGB565 [HEIGHT, WIDTH]."""
    y, x = np.mgrid[0:HEIGHT, 0:WIDTH]
    red = (x + 3 * time) >> 3 & 0x1F
    green = (2 * y + 5 * time) >> 2 & 0x3F
    blue = ((x ^ y) + 7 * time) >> 3 & 0x1F
    return (red << 11 | green << 5 | blue).astype(np.uint16)


def frame_of(picture: NDArray[np.uint16], height: int, width: int, order: int) -> NDArray[np.uint8]:
    """Return the frame, [height, width, 1 or 3], that a model sees of a picture."""
    pixels = picture.astype(np.int64)
    red, green, blue = pixels >> 11, pixels >> 5 & 0x3F, pixels & 0x1F
    channels = np.stack([red << 3 | red >> 2, green << 2 | green >> 4, blue << 3 | blue >> 2], axis=-1)
    side = min(picture.shape[0] // height, picture.shape[1] // width)
    top, left = (picture.shape[0] - side * height) // 2, (picture.shape[1] - side * width) // 2
    middle = channels[top : top + side * height, left : left + side * width]
    sums = middle.reshape(height, side, width, side, 3).sum(axis=(1, 3))
    means = (sums + side * side // 2) // (side * side)
    if order == GRAY:
        means = (means @ np.array([19595, 38470, 7471]) + 0x8000 >> 16)[..., None]
    return (means[..., ::-1] if order == BLUE_FIRST else means).astype(np.uint8)
