"""MNIST's idx files, compressed or not.

Format (Y. LeCun's MNIST page): two zero bytes, the element type (8 = uint8), the rank, one 32-bit
big-endian size per dimension, the elements in row-major order.
"""

import gzip
import math
import struct
import zlib
from pathlib import Path
from typing import IO, cast

import numpy as np
from numpy.typing import NDArray

from edgekit.data.dataset import Dataset
from edgekit.errors import DataError
from edgekit.files import open_regular

_MAX_BYTES = 1 << 32
_PIECE_BYTES = 1 << 20
_UINT8 = 8
_PREFIXES = {"train": "train", "test": "t10k"}


def is_header(head: bytes) -> bool:
    """Return whether a file that begins so is an idx file of uint8."""
    return len(head) >= 4 and head[:3] == bytes((0, 0, _UINT8)) and 1 <= head[3] <= 4


def find(folder: Path, split: str) -> Path | None:
    """Return the images file of a folder: that of the split, or the only one there is."""
    files = [
        path
        for path in sorted(folder.iterdir())
        if path.is_file() and "idx" in path.name and "images" in path.name and _can_be(path)
    ]
    wanted = [path for path in files if path.name.startswith((_PREFIXES[split], split))]
    return next(iter(wanted or files), None)


def _can_be(path: Path) -> bool:
    with open_regular(path) as file:
        head = file.read(4)
    return is_header(head) or head[:2] == b"\x1f\x8b"


def load(path: Path) -> Dataset:
    """Read an images file, and the labels file beside it when there is one.

    Raises:
        DataError: a file is damaged, is a labels file, or images and labels differ in number.
    """
    images = _read(path)
    wrong = images.ndim not in (3, 4) or 0 in images.shape[1:]
    if wrong or (images.ndim == 4 and images.shape[3] not in (1, 3)):
        raise DataError(
            f"'{path}' holds an array of shape {images.shape}, not images [N, H, W]",
            "name the images file; the labels file is found beside it",
        )
    beside = _labels_beside(path)
    labels = None
    if beside is not None:
        labels = _read(beside).astype(np.int64)
        if labels.ndim != 1:
            raise DataError(f"'{beside}' holds an array of shape {labels.shape}, not labels [N]")
    return Dataset(images if images.ndim == 4 else images[..., None], labels, None, str(path))


def _labels_beside(path: Path) -> Path | None:
    if "images" not in path.name:
        return None
    plain = path.name.replace("images", "labels").replace("idx3", "idx1").replace("idx4", "idx1")
    plain = plain.removesuffix(".gz")
    return next((p for p in (path.with_name(plain), path.with_name(plain + ".gz")) if p.is_file()), None)


def _read(path: Path) -> NDArray[np.uint8]:
    with open_regular(path) as raw:
        compressed = raw.read(2) == b"\x1f\x8b"
        raw.seek(0)
        if not compressed:
            return _read_array(raw, path)
        try:
            with gzip.GzipFile(fileobj=raw) as file:
                return _read_array(cast(IO[bytes], file), path)
        except (zlib.error, EOFError, gzip.BadGzipFile) as error:
            raise DataError(f"'{path}' is damaged: {error}", "fetch it again") from error


def _read_array(file: IO[bytes], path: Path) -> NDArray[np.uint8]:
    head = file.read(4)
    if not is_header(head):
        raise DataError(f"'{path}' is no idx file of uint8 (MNIST's format): it begins with {head.hex()}")
    raw = file.read(4 * head[3])
    if len(raw) != 4 * head[3]:
        raise DataError(f"'{path}' ends in its header", "fetch it again")
    shape = struct.unpack(f">{head[3]}I", raw)
    need = math.prod(shape)
    # NumPy counts the bytes of a shape as if none of its sizes were 0.
    if math.prod(filter(None, shape)) > _MAX_BYTES:
        raise DataError(
            f"'{path}' claims the shape {shape}, which is more than edgekit reads", "fetch it again"
        )
    values = _read_most(file, need + 1)
    if len(values) != need:
        word = "ends early" if len(values) < need else "goes on"
        raise DataError(f"'{path}' claims {need} bytes for shape {shape}, but {word}", "fetch it again")
    return np.frombuffer(values, np.uint8).reshape(shape)


def _read_most(file: IO[bytes], most: int) -> bytearray:
    """Read up to `most` bytes; memory is taken for what is there, not for what a header claims."""
    values = bytearray()
    while piece := file.read(min(most - len(values), _PIECE_BYTES)):
        values += piece
    return values
