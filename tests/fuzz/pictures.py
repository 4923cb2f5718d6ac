"""Targets that read data sets: arrays, MNIST's and CIFAR-10's files, and images."""

import functools
import gzip
import io
import random
import struct
import zipfile
import zlib

import numpy as np
from PIL import Image

from edgekit import data as datasets
from edgekit.contract import Color, Resize
from edgekit.data import arrays, cifar, idx
from edgekit.data.dataset import Dataset
from edgekit.data.prepare import open_image, prepare
from edgekit.errors import DataError
from fuzz import changes
from fuzz.target import Target, scratch, written

_CIFAR_RECORD = 3073
_MOST_PIXELS = 1 << 20
"""Larger ones are opened, but not made a frame nine times."""


def read(dataset: Dataset) -> None:
    """Use a data set as commands do: its labels, and frames of its first images."""
    dataset.check_labels(10)
    for index in range(min(3, len(dataset))):
        assert dataset.name(index)
        frame = prepare(dataset.images[index], (8, 8), Color.RGB, Resize.SQUASH)
        assert frame.shape == (8, 8, 3)


def npz(data: bytes) -> None:
    """An archive of arrays."""
    read(arrays.load_npz(written("a.npz", data)))


def npy(data: bytes) -> None:
    """One array: of any type, and of frames."""
    path = written("a.npy", data)
    arrays.read_npy(path)
    read(arrays.load_npy(path))


def mnist(data: bytes) -> None:
    """An idx file of images; the rest of the input, if there is any, is its labels."""
    half = struct.unpack("<H", data[:2].ljust(2, b"\0"))[0]
    images, labels = data[2 : 2 + half], data[2 + half :]
    beside = scratch() / "x-labels-idx1-ubyte"
    beside.unlink(missing_ok=True)
    if labels:
        beside.write_bytes(labels)
    read(idx.load(written("x-images-idx3-ubyte", images)))


