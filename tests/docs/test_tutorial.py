"""The tutorial works as it is written, and what it shows is what the commands print."""

import re
from collections.abc import Callable
from pathlib import Path

import documents
import pytest

from edgekit.cli import _app

PATH = documents.ROOT / "docs" / "tutorials" / "first-model.md"


def shape(text: str) -> str:
    """Return a line with what differs between machines and runs replaced."""
    text = re.sub(r"by \S.*$", "by COMPILER", text)
    text = re.sub(r"\b[0-9a-f]{12,64}\b", "DIGEST", text)
    text = re.sub(r"\d[\d,.]*", "#", text)
    return re.sub(r"\s+", " ", re.sub(r"#+( <- peak)?$", "", text)).strip()


def run(arguments: list[str], capsys: pytest.CaptureFixture[str]) -> str:
    if arguments[0] == "monitor" and "--count" not in arguments:
        arguments = [*arguments, "--count", "3"]
    code = _app._run(arguments)
    said = capsys.readouterr()
    assert code == 0, f"edgekit {' '.join(arguments)}: {said.err}"
    return said.out


def test_the_tutorial(
    folder: Path, write_digits: Callable[[Path], None], capsys: pytest.CaptureFixture[str]
) -> None:
    write_digits(folder / "data")
    (project,) = [block for block in documents.blocks(PATH) if block.language == "toml"]
    printed = "build/first/data/calibration.npz: 270 images\nbuild/first/data/test.npz: 449 images\n"
    for line in documents.shown_lines(PATH):
        for arguments in documents.commands(line, "edgekit"):
            printed += run(arguments, capsys)
            if arguments[0] == "init":
                Path("edgekit.toml").write_text(project.text, "utf-8")
    lines = {shape(line) for line in printed.splitlines()}
    for block in documents.blocks(PATH):
        if block.language == "text":
            for line in block.text.splitlines():
                assert shape(line) in lines, f"nothing printed looks like: {line}"
    model = Path("build/host/model/model.c").read_text("utf-8")
    (shown,) = [block for block in documents.blocks(PATH) if block.language == "c"]
    assert shown.text in model
    exact = ("proven: 449 of 449 rows on 'host' equal", "arena 2,240 B", "weights 6,513 B", "130,880 MACs")
    for text in exact:
        assert text in printed
        assert text in PATH.read_text("utf-8")
