"""Data sets: each kind is recognised by content, and what is wrong with one is said by name."""

import gzip
import itertools
import math
import struct
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from edgekit import data
from edgekit.contract import Color, Contract, Preprocess, Resize, pixel_table
from edgekit.data import digits
from edgekit.errors import DataError, UsageError

RNG = np.random.default_rng(1)
GRAY = Preprocess(Color.GRAY, Resize.SQUASH, (0.0,), (1.0,))
RGB = Preprocess(Color.RGB, Resize.SQUASH, (0.0,) * 3, (1.0,) * 3)


def photo(seed: int = 0, size: int = 16) -> Image.Image:
    """A smooth picture, of which JPEG keeps enough."""
    coarse = np.random.default_rng(seed).integers(0, 256, (4, 4, 3), dtype=np.uint8)
    return Image.fromarray(coarse).resize((size, size), Image.Resampling.BILINEAR)


@pytest.fixture
def classes(tmp_path: Path) -> Path:
    for number, name in enumerate(("dog", "cat")):
        (tmp_path / name).mkdir()
        for i in range(3):
            photo(10 * number + i).save(tmp_path / name / f"{i}.png")
    return tmp_path


# --- folders


def test_class_folders_are_sorted_by_name(classes: Path) -> None:
    found = data.load(classes)
    assert found.classes == ("cat", "dog")
    assert found.labels is not None
    assert found.labels.tolist() == [0, 0, 0, 1, 1, 1]
    assert found.name(0).endswith("cat/0.png'")


def test_class_folders_are_matched_to_labels_by_name(classes: Path) -> None:
    found = data.load(classes, labels=["dog", "cat"])
    assert found.classes == ("dog", "cat")
    assert np.array_equal(np.asarray(found.images[0]), np.asarray(photo(0)))
    assert found.labels is not None
    assert found.labels.tolist() == [0, 0, 0, 1, 1, 1]


def test_classes_that_do_not_match_are_named(classes: Path) -> None:
    with pytest.raises(DataError, match="lacks 'bird' and it has 'dog'"):
        data.load(classes, labels=["bird", "cat"])


def test_a_flat_folder_has_no_labels(tmp_path: Path) -> None:
    photo().save(tmp_path / "b.jpg")
    photo().save(tmp_path / "a.png")
    (tmp_path / "notes.txt").write_text("not an image")
    (tmp_path / ".hidden.png").write_bytes(b"broken")
    found = data.load(tmp_path)
    assert found.labels is None
    assert len(found) == 2
    assert found.name(0).endswith("a.png'")


def test_images_are_known_by_content_too(tmp_path: Path) -> None:
    photo().save(tmp_path / "frame", format="png")
    assert len(data.load(tmp_path)) == 1


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda p: None, "holds no images"),
        (lambda p: (p / "a").mkdir(), r"'a' of .* hold no images"),
        (lambda p: (p / "train" / "a").mkdir(parents=True), "holds no images but folders"),
    ],
)
def test_folders_without_images_are_refused(tmp_path: Path, make: object, message: str) -> None:
    make(tmp_path)  # type: ignore[operator]
    with pytest.raises(DataError, match=message):
        data.load(tmp_path)


def test_images_beside_class_folders_are_refused(classes: Path) -> None:
    photo().save(classes / "loose.png")
    with pytest.raises(DataError, match=r"'loose\.png'"):
        data.load(classes)


