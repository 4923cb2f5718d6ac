"""NumPy files of images: read whole, or refused by name, whatever their headers claim."""

import io
import struct
import zipfile
from pathlib import Path

import numpy as np
import pytest

from edgekit import data
from edgekit.errors import DataError

RNG = np.random.default_rng(1)


def npz(path: Path, **arrays: object) -> Path:
    np.savez(path, **arrays)  # type: ignore[arg-type]
    return path


def test_npz_with_labels(tmp_path: Path) -> None:
    images = RNG.integers(0, 256, (5, 4, 6, 3), dtype=np.uint8)
    found = data.load(npz(tmp_path / "a.npz", images=images, labels=np.arange(5)))
    assert np.array_equal(found.images, images)
    assert found.labels is not None
    assert found.labels.tolist() == [0, 1, 2, 3, 4]


def test_npz_of_gray_images_in_fortran_order(tmp_path: Path) -> None:
    images = np.asfortranarray(RNG.integers(0, 256, (5, 4, 6), dtype=np.uint8))
    found = data.load(npz(tmp_path / "a.npz", images=images))
    assert found.labels is None
    assert np.array_equal(found.images, images[..., None])


@pytest.mark.parametrize(
    ("arrays", "message"),
    [
        ({"frames": np.zeros((1, 4, 4), np.uint8)}, r"no array 'images', only \['frames'\]"),
        ({"images": np.zeros((1, 4, 4), np.float32)}, "float32, uint8 pixels are needed .multiply"),
        ({"images": np.zeros((1, 3, 4, 4), np.uint8)}, r"4 channels; it seems to be \[N, C, H, W\]"),
        ({"images": np.zeros((4, 4), np.uint8)}, r"has shape \(4, 4\)"),
        ({"images": np.zeros((0, 4, 4), np.uint8)}, "holds no images"),
        ({"images": np.zeros((2, 4, 4), np.uint8), "labels": np.zeros(3, int)}, "3 labels for 2 images"),
        ({"images": np.zeros((2, 4, 4), np.uint8), "labels": np.zeros(2)}, "'labels' of .* is float64"),
        ({"images": np.zeros((2, 4, 4), np.uint8), "labels": np.array([0, -1])}, "negative label -1"),
        ({"images": np.array([{}], object)}, "does not unpickle"),
    ],
)
def test_wrong_arrays_are_named(tmp_path: Path, arrays: dict[str, object], message: str) -> None:
    with pytest.raises(DataError) as caught:
        data.load(npz(tmp_path / "a.npz", **arrays))
    text = f"{caught.value.message} {caught.value.hint}"
    import re

    assert re.search(message, text), text


