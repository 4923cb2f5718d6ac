"""Makes of any image the uint8 frame [H, W, C] that a model was trained on, with Pillow's arithmetic.

The order is fixed: EXIF orientation, transparency onto black, colour, then size. Gray is ITU-R 601
(Pillow's "L"); resizing is Pillow's bilinear filter, which antialiases when it shrinks.
"""

import struct
import warnings
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from edgekit.contract import Color, Resize
from edgekit.data.dataset import Image
from edgekit.errors import DataError
from edgekit.files import open_regular

if TYPE_CHECKING:
    from PIL.Image import Image as PillowImage

# What a camera or a data set is stored in. Pillow knows more, but some of those start other programs (EPS).
_FORMATS = ("BMP", "GIF", "JPEG", "JPEG2000", "PNG", "PPM", "TIFF", "WEBP")

# What Pillow's decoders raise on damaged files; they have no common class.
_DAMAGED = (
    *(OSError, SyntaxError, ValueError, EOFError, IndexError, KeyError, TypeError, struct.error),
    MemoryError,  # a chunk that claims gigabytes
)


def prepare(image: Image, size: tuple[int, int], color: Color, resize: Resize) -> NDArray[np.uint8]:
    """Return the frame uint8 [H, W, C] of one image.

    Args:
        image: a uint8 array [H, W], [H, W, 1] or [H, W, 3] (RGB), or a Pillow image of any mode.
        size: (height, width) of the frame.
        color: order of the channels in the frame.
        resize: SQUASH ignores the aspect ratio; CROP scales until the frame is covered and cuts the
            middle out, as torchvision's Resize and CenterCrop do; PAD scales until all of the image is
            inside and fills the rest with black (0).

    Raises:
        DataError: the image's mode or shape cannot be read as gray or RGB.
    """
    if isinstance(image, np.ndarray) and _is_ready(image, size, color):
        return image.reshape(*size, color.channels)
    pillow = _to_color(_open_array(image) if isinstance(image, np.ndarray) else image, color)
    frame = np.asarray(_to_size(pillow, size, resize), dtype=np.uint8).reshape(*size, color.channels)
    return np.ascontiguousarray(frame[:, :, ::-1]) if color is Color.BGR else frame


def open_image(path: Path) -> "PillowImage":
    """Read and decode an image file.

    Raises:
        DataError: the file is no image, is damaged, or unfolds to more pixels than Pillow deems safe.
    """
    from PIL import Image as pillow
    from PIL import UnidentifiedImageError

    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            warnings.simplefilter("error", pillow.DecompressionBombWarning)
            with open_regular(path) as file, pillow.open(file, formats=_FORMATS) as image:
                image.load()
                return image.copy() if image.readonly else image
    except (pillow.DecompressionBombError, pillow.DecompressionBombWarning) as error:
        raise DataError(
            f"'{path}' is too large to decode safely: {error}",
            "make it smaller, or skip such images with --on-broken skip",
        ) from error
    except UnidentifiedImageError as error:
        raise DataError(
            f"'{path}' is not an image, or its beginning is damaged",
            "remove it, or skip such images with --on-broken skip",
        ) from error
    except _DAMAGED as error:
        raise DataError(
            f"'{path}' is damaged: {str(error) or type(error).__name__}",
            "remove it, or skip such images with --on-broken skip",
        ) from error


def _is_ready(image: NDArray[np.uint8], size: tuple[int, int], color: Color) -> bool:
    channels = 1 if image.ndim == 2 else image.shape[-1]
    return (
        image.dtype == np.uint8
        and image.ndim in (2, 3)
        and image.shape[:2] == size
        and channels == color.channels
        and color is not Color.BGR
    )


def _open_array(image: NDArray[np.uint8]) -> "PillowImage":
    from PIL import Image as pillow

    if image.ndim == 3 and image.shape[2] == 1:
        image = image[:, :, 0]
    if image.dtype != np.uint8 or not (image.ndim == 2 or (image.ndim == 3 and image.shape[2] == 3)):
        raise DataError(f"an image must be uint8 [H, W] or [H, W, 1 or 3], not {image.dtype} {image.shape}")
    return pillow.fromarray(np.ascontiguousarray(image))


def _to_color(image: "PillowImage", color: Color) -> "PillowImage":
    from PIL import Image as pillow
    from PIL import ImageOps

    try:
        image = ImageOps.exif_transpose(image)
    except _DAMAGED as error:
        raise DataError(
            f"the EXIF data of an image is damaged: {error}", "save the image without it"
        ) from error
    if image.mode.startswith("I"):
        image = _high_byte(image)
    if image.mode in ("F", "LAB"):
        raise DataError(
            f"an image has pixels of mode '{image.mode}', which have no range", "convert it to 8 bits"
        )
    if image.has_transparency_data:
        # "La" (premultiplied) converts to nothing but "LA".
        image = image.convert("LA") if image.mode == "La" else image
        image = image.convert("RGBA")
        black = pillow.new("RGBA", image.size, (0, 0, 0, 255))
        image = pillow.alpha_composite(black, image)
    if image.mode not in ("L", "RGB"):
        image = image.convert("L" if image.mode == "1" else "RGB")
    return image.convert("L" if color is Color.GRAY else "RGB")


def _high_byte(image: "PillowImage") -> "PillowImage":
    """Make 8 bits of 16-bit gray by dropping the low byte, as Pillow itself does with 16-bit colour."""
    from PIL import Image as pillow

    values = np.asarray(image)
    if values.min() < 0 or values.max() > 0xFFFF:
        raise DataError("an image has gray values beyond 16 bits", "convert it to 8 bits")
    return pillow.fromarray((values >> 8).astype(np.uint8))


def _to_size(image: "PillowImage", size: tuple[int, int], resize: Resize) -> "PillowImage":
    from PIL import Image as pillow

    height, width = size
    if image.size == (width, height):
        return image
    bilinear = pillow.Resampling.BILINEAR
    if resize is Resize.SQUASH:
        return image.resize((width, height), bilinear)
    across, down = width / image.width, height / image.height
    if resize is Resize.CROP:
        # The longer side is rounded down and the offset to the nearest even, as torchvision does.
        scale = max(across, down)
        inner = (
            (width, max(height, int(image.height * scale)))
            if across >= down
            else (max(width, int(image.width * scale)), height)
        )
        left, top = round((inner[0] - width) / 2), round((inner[1] - height) / 2)
        return image.resize(inner, bilinear).crop((left, top, left + width, top + height))
    scale = min(across, down)
    inner = (
        min(width, max(1, round(image.width * scale))),
        min(height, max(1, round(image.height * scale))),
    )
    frame = pillow.new(image.mode, (width, height))
    frame.paste(image.resize(inner, bilinear), ((width - inner[0]) // 2, (height - inner[1]) // 2))
    return frame
