from pathlib import Path

import pytest

from edgekit import settings
from edgekit.errors import ProjectError


def write(folder: Path, text: str) -> Path:
    (folder / "edgekit.toml").write_text(text, "utf-8")
    return folder


def test_a_folder_without_a_file_has_empty_settings(tmp_path: Path) -> None:
    found = settings.load(tmp_path)
    assert found.path is None
    assert found.get("model.source") is None


def test_values_are_read(tmp_path: Path) -> None:
    text = (
        'schema = 1\n[model]\nlabels = ["a", "b"]\n[input]\nmean = [0.5, 1]\nsize = 32\n'
        '[board]\nid = "host"\n'
    )
    found = settings.load(write(tmp_path, text))
    assert found.get("model.labels") == ("a", "b")
    assert found.get("input.mean") == (0.5, 1)
    assert found.get("input.size") == 32
    assert found.get("board.id") == "host"


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("schema = 1\n[modell]\n", ("modell", "model")),
        ('schema = 1\n[model]\nsuorce = "x"\n', ("model.suorce", "model.source")),
        ("schema = 1\n[model]\nsource = 3\n", ("model.source", "text")),
        ("schema = 1\n[input]\nmean = [true]\n", ("input.mean", "numbers")),
        ("schema = 1\n[accuracy]\nmax_drop = true\n", ("accuracy.max_drop",)),
        ("schema = 2\n", ("schema 2",)),
        ("", ("does not say its schema", "schema = 1")),
        ("schema = \n", ("not valid TOML",)),
        ("schema = 1\nmodel = 3\n", ("model",)),
    ],
)
def test_what_is_wrong_is_named(tmp_path: Path, text: str, words: tuple[str, ...]) -> None:
    with pytest.raises(ProjectError) as caught:
        settings.load(write(tmp_path, text))
    said = f"{caught.value.message} {caught.value.hint}"
    assert all(word in said for word in (*words, "edgekit.toml"))


def test_a_file_that_is_not_text_is_named(tmp_path: Path) -> None:
    (tmp_path / "edgekit.toml").write_bytes(b"\xff\xfe\x00")
    with pytest.raises(ProjectError, match="not UTF-8"):
        settings.load(tmp_path)
