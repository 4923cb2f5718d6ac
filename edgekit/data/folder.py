"""Folders of image files: one sub-folder per class, or flat without labels."""

from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, overload

import numpy as np
from numpy.typing import NDArray

from edgekit.data.dataset import Dataset, Image
from edgekit.data.prepare import open_image
from edgekit.errors import DataError
from edgekit.files import open_regular
from edgekit.plain_text import from_system

if TYPE_CHECKING:
    from PIL.Image import Image as PillowImage

_SUFFIXES = frozenset(
    (".bmp", ".gif", ".jp2", ".jpeg", ".jpg", ".mpo", ".pgm", ".png", ".ppm", ".tif", ".tiff", ".webp")
)
_HEADS = (
    b"\xff\xd8\xff",
    b"\x89PNG\r\n\x1a\n",
    b"GIF8",
    b"BM",
    b"II*\x00",
    b"MM\x00*",
    b"P5",
    b"P6",
    b"\x00\x00\x00\x0cjP",
)
_SHOWN = 5


class ImageFiles(Sequence[Image]):
    """Image files that are decoded one at a time, when asked for."""

    def __init__(self, paths: tuple[Path, ...]) -> None:
        self.paths = paths

    def __len__(self) -> int:
        return len(self.paths)

    @overload
    def __getitem__(self, index: int) -> "PillowImage": ...
    @overload
    def __getitem__(self, index: slice) -> "ImageFiles": ...
    def __getitem__(self, index: int | slice) -> "PillowImage | ImageFiles":
        """Decode one image; raises DataError naming the file when it is broken."""
        return ImageFiles(self.paths[index]) if isinstance(index, slice) else open_image(self.paths[index])


def is_image(head: bytes) -> bool:
    """Return whether a file that begins so is an image."""
    return head.startswith(_HEADS) or (head[:4] == b"RIFF" and head[8:12] == b"WEBP")


def load_image(path: Path) -> Dataset:
    """Return the data set of one image file."""
    return _dataset((path,), None, None, path)


def load(path: Path, labels: tuple[str, ...] | None) -> Dataset:
    """Read a folder of images.

    Args:
        path: holds sub-folders with images, or images.
        labels: the model's classes; the sub-folders must be exactly these. None: their sorted names.

    Raises:
        DataError: no images, images beside class folders, an empty class, or classes that do not match.
    """
    folders = sorted(p for p in path.iterdir() if p.is_dir() and not p.name.startswith("."))
    loose = _images(path)
    if not folders:
        if not loose:
            raise DataError(
                f"the folder '{path}' holds no images", "give a folder of images, or of one folder per class"
            )
        return _dataset(loose, None, None, path)
    found = {from_system(folder.name): _images(folder) for folder in folders}
    if loose and any(found.values()):
        raise DataError(
            f"'{path}' holds images ('{loose[0].name}') beside class folders ('{folders[0].name}')",
            "move the images into their class folders, or elsewhere",
        )
    if loose:
        return _dataset(loose, None, None, path)
    empty = [name for name, files in found.items() if not files]
    if empty:
        raise _empty(path, empty)
    classes = tuple(sorted(found)) if labels is None else labels
    _match(path, found.keys(), classes)
    files = tuple(file for name in classes for file in found[name])
    numbers = np.repeat(np.arange(len(classes)), [len(found[name]) for name in classes])
    return _dataset(files, numbers.astype(np.int64), classes, path)


def _images(path: Path) -> tuple[Path, ...]:
    """Return the image files of a folder by name: by suffix, or by content when the suffix says nothing."""
    files = sorted(p for p in path.iterdir() if p.is_file() and not p.name.startswith("."))
    return tuple(p for p in files if p.suffix.lower() in _SUFFIXES or is_image(_head(p)))


def _head(path: Path) -> bytes:
    with open_regular(path) as file:
        return file.read(16)


def _dataset(
    files: tuple[Path, ...], labels: NDArray[np.int64] | None, classes: tuple[str, ...] | None, path: Path
) -> Dataset:
    return Dataset(ImageFiles(files), labels, classes, str(path), tuple(str(file) for file in files))


def _empty(path: Path, empty: list[str]) -> DataError:
    inner = [p.name for p in (path / empty[0]).iterdir() if p.is_dir()]
    if inner:
        return DataError(
            f"'{path / empty[0]}' holds no images but folders ({_list(sorted(inner))})",
            f"name the folder whose sub-folders are the classes, such as '{path / empty[0]}'",
        )
    return DataError(
        f"the class folder(s) {_list(empty)} of '{path}' hold no images", "fill them or remove them"
    )


def _match(path: Path, found: Iterable[str], classes: tuple[str, ...]) -> None:
    names = set(found)
    twice = sorted({name for name in classes if classes.count(name) > 1})
    if twice:
        raise DataError(
            f"the labels name {_list(twice)} more than once, so the folders of '{path}' cannot be matched",
            "give each class a name of its own, or give the data as .npz with numbers",
        )
    missing = [name for name in classes if name not in names]
    extra = sorted(names - set(classes))
    if missing or extra:
        parts = []
        if missing:
            parts.append(f"it lacks {_list(missing)}")
        if extra:
            parts.append(f"it has {_list(extra)}, which are no labels")
        raise DataError(
            f"the folders of '{path}' do not match the {len(classes)} labels: {' and '.join(parts)}",
            "name each folder exactly as its label",
        )


def _list(names: Sequence[str]) -> str:
    shown = ", ".join(f"'{name}'" for name in names[:_SHOWN])
    return shown if len(names) <= _SHOWN else f"{shown} and {len(names) - _SHOWN} more"
