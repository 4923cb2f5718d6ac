"""Says what a file that is not a .tflite looks like, so that the error can be about the user's mistake."""

_STARTS = (
    (b"PK\x03\x04", "a zip archive, as PyTorch (.pt, .pth, .pt2), Keras (.keras) and NumPy (.npz) write it"),
    (b"\x89HDF", "an HDF5 file, as older Keras (.h5) writes it"),
    (b"\x89PNG", "a PNG image"),
    (b"\xff\xd8\xff", "a JPEG image"),
    (b"\x93NUMPY", "a NumPy array (.npy)"),
    (b"\x1f\x8b", "a gzip archive"),
    (b"\x7fELF", "an ELF program"),
    (b"UF2\n", "a UF2 firmware image"),
    (b"ustar", "a tar archive"),
)
_STAND_INS = (
    (
        b"version https://git-lfs.github.com/",
        "a Git LFS pointer, not the file",
        "run `git lfs pull` in its clone",
    ),
    (b"<!doctype html", "a web page", "download the file itself, not the page about it"),
    (b"<html", "a web page", "download the file itself, not the page about it"),
)
_CONVERT = "convert it with `edgekit quantize MODEL --calibration DATA`"


def stand_in(data: bytes) -> tuple[str, str] | None:
    """Return what was got instead of a file, and how to get that; None where it is nothing of the kind."""
    start = data[:64].lstrip().lower()
    return next(((what, hint) for begin, what, hint in _STAND_INS if start.startswith(begin)), None)


def describe(data: bytes) -> tuple[str, str]:
    """Return what `data` looks like ("an ONNX model"), and what to do about it."""
    if not data:
        return "an empty file", "write or download the model again"
    if found := stand_in(data):
        return found
    for start, what in _STARTS:
        if data.startswith(start):
            return what, _CONVERT if data.startswith((b"PK", b"\x89HDF")) else "name a .tflite file"
    if data[:1] == b"\x80" and data[1:2] in (b"\x02", b"\x03", b"\x04", b"\x05"):
        return "a Python pickle, as older PyTorch (.pt, .pth) writes it", _CONVERT
    if data[8:9] == b"{" and int.from_bytes(data[:8], "little") <= len(data):
        return "a safetensors file", _CONVERT
    if data[4:6] == b"ET" and data[6:8].isdigit():
        return "an ExecuTorch program (.pte)", "export the model as ONNX or .tflite instead"
    if data[:1] == b"\x08" and len(data) > 2 and 1 <= data[1] <= 20 and data[2] in (0x12, 0x1A, 0x3A, 0x42):
        return "an ONNX model", _CONVERT
    if data.startswith((b"\x0a", b"\x08")) and b"saved_model" in data[:4096]:
        return "a TensorFlow SavedModel", _CONVERT
    if all(32 <= byte < 127 or byte in b"\t\r\n" for byte in data[:512]):
        return "a text file", "name a .tflite file"
    return "no kind of model that edgekit knows", "name a .tflite file"