@pytest.mark.parametrize("percent", [0, 2, 10, 30, 60, 90])
@pytest.mark.parametrize("suffix", ["png", "jpg", "bmp", "gif", "webp", "tiff"])
def test_a_broken_image_is_named_then_refused_or_skipped(tmp_path: Path, suffix: str, percent: int) -> None:
    photo(1).save(tmp_path / "good.png")
    photo(2).save(tmp_path / f"wrong.{suffix}")
    whole = (tmp_path / f"wrong.{suffix}").read_bytes()
    (tmp_path / f"wrong.{suffix}").write_bytes(whole[: len(whole) * percent // 100])
    found = data.load(tmp_path)
    with pytest.raises(DataError, match=rf"wrong\.{suffix}"):
        data.frames(found, RGB, (16, 16))
    frames = data.frames(found, RGB, (16, 16), on_broken=data.OnBroken.SKIP)
    assert len(frames) == 1
    assert len(frames.skipped) == 1
    assert f"wrong.{suffix}" in frames.skipped[0]


def test_nothing_but_broken_images_is_an_error(tmp_path: Path) -> None:
    (tmp_path / "a.png").write_bytes(b"no")
    with pytest.raises(DataError, match="none of the 1 images"):
        data.frames(data.load(tmp_path), RGB, (8, 8), on_broken=data.OnBroken.SKIP)


def test_a_decompression_bomb_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    photo(size=32).save(tmp_path / "large.png")
    for limit in (1000, 400):  # Pillow only warns up to twice the limit
        monkeypatch.setattr(Image, "MAX_IMAGE_PIXELS", limit)
        with pytest.raises(DataError, match=r"large\.png.*too large"):
            data.frames(data.load(tmp_path), RGB, (8, 8))


def test_files_that_would_start_programs_are_not_opened(tmp_path: Path) -> None:
    (tmp_path / "a.png").write_bytes(b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 9 9\n%%EndComments\n")
    with pytest.raises(DataError, match="not an image"):
        data.frames(data.load(tmp_path), RGB, (8, 8))


def test_one_image_is_a_data_set(tmp_path: Path) -> None:
    photo().save(tmp_path / "a.png")
    assert len(data.load(tmp_path / "a.png")) == 1


# --- MNIST and CIFAR-10


def idx(values: np.ndarray) -> bytes:
    return bytes((0, 0, 8, values.ndim)) + struct.pack(f">{values.ndim}I", *values.shape) + values.tobytes()


@pytest.mark.parametrize("compressed", [False, True])
def test_idx_files_with_their_labels(tmp_path: Path, compressed: bool) -> None:
    images = RNG.integers(0, 256, (6, 5, 4), dtype=np.uint8)
    pack = gzip.compress if compressed else bytes
    end = ".gz" if compressed else ""
    for prefix, count in (("train", 6), ("t10k", 3)):
        (tmp_path / f"{prefix}-images-idx3-ubyte{end}").write_bytes(pack(idx(images[:count])))
        (tmp_path / f"{prefix}-labels-idx1-ubyte{end}").write_bytes(
            pack(idx(np.arange(count, dtype=np.uint8)))
        )
    assert len(data.load(tmp_path)) == 6
    test = data.load(tmp_path, split=data.Split.TEST)
    assert np.array_equal(test.images, images[:3, ..., None])
    assert test.labels is not None
    assert test.labels.tolist() == [0, 1, 2]
    assert len(data.load(tmp_path / f"t10k-images-idx3-ubyte{end}")) == 3
    with pytest.raises(DataError, match="not images"):
        data.load(tmp_path / f"t10k-labels-idx1-ubyte{end}")


def test_idx_files_of_any_shape_are_read_or_refused(tmp_path: Path) -> None:
    sizes = (0, 1, 2, 1 << 31, (1 << 32) - 1)
    for rank in range(1, 5):
        for shape in itertools.product(sizes, repeat=rank):
            count = math.prod(shape)
            if 1 << 16 < count <= 1 << 32:
                continue  # would be read to see that it ends early
            # The third byte of the header is the type, the fourth the rank.
            head = bytes((0, 0, 8, rank)) + struct.pack(f">{rank}I", *shape)
            (tmp_path / "a.idx").write_bytes(head + bytes(min(count, 64)))
            if count and max(shape) <= 2 and rank >= 3 and shape[3:] in ((), (1,)):
                assert data.load(tmp_path / "a.idx").images.shape[:3] == shape[:3]  # type: ignore[union-attr]
                continue
            with pytest.raises(DataError, match=r"a\.idx"):
                data.load(tmp_path / "a.idx")


def test_images_named_like_idx_files_are_images(tmp_path: Path) -> None:
    photo().save(tmp_path / "idx-of-images.png")
    assert len(data.load(tmp_path)) == 1


@pytest.mark.parametrize("compressed", [False, True])
def test_a_cut_idx_file_is_an_error(tmp_path: Path, compressed: bool) -> None:
    raw = idx(np.zeros((3, 4, 4), np.uint8))
    whole = gzip.compress(raw) if compressed else raw
    for cut in range(len(whole)):
        (tmp_path / "x-images").write_bytes(whole[:cut])
        with pytest.raises(DataError):
            data.load(tmp_path / "x-images")
    (tmp_path / "x-images").write_bytes(raw + b"!")
    with pytest.raises(DataError, match="goes on"):
        data.load(tmp_path / "x-images")


def test_cifar_batches(tmp_path: Path) -> None:
    images = RNG.integers(0, 256, (4, 3, 32, 32), dtype=np.uint8)
    labels = np.array([3, 0, 9, 1], np.uint8)
    records = np.concatenate([labels[:, None], images.reshape(4, -1)], axis=1)
    (tmp_path / "data_batch_1.bin").write_bytes(records[:2].tobytes())
    (tmp_path / "data_batch_2.bin").write_bytes(records[2:3].tobytes())
    (tmp_path / "test_batch.bin").write_bytes(records[3:].tobytes())
    train = data.load(tmp_path)
    assert np.array_equal(train.images, images[:3].transpose(0, 2, 3, 1))
    assert train.classes is not None
    assert train.classes[3] == "cat"
    assert len(data.load(tmp_path, split=data.Split.TEST)) == 1
    assert len(data.load(tmp_path / "data_batch_1.bin")) == 2
    (tmp_path / "data_batch_2.bin").write_bytes(records[2:3].tobytes()[:-1])
    with pytest.raises(DataError, match=r"data_batch_2\.bin' has 3072 bytes"):
        data.load(tmp_path)
    records[2, 0] = 10
    (tmp_path / "data_batch_2.bin").write_bytes(records[2:3].tobytes())
    with pytest.raises(DataError, match="label 10"):
        data.load(tmp_path)


@pytest.mark.parametrize("content", [b"", b"hello", bytes(100)])
def test_other_files_are_refused(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "x").write_bytes(content)
    with pytest.raises(DataError, match=r"'.*x' is"):
        data.load(tmp_path / "x")


def test_a_missing_path_is_named(tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"'.*nowhere' does not exist"):
        data.load(tmp_path / "nowhere")


# --- frames


def test_a_limit_takes_images_evenly_and_always_the_same() -> None:
    images = np.arange(10, dtype=np.uint8)[:, None, None, None] * np.ones((1, 4, 4, 1), np.uint8)
    found = data.Dataset(images, np.arange(10), None, "ten")
    frames = data.frames(found, GRAY, (4, 4), limit=4)
    assert frames.pixels[:, 0, 0, 0].tolist() == [0, 2, 5, 7]
    assert frames.labels is not None
    assert frames.labels.tolist() == [0, 2, 5, 7]
    with pytest.raises(UsageError):
        data.frames(found, GRAY, (4, 4), limit=0)


def test_pixels_become_int8_by_the_contracts_table() -> None:
    preprocess = Preprocess(Color.RGB, Resize.SQUASH, (0.1, 0.5, 0.9), (0.2, 0.3, 0.4))
    agreed = Contract(
        input_shape=(1, 2, 2, 3),
        input_scale=0.02,
        input_zero_point=-3,
        output_shape=(1, 2),
        output_scale=1.0,
        output_zero_point=0,
        labels=("a", "b"),
        oracle="",
        preprocess=preprocess,
        table=pixel_table(preprocess, 0.02, -3),
    )
    pixels = RNG.integers(0, 256, (3, 2, 2, 3), dtype=np.uint8)
    real = (pixels / 255 - np.array(preprocess.mean)) / np.array(preprocess.std) / 0.02 - 3
    assert np.abs(data.quantise(agreed, pixels) - np.clip(real, -128, 127)).max() <= 0.5 + 1e-9
    with pytest.raises(UsageError):
        data.quantise(agreed, pixels[..., :1])


def test_labels_beyond_the_outputs_are_refused() -> None:
    found = data.Dataset(np.zeros((2, 4, 4, 1), np.uint8), np.array([0, 7]), None, "two")
    found.check_labels(8)
    with pytest.raises(DataError, match=r"labels 0\.\.7, but the model has 5"):
        found.check_labels(5)


def test_classes_in_another_number_than_the_outputs_are_refused(classes: Path) -> None:
    data.load(classes).check_labels(2)
    with pytest.raises(DataError, match="2 classes, but the model has 10 outputs"):
        data.load(classes).check_labels(10)


def test_folders_cannot_be_matched_to_labels_that_repeat(classes: Path) -> None:
    with pytest.raises(DataError, match="'cat' more than once"):
        data.load(classes, labels=["cat", "dog", "cat"])


# --- random calibration data


def test_random_images_are_refused() -> None:
    for values in (
        RNG.integers(0, 256, (8, 28, 28, 1)),
        RNG.integers(0, 256, (2, 32, 32, 3)),
        np.clip(RNG.normal(128, 50, (4, 32, 32, 3)), 0, 255),
    ):
        found = data.Dataset(values.astype(np.uint8), None, None, "noise")
        with pytest.raises(DataError, match="'noise' are random"):
            data.refuse_random(found)
        data.refuse_random(found, allow_random=True)


def test_real_images_pass() -> None:
    held = digits.load()
    assert not data.looks_random(held.pixels[:32])
    small = held.pixels[:64, ::4, ::4]
    assert not data.looks_random(small)
    flat = np.repeat(RNG.integers(0, 256, (16, 1, 1, 3), dtype=np.uint8), 32, axis=1).repeat(32, axis=2)
    assert not data.looks_random(flat)
    noisy = np.clip(flat + RNG.normal(0, 5, flat.shape), 0, 255).astype(np.uint8)
    assert not data.looks_random(noisy)
    assert not data.looks_random([np.asarray(photo(i)) for i in range(8)])


def test_public_images_pass(public_folder: Path) -> None:
    mnist = data.load(public_folder / "data" / "mnist")
    assert len(mnist) == 60000
    data.refuse_random(mnist)
    strip = Image.open(public_folder / "data" / "cifar10" / "test_000.webp").convert("RGB")
    data.refuse_random(data.Dataset(np.asarray(strip).reshape(-1, 32, 32, 3), None, None, "CIFAR-10"))


def test_the_digits_are_split_without_overlap() -> None:
    found = digits.load()
    parts = np.concatenate([found.train, found.calibration, found.held_out])
    assert found.pixels.shape == (1797, 32, 32, 1)
    assert sorted(parts.tolist()) == list(range(1797))
    assert (len(found.train), len(found.calibration), len(found.held_out)) == (1078, 270, 449)