def cifar_batch(data: bytes) -> None:
    """A batch of CIFAR-10: the input repeated to whole records, or as it is."""
    if data[:1] != b"\xff":
        data = (data * (_CIFAR_RECORD // max(1, len(data)) + 1))[:_CIFAR_RECORD]
    path = written("data_batch_1.bin", data)
    cifar.is_batch(path)
    read(cifar.load((path,), "fuzz"))


def any_file(data: bytes) -> None:
    """A data file whose kind is found by its content."""
    read(datasets.load(written("d.bin", data)))


def picture(data: bytes) -> None:
    """An image file, made a frame in every way."""
    image = open_image(written("p", data))
    if image.width * image.height > _MOST_PIXELS:
        return
    for color in Color:
        for resize in Resize:
            try:
                frame = prepare(image, (5, 7), color, resize)
            except DataError:
                continue
            assert frame.shape == (5, 7, color.channels)


# Seeds


def _npy(values: "np.ndarray[tuple[int, ...], np.dtype[np.generic]]") -> bytes:
    file = io.BytesIO()
    np.save(file, values)
    return file.getvalue()


def _arrays() -> list[bytes]:
    frames = np.arange(2 * 4 * 4 * 3, dtype=np.uint8).reshape(2, 4, 4, 3)
    return [
        _npy(frames),
        _npy(frames[..., 0]),
        _npy(np.asfortranarray(frames)),
        _npy(np.zeros((2, 3), np.float32)),
        _npy(np.array([1, 2], ">i8")),
    ]


def _archives() -> list[bytes]:
    frames = np.zeros((2, 4, 4, 1), np.uint8)
    made = []
    for save in (np.savez, np.savez_compressed):
        file = io.BytesIO()
        save(file, images=frames, labels=np.array([0, 1]))
        made.append(file.getvalue())
    return made


def _idx_file(kind: int, shape: tuple[int, ...], content: bytes) -> bytes:
    return bytes((0, 0, 8, kind)) + struct.pack(f">{len(shape)}I", *shape) + content


def _mnist() -> list[bytes]:
    images, labels = _idx_file(3, (2, 4, 4), bytes(range(32))), _idx_file(1, (2,), b"\1\2")
    colour = _idx_file(4, (1, 2, 2, 3), bytes(12))
    pairs = [
        (images, labels),
        (gzip.compress(images, mtime=0), b""),
        (images, gzip.compress(labels, mtime=0)),
        (colour, b""),
    ]
    return [struct.pack("<H", len(first)) + first + second for first, second in pairs]


@functools.cache
def _images() -> tuple[bytes, ...]:
    made = []
    gradient = Image.linear_gradient("L").resize((9, 6))
    for mode, form, options in (
        ("RGB", "PNG", {}),
        ("RGBA", "PNG", {}),
        ("P", "PNG", {"transparency": 3}),
        ("I;16", "PNG", {}),
        ("LA", "PNG", {}),
        ("RGB", "JPEG", {}),
        ("CMYK", "JPEG", {}),
        ("L", "BMP", {}),
        ("P", "GIF", {}),
        ("RGB", "PPM", {}),
        ("L", "TIFF", {}),
        ("F", "TIFF", {}),
        ("RGB", "TIFF", {"compression": "tiff_lzw"}),
        ("RGBA", "WEBP", {}),
        ("L", "JPEG2000", {}),
    ):
        file = io.BytesIO()
        rotated = Image.Exif()
        rotated[0x0112] = 6
        extra = {"exif": rotated} if form in ("JPEG", "PNG", "WEBP") else {}
        gradient.convert(mode if mode != "I;16" else "I").convert(mode).save(file, form, **options, **extra)
        made.append(file.getvalue())
    return tuple(made)


def _all_kinds() -> list[bytes]:
    mnist_images = [seed[2:] for seed in _mnist()]
    return [*_arrays(), *_archives(), *mnist_images, *_images()[:9:4], bytes(_CIFAR_RECORD)]


# Changes behind checksums


def _change_picture(data: bytes, rng: random.Random) -> bytes:
    """Change any bytes, and put the checksums of a PNG right."""
    content = bytearray(changes.raw(data, rng))
    at = 8
    while content[:4] == b"\x89PNG" and at + 12 <= len(content):
        end = at + 8 + int.from_bytes(content[at : at + 4], "big")
        if end + 4 > len(content):
            break
        content[end : end + 4] = zlib.crc32(content[at + 4 : end]).to_bytes(4, "big")
        at = end + 4
    return bytes(content)


def _change_idx(data: bytes, rng: random.Random) -> bytes:
    """Change a file that is compressed before it is compressed."""
    head, body = data[:2], data[2:]
    if body[:2] == b"\x1f\x8b":
        try:
            body = gzip.compress(changes.raw(gzip.decompress(body), rng), mtime=0)
        except (OSError, EOFError, zlib.error):
            return changes.raw(data, rng)
        return struct.pack("<H", len(body)) + body
    return head + changes.raw(body, rng) if rng.random() < 0.8 else changes.raw(data, rng)


def _change_any(data: bytes, rng: random.Random) -> bytes:
    if zipfile.is_zipfile(io.BytesIO(data)):
        return changes.in_zip(data, rng)
    return _change_picture(data, rng)


TARGETS = (
    Target("npz", "`.npz` archives", npz, _archives, changes.in_zip),
    Target("npy", "`.npy` arrays", npy, _arrays, max_bytes=1024),
    Target("idx", "MNIST's idx files, compressed or not", mnist, _mnist, _change_idx, max_bytes=1024),
    Target("cifar", "CIFAR-10's batches", cifar_batch, lambda: [bytes(9), b"\xff" + bytes(3072)]),
    Target("data", "a data file of any kind", any_file, _all_kinds, _change_any),
    Target("picture", "image files, through Pillow", picture, _images, _change_picture),
)
