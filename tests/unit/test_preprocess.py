"""Any image becomes the frame that Pillow's arithmetic gives."""

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from edgekit.contract import Color, Resize
from edgekit.data import load, prepare
from edgekit.data.prepare import open_image
from edgekit.errors import DataError

RNG = np.random.default_rng(2)
WIDE = Image.fromarray(RNG.integers(0, 256, (6, 12, 3), dtype=np.uint8)).resize((48, 24))


def rgb(image: object, size: tuple[int, int] = (8, 8), resize: Resize = Resize.SQUASH) -> np.ndarray:
    return prepare(image, size, Color.RGB, resize)  # type: ignore[arg-type]


def test_squash_is_pillows_antialiased_bilinear() -> None:
    expected = np.asarray(WIDE.resize((10, 8), Image.Resampling.BILINEAR))
    assert np.array_equal(rgb(WIDE, (8, 10)), expected)


def test_crop_scales_the_short_side_and_takes_the_middle() -> None:
    scaled = np.asarray(WIDE.resize((16, 8), Image.Resampling.BILINEAR))
    assert np.array_equal(rgb(WIDE, resize=Resize.CROP), scaled[:, 4:12])
    tall = WIDE.transpose(Image.Transpose.ROTATE_90)
    scaled = np.asarray(tall.resize((8, 16), Image.Resampling.BILINEAR))
    assert np.array_equal(rgb(tall, resize=Resize.CROP), scaled[4:12])


def test_pad_keeps_the_whole_image_on_black() -> None:
    frame = rgb(WIDE, resize=Resize.PAD)
    scaled = np.asarray(WIDE.resize((8, 4), Image.Resampling.BILINEAR))
    assert np.array_equal(frame[2:6], scaled)
    assert not frame[:2].any()
    assert not frame[6:].any()


@pytest.mark.parametrize("resize", list(Resize))
@pytest.mark.parametrize("size", [(1, 1), (1, 50), (7, 3), (64, 64)])
@pytest.mark.parametrize("shape", [(1, 1), (1, 100), (99, 2), (10, 11)])
def test_every_size_comes_out_as_asked(shape: tuple[int, int], size: tuple[int, int], resize: Resize) -> None:
    image = RNG.integers(0, 256, (*shape, 3), dtype=np.uint8)
    for color in Color:
        assert prepare(image, size, color, resize).shape == (*size, color.channels)


def test_an_image_of_the_right_size_is_left_alone() -> None:
    image = RNG.integers(0, 256, (8, 8, 3), dtype=np.uint8)
    for resize in Resize:
        assert np.array_equal(rgb(image, resize=resize), image)


def test_bgr_is_rgb_backwards() -> None:
    image = RNG.integers(0, 256, (8, 8, 3), dtype=np.uint8)
    assert np.array_equal(prepare(image, (8, 8), Color.BGR, Resize.SQUASH), image[:, :, ::-1])


def test_gray_is_itu_601() -> None:
    image = RNG.integers(0, 256, (8, 8, 3), dtype=np.uint8)
    gray = prepare(image, (8, 8), Color.GRAY, Resize.SQUASH)[:, :, 0]
    assert np.abs(gray - image @ np.array([0.299, 0.587, 0.114])).max() <= 0.51
    assert np.array_equal(gray, np.asarray(Image.fromarray(image).convert("L")))


def test_gray_becomes_colour_by_repetition() -> None:
    image = RNG.integers(0, 256, (8, 8), dtype=np.uint8)
    assert np.array_equal(rgb(image), np.repeat(image[:, :, None], 3, axis=2))


@pytest.mark.parametrize("orientation", range(1, 9))
@pytest.mark.parametrize("suffix", ["jpg", "png", "tiff"])
def test_exif_orientation_is_applied(tmp_path: Path, orientation: int, suffix: str) -> None:
    turn = {
        2: Image.Transpose.FLIP_LEFT_RIGHT,
        3: Image.Transpose.ROTATE_180,
        4: Image.Transpose.FLIP_TOP_BOTTOM,
        5: Image.Transpose.TRANSPOSE,
        6: Image.Transpose.ROTATE_270,
        7: Image.Transpose.TRANSVERSE,
        8: Image.Transpose.ROTATE_90,
    }
    exif = Image.Exif()
    exif[0x0112] = orientation
    WIDE.save(
        tmp_path / f"a.{suffix}", exif=exif, **({"quality": 100, "subsampling": 0} if suffix == "jpg" else {})
    )
    plain = np.asarray(WIDE.transpose(turn[orientation]) if orientation in turn else WIDE)
    frame = rgb(load(tmp_path / f"a.{suffix}").images[0], plain.shape[:2])
    assert np.abs(frame.astype(int) - plain).max() <= (30 if suffix == "jpg" else 0)


def test_transparency_lies_on_black() -> None:
    pixels = np.full((8, 8, 4), 200, np.uint8)
    pixels[:, :4, 3] = 0
    pixels[:, 4:, 3] = 255
    frame = rgb(Image.fromarray(pixels))
    assert not frame[:, :4].any()
    assert (frame[:, 4:] == 200).all()
    gray = Image.fromarray(pixels[:, :, 2:].copy(), "LA")
    assert not rgb(gray)[:, :4].any()


def test_palette_images_with_and_without_transparency(tmp_path: Path) -> None:
    image = Image.new("P", (8, 8), 1)
    image.putpalette([10, 20, 30, 40, 50, 60])
    assert (rgb(image) == [40, 50, 60]).all()
    image.save(tmp_path / "a.png", transparency=1)
    assert not rgb(open_image(tmp_path / "a.png")).any()


def test_16_bit_gray_keeps_its_high_byte(tmp_path: Path) -> None:
    values = RNG.integers(0, 1 << 16, (8, 8), dtype=np.uint16)
    Image.fromarray(values).save(tmp_path / "a.png")
    frame = prepare(open_image(tmp_path / "a.png"), (8, 8), Color.GRAY, Resize.SQUASH)
    assert np.array_equal(frame[:, :, 0], values >> 8)


@pytest.mark.parametrize(
    "mode", ["1", "L", "P", "RGB", "RGBA", "CMYK", "YCbCr", "HSV", "LA", "PA", "La", "RGBa"]
)
def test_every_8_bit_mode_is_read(mode: str) -> None:
    image = Image.new(mode, (8, 8))
    for color in Color:
        assert prepare(image, (8, 8), color, Resize.SQUASH).dtype == np.uint8


def test_pixels_without_a_range_are_refused() -> None:
    with pytest.raises(DataError, match="'F'"):
        rgb(Image.new("F", (8, 8)))
    with pytest.raises(DataError, match="beyond 16 bits"):
        rgb(Image.fromarray(np.full((8, 8), 1 << 20, np.int32)))


@pytest.mark.parametrize("shape", [(8,), (8, 8, 2), (8, 8, 4), (2, 8, 8, 3)])
def test_arrays_of_other_shapes_are_refused(shape: tuple[int, ...]) -> None:
    with pytest.raises(DataError, match="must be uint8"):
        rgb(np.zeros(shape, np.uint8))
    with pytest.raises(DataError, match="float64"):
        rgb(np.zeros((8, 8, 3)))