def test_an_npz_that_claims_more_than_it_has_is_refused(tmp_path: Path) -> None:
    header = io.BytesIO()
    np.lib.format.write_array_header_1_0(
        header, {"descr": "|u1", "fortran_order": False, "shape": (1 << 40, 32, 32)}
    )
    with zipfile.ZipFile(tmp_path / "a.npz", "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("images.npy", header.getvalue() + bytes(100_000))
    with pytest.raises(DataError, match="claims 1125899906842624 bytes"):
        data.load(tmp_path / "a.npz")


def test_a_cut_npz_is_an_error_at_every_length(tmp_path: Path) -> None:
    whole = npz(tmp_path / "a.npz", images=np.zeros((2, 4, 4), np.uint8)).read_bytes()
    for cut in range(len(whole)):
        (tmp_path / "b.npz").write_bytes(whole[:cut])
        with pytest.raises(DataError):
            data.load(tmp_path / "b.npz")


@pytest.mark.parametrize(
    "header",
    [
        "'descr': '|u1', 'shape': (" + "-" * 9000 + "1,)",
        "'descr': '|V0', 'shape': (3,)",
        "'descr': ((, 'shape': (3L,)",
        f"'descr': '|u1', 'shape': (0, {2**70})",
        "'descr': '|u1', 'shape': (True, 8, 8)",
        "'descr': ('|u1', (4,)), 'shape': (1, 1, 1, 1)",
    ],
)
def test_odd_headers_are_errors(tmp_path: Path, header: str) -> None:
    text = f"{{{header}, 'fortran_order': False}}".encode()
    head = b"\x93NUMPY\x01\x00" + struct.pack("<H", len(text)) + text
    (tmp_path / "a.npy").write_bytes(head + bytes(200))
    with pytest.raises(DataError, match=r"a\.npy"):
        data.load(tmp_path / "a.npy")


ODD = (
    *(
        "1",
        "1.5",
        "1e999",
        "1j",
        "None",
        "...",
        "()",
        "(1,)",
        "(True,8,8)",
        "(-1,8)",
        "('x',)",
        "[]",
        "[[]]",
        "{}",
    ),
    *("{1}", "set()", "b''", "b'|u1'", "''", "'|V0'", "'O'", "'u1,u1'", "'(2,)u1'", "'\\ud800'", "('|u1',)"),
    *(
        "((('|u1',(2,)),(2,)))",
        "(('u1','u1'),)",
        "[('x',)]",
        "[('a','|u1',2)]",
        "(2,('x',))",
        f"(0,{2**32},{2**32})",
    ),
    *(
        "9" * 4000,
        f"({'9' * 4400},)",
        f"0x{'f' * 6000}",
        f"(0x{'f' * 6000},)",
        f"(0,0x{'f' * 6000})",
        f"-0x{'f' * 99}",
    ),
    f"({'1,' * 65})",
    f"({'1,' * 4000})",
)
"""Python literals that no header has."""
TEMPLATES = (
    "{{'descr': {}, 'fortran_order': False, 'shape': (1, 8, 8)}}",
    "{{'descr': '|u1', 'fortran_order': {}, 'shape': (1, 8, 8)}}",
    "{{'descr': '|u1', 'fortran_order': False, 'shape': {}}}",
    "{{'descr': '|u1', 'fortran_order': True, 'shape': {}}}",
    "{{'descr': '|u1', 'fortran_order': False, 'shape': (1, 8, 8), {}: 1}}",
    "{{{}: '|u1', 'fortran_order': False, 'shape': (1, 8, 8)}}",
    "{{{}: 1}}",
    "[{}]",
    "{}",
)


@pytest.mark.parametrize("template", TEMPLATES)
def test_headers_of_any_literal_end_in_an_error_of_a_few_words(tmp_path: Path, template: str) -> None:
    for literal in ODD:
        text = template.format(literal).encode()
        head = b"\x93NUMPY\x01\x00" + struct.pack("<H", len(text)) + text
        (tmp_path / "a.npy").write_bytes(head + bytes(200))
        with pytest.raises(DataError, match=r"a\.npy") as caught:
            data.load(tmp_path / "a.npy")
        assert len(caught.value.message) < 1000, literal


def test_archives_that_numpy_does_not_write_are_errors(tmp_path: Path) -> None:
    with zipfile.ZipFile(tmp_path / "a.npz", "w", zipfile.ZIP_LZMA) as archive:
        archive.writestr("images.npy", bytes(1000))
    with pytest.raises(DataError, match="does not write"):
        data.load(tmp_path / "a.npz")
    with zipfile.ZipFile(tmp_path / "b.npz", "w") as archive:
        archive.writestr("imägës", b"")
    damaged = (tmp_path / "b.npz").read_bytes().replace("ë".encode(), b"\xff\xff")
    (tmp_path / "b.npz").write_bytes(damaged)
    with pytest.raises(DataError, match="is damaged"):
        data.load(tmp_path / "b.npz")


def test_npy_frames(tmp_path: Path) -> None:
    np.save(tmp_path / "a.npy", np.zeros((2, 4, 4, 3), np.uint8))
    assert len(data.load(tmp_path / "a.npy")) == 2
    whole = (tmp_path / "a.npy").read_bytes()
    for cut in range(len(whole)):
        (tmp_path / "b.npy").write_bytes(whole[:cut])
        with pytest.raises(DataError):
            data.load(tmp_path / "b.npy")
