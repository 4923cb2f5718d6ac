"""From a camera's picture to a model's frame: the C code against numpy, for many sizes."""

import ctypes

import numpy as np
import pytest
from link_simulator.device import WARNINGS, compiler
from numpy.typing import NDArray
from PIL import Image
from sights import BLUE_FIRST, GRAY, RED_FIRST, frame_of

from edgekit import process, resources


class Picture(ctypes.Structure):
    _fields_ = (("pixels", ctypes.c_char_p), ("width", ctypes.c_uint32), ("height", ctypes.c_uint32))


class Shape(ctypes.Structure):
    _fields_ = (("width", ctypes.c_uint32), ("height", ctypes.c_uint32), ("order", ctypes.c_int))


@pytest.fixture(scope="module")
def library(tmp_path_factory: pytest.TempPathFactory) -> ctypes.CDLL:
    folder = resources.firmware_templates() / "camera"
    out = tmp_path_factory.mktemp("picture") / "picture.so"
    sanitize = ("-fsanitize=undefined", "-fno-sanitize-recover=all")
    source = str(folder / "ek_picture.c")
    process.run([*compiler(), *WARNINGS, "-O2", "-shared", "-fPIC", *sanitize, source, "-o", str(out)])
    found = ctypes.CDLL(str(out))
    found.ek_picture_to_frame.restype = ctypes.c_bool
    return found


def convert(
    library: ctypes.CDLL, picture: NDArray[np.uint16], height: int, width: int, order: int
) -> NDArray[np.uint8] | None:
    """Return what the C code makes of a picture; None where it refuses."""
    guard, size = b"\xa5" * 8, height * width * (1 if order == GRAY else 3)
    out = ctypes.create_string_buffer(bytes(size) + guard, size + len(guard))
    given = Picture(picture.astype(">u2").tobytes(), picture.shape[1], picture.shape[0])
    shape = Shape(width, height, order)
    done = library.ek_picture_to_frame(ctypes.byref(given), ctypes.byref(shape), out)
    assert out.raw[size:] == guard
    return np.frombuffer(out.raw[:size], np.uint8).reshape(height, width, -1) if done else None


@pytest.mark.parametrize("order", [GRAY, RED_FIRST, BLUE_FIRST])
def test_equals_the_oracle(library: ctypes.CDLL, order: int) -> None:
    rng = np.random.default_rng(order)
    for _ in range(60):
        height, width = (int(n) for n in rng.integers(1, 40, 2))
        rows, columns = (int(n) for n in (rng.integers(height, 121), rng.integers(width, 161)))
        picture = rng.integers(0, 1 << 16, (rows, columns), dtype=np.uint16)
        found = convert(library, picture, height, width, order)
        assert found is not None
        np.testing.assert_array_equal(found, frame_of(picture, height, width, order))


@pytest.mark.parametrize(("height", "width"), [(96, 96), (32, 32), (224, 224), (240, 320), (1, 1), (5, 240)])
def test_sizes_that_models_have(library: ctypes.CDLL, height: int, width: int) -> None:
    picture = np.random.default_rng(1).integers(0, 1 << 16, (240, 320), dtype=np.uint16)
    for order in (GRAY, RED_FIRST, BLUE_FIRST):
        found = convert(library, picture, height, width, order)
        assert found is not None
        np.testing.assert_array_equal(found, frame_of(picture, height, width, order))


@pytest.mark.parametrize(("height", "width"), [(241, 1), (1, 321), (300, 400)])
def test_refuses_what_is_larger_than_the_picture(library: ctypes.CDLL, height: int, width: int) -> None:
    assert convert(library, np.zeros((240, 320), np.uint16), height, width, RED_FIRST) is None


def test_colours_stay_what_they_are(library: ctypes.CDLL) -> None:
    """Red, green, blue, white and black: a wrong byte or channel order would show."""
    bars = np.repeat(np.array([0xF800, 0x07E0, 0x001F, 0xFFFF, 0], np.uint16), 8)[None].repeat(8, axis=0)
    red_first = [[255, 0, 0], [0, 255, 0], [0, 0, 255], [255, 255, 255], [0, 0, 0]]
    found = convert(library, bars, 1, 5, RED_FIRST)
    assert found is not None
    assert found[0].tolist() == red_first
    found = convert(library, bars, 1, 5, BLUE_FIRST)
    assert found is not None
    assert found[0].tolist() == [colour[::-1] for colour in red_first]


def test_gray_is_what_training_saw(library: ctypes.CDLL) -> None:
    """Images become gray by Pillow there."""
    picture = np.random.default_rng(2).integers(0, 1 << 16, (64, 64), dtype=np.uint16)
    colour, gray = (convert(library, picture, 64, 64, order) for order in (RED_FIRST, GRAY))
    assert colour is not None
    assert gray is not None
    np.testing.assert_array_equal(gray[..., 0], np.asarray(Image.fromarray(colour).convert("L")))
