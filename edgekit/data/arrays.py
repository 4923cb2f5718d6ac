"""NumPy files: .npz with `images` and perhaps `labels`, and .npy of frames. Pickled arrays are refused."""

import math
import zipfile
import zlib
from pathlib import Path
from typing import IO, Any

import numpy as np
from numpy.lib import format as npy
from numpy.typing import NDArray

from edgekit.data.dataset import Dataset
from edgekit.errors import DataError
from edgekit.files import open_regular

_MAX_BYTES = 1 << 32
"""No array unfolds to more than this; it bounds what a small archive can make of itself."""
_MAX_RANK, _MAX_SIZE = 32, 1 << 62
_DAMAGED = (
    zipfile.BadZipFile,
    zlib.error,
    EOFError,
    NotImplementedError,
    RuntimeError,
    UnicodeDecodeError,  # of the names of members
    OSError,  # a member that would begin before the file
)
_HINT = "images: uint8 [N, H, W] or [N, H, W, 1 or 3]; labels: integers [N]"


def load_npz(path: Path) -> Dataset:
    """Read `images` and, when it is there, `labels` of an .npz.

    Raises:
        DataError: the archive is damaged, lacks `images`, or an array has the wrong type, rank or size.
    """
    try:
        with open_regular(path) as file, zipfile.ZipFile(file) as archive:
            members = {info.filename.removesuffix(".npy"): info for info in archive.infolist()}
            if "images" not in members:
                raise DataError(f"'{path}' has no array 'images', only {sorted(members)[:8]}", _HINT)
            arrays: dict[str, NDArray[Any]] = {}
            for name in ("images", "labels"):
                if name in members:
                    arrays[name] = _read_member(archive, members[name], f"'{name}' of '{path}'")
    except _DAMAGED as error:
        raise DataError(f"'{path}' is damaged: {error}", "write it again with numpy.savez") from error
    images = _check_images(arrays["images"], f"'images' of '{path}'")
    return Dataset(images, _check_labels(arrays.get("labels"), path), None, str(path))


def load_npy(path: Path) -> Dataset:
    """Read a .npy of uint8 frames, without labels. Raises DataError as `load_npz`."""
    return Dataset(_check_images(read_npy(path), f"'{path}'"), None, None, str(path))


def read_npy(path: Path) -> NDArray[Any]:
    """Read the one array of a .npy, of any type. Raises DataError."""
    try:
        with open_regular(path) as file:
            return _read(file, path.stat().st_size, f"'{path}'")
    except OSError as error:
        raise DataError(
            f"cannot read '{path}': {error.strerror or error}", "write it with numpy.save"
        ) from error


def _read_member(archive: zipfile.ZipFile, info: zipfile.ZipInfo, what: str) -> NDArray[Any]:
    # NumPy writes no other kinds, and each kind's decoder has exceptions of its own.
    if info.compress_type not in (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED):
        raise DataError(f"{what} is compressed in a way that NumPy does not write", _HINT)
    with archive.open(info) as file:
        return _read(file, info.file_size, what)


def _read(file: IO[bytes], size: int, what: str) -> NDArray[Any]:
    """Read one array, having checked that its header agrees with the size of the file."""
    try:
        version = npy.read_magic(file)
        reader = {(1, 0): npy.read_array_header_1_0, (2, 0): npy.read_array_header_2_0}.get(version)
        if reader is None:
            raise DataError(f"{what} is in .npy format {version}, which is not read", _HINT)
        shape, fortran, dtype = reader(file)
    except (DataError, OSError, zipfile.BadZipFile, zlib.error, EOFError):
        raise
    except (
        Exception
    ) as error:  # the header is a Python literal, and NumPy raises whatever that makes it raise
        said = str(error)[:200] if isinstance(error, ValueError | SyntaxError) else ""
        reason = said or "its header is not one that NumPy writes"
        raise DataError(f"{what} is no NumPy array: {reason}", _HINT) from error
    if len(shape) > _MAX_RANK or not all(0 <= size <= _MAX_SIZE for size in shape):
        raise DataError(f"{what} claims a shape that no array has", _HINT)
    if dtype.hasobject:
        raise DataError(f"{what} holds Python objects; edgekit does not unpickle data", _HINT)
    if dtype.kind not in "biuf":
        raise DataError(f"{what} is {dtype}, which is no type of number", _HINT)
    need = math.prod(shape) * dtype.itemsize
    if need > min(size, _MAX_BYTES):
        raise DataError(f"{what} claims {need} bytes for shape {shape}, but has {size}", _HINT)
    raw = file.read(need)
    if len(raw) != need:
        raise DataError(f"{what} ends after {len(raw)} of {need} bytes", _HINT)
    try:
        return np.frombuffer(raw, dtype).reshape(shape, order="F" if fortran else "C")
    except (ValueError, TypeError, OverflowError) as error:
        raise DataError(f"{what} has the shape {shape}: {error}", _HINT) from error


def _check_images(values: NDArray[Any], what: str) -> NDArray[np.uint8]:
    if values.dtype != np.uint8:
        scaled = " (multiply values in 0..1 by 255 and round)" if values.dtype.kind == "f" else ""
        raise DataError(f"{what} is {values.dtype}, uint8 pixels are needed{scaled}", _HINT)
    if values.ndim not in (3, 4) or 0 in values.shape[1:]:
        raise DataError(f"{what} has shape {values.shape}", _HINT)
    if values.ndim == 3:
        values = values[..., None]
    if values.shape[3] not in (1, 3):
        order = "; it seems to be [N, C, H, W]" if values.shape[1] in (1, 3) else ""
        raise DataError(f"{what} has {values.shape[3]} channels{order}", _HINT)
    return values


def _check_labels(values: NDArray[Any] | None, path: Path) -> NDArray[np.int64] | None:
    if values is None:
        return None
    if values.dtype.kind not in "iu" or values.ndim != 1:
        raise DataError(f"'labels' of '{path}' is {values.dtype} of shape {values.shape}", _HINT)
    if values.size and int(values.min()) < 0:
        raise DataError(f"'labels' of '{path}' has the negative label {int(values.min())}", _HINT)
    return values.astype(np.int64)
