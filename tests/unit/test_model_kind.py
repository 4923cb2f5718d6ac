"""A model's kind is found by content, and finding it runs nothing."""

import json
import pickle
import zipfile
from pathlib import Path
from typing import Any

import pytest

from edgekit import data
from edgekit.convert import model_kind
from edgekit.convert.model_kind import ModelKind, detect
from edgekit.errors import DataError, ModelError


class Evil:
    """Unpickling this makes a file."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def __reduce__(self) -> Any:
        return (Path.touch, (self.path,))


def torch_zip(path: Path, content: object, protocol: int = 2) -> Path:
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("model/data.pkl", pickle.dumps(content, protocol))
        archive.writestr("model/version", "3")
    return path


@pytest.mark.parametrize("protocol", [0, 1, 2, 4])
def test_foreign_objects_are_named_and_not_made(tmp_path: Path, protocol: int) -> None:
    found = detect(torch_zip(tmp_path / "a.pt", {"w": Evil(tmp_path / "made")}, protocol))
    assert found.kind is ModelKind.PICKLED
    assert "touch" in found.danger or "getattr" in found.danger
    assert not (tmp_path / "made").exists()


def test_plain_containers_are_a_state_dict(tmp_path: Path) -> None:
    assert detect(torch_zip(tmp_path / "a.onnx", {"epoch": 3, "state_dict": {}})).kind is ModelKind.STATE_DICT


def test_safetensors(tmp_path: Path) -> None:
    header = json.dumps({"w": {"dtype": "F32", "shape": [1], "data_offsets": [0, 4]}}).encode()
    (tmp_path / "a").write_bytes(len(header).to_bytes(8, "little") + header + bytes(4))
    assert detect(tmp_path / "a").kind is ModelKind.SAFETENSORS
    for inside in (b'"a":' * 2_000_000, b'"a":' + b"[" * 100_000):
        (tmp_path / "a").write_bytes((len(inside) + 1).to_bytes(8, "little") + b"{" + inside)
        with pytest.raises(ModelError, match=r"header of 8,000,001 bytes|no model that edgekit knows"):
            detect(tmp_path / "a")


def test_no_more_of_a_pickle_is_read_than_the_limit(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "legacy.pt"
    parts = [pickle.dumps(part, 2) for part in (1001, {"little": True}, {"w": "x" * 5000}, ["0"])]
    path.write_bytes(model_kind._LEGACY_TORCH + b"." + b"".join(parts) + bytes(10_000))
    assert detect(path).kind is ModelKind.STATE_DICT
    monkeypatch.setattr(model_kind, "_MAX_PICKLE", 4096)
    with pytest.raises(ModelError, match="pickles of more than 4,096 bytes, which are not read"):
        detect(path)


@pytest.mark.parametrize("code", ["return torch.relu(x)", 'torch.save(x, "/tmp/x")', "# nothing at all", ""])
@pytest.mark.parametrize("folder", ["net/", ""])
def test_all_torchscript_needs_trust_whatever_its_code(tmp_path: Path, code: str, folder: str) -> None:
    with zipfile.ZipFile(tmp_path / "a", "w") as archive:
        archive.writestr(f"{folder}constants.pkl", b"")
        archive.writestr(f"{folder}data.pkl", pickle.dumps({}, 2))
        if code:
            archive.writestr(f"{folder}code/__torch__.py", code)
    found = detect(tmp_path / "a")
    assert found.kind is ModelKind.TORCHSCRIPT
    assert "is a program" in found.danger


@pytest.mark.parametrize("member", ["net/archive_format", "serialized_exported_program.json"])
def test_torch_export_archives_need_trust(tmp_path: Path, member: str) -> None:
    with zipfile.ZipFile(tmp_path / "a", "w") as archive:
        archive.writestr(member, "pt2")
    found = detect(tmp_path / "a")
    assert found.kind is ModelKind.EXPORTED
    assert found.danger


def test_a_name_that_is_not_text_is_damage(tmp_path: Path) -> None:
    with zipfile.ZipFile(tmp_path / "a", "w") as archive:
        archive.writestr("nët/data.pkl", b"")
    damaged = (tmp_path / "a").read_bytes().replace("ë".encode(), b"\xff\xff")
    (tmp_path / "a").write_bytes(damaged)
    with pytest.raises(ModelError, match="damaged archive"):
        detect(tmp_path / "a")


def keras(path: Path) -> None:
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("config.json", "{}")
        archive.writestr("model.weights.h5", "")


def other_zip(path: Path) -> None:
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("readme.txt", "hello")


@pytest.mark.parametrize(
    ("write", "message"),
    [
        (lambda p: p.write_bytes(b""), "is empty"),
        (lambda p: p.write_bytes(b"\x18\0\0\0TFL3" + bytes(90)), r"is a \.tflite already"),
        (lambda p: p.write_bytes(b"\x89HDF\r\n\x1a\n"), "HDF5"),
        (lambda p: p.write_bytes(pickle.dumps({"a": 1})), "not one that torch.save wrote"),
        (lambda p: p.write_bytes(b"\x89PNG\r\n\x1a\n" + bytes(90)), "no model that edgekit knows"),
        (lambda p: p.write_bytes(b"hello, world"), "no model that edgekit knows"),
        (lambda p: p.write_bytes(b"\x08" * 100), "no ONNX model|no model that edgekit knows"),
        (lambda p: p.write_bytes(b"PK\x03\x04 and then nothing"), "damaged archive"),
        (keras, "Keras"),
        (other_zip, "zip archive without a model"),
        (lambda p: p.mkdir(), "is a folder"),
        (lambda p: None, "cannot read the model"),
    ],
)
def test_what_is_no_model_is_named(tmp_path: Path, write: Any, message: str) -> None:
    write(tmp_path / "x")
    with pytest.raises(ModelError, match=message) as caught:
        detect(tmp_path / "x")
    assert caught.value.hint


def test_a_cut_archive_is_an_error_at_every_length(tmp_path: Path) -> None:
    whole = torch_zip(tmp_path / "a", {"w": 1}).read_bytes()
    for cut in range(len(whole)):
        (tmp_path / "b").write_bytes(whole[:cut])
        with pytest.raises(ModelError):
            detect(tmp_path / "b")


@pytest.mark.parametrize(
    ("content", "what", "advice"),
    [
        (
            "version https://git-lfs.github.com/spec/v1\noid sha256:ab\nsize 9\n",
            "Git LFS pointer",
            "git lfs pull",
        ),
        ("<!DOCTYPE html><html>", "web page", "the file itself"),
        ("\n<html lang=en>", "web page", "the file itself"),
    ],
)
def test_what_was_got_instead_of_a_file_is_named(
    tmp_path: Path, content: str, what: str, advice: str
) -> None:
    path = tmp_path / "m.onnx"
    path.write_text(content)
    for read, kind in ((detect, ModelError), (data.load, DataError)):
        with pytest.raises(kind, match=what) as caught:
            read(path)
        assert advice in caught.value.hint
