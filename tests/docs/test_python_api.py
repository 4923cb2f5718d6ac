"""The examples of docs/reference/python-api.md run, and its tables name what exists."""

import inspect
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import documents

import edgekit
from edgekit import errors

PATH = documents.ROOT / "docs" / "reference" / "python-api.md"
TEXT = PATH.read_text("utf-8")


def test_examples_run_in_order(folder: Path, write_digits: Callable[[Path], None]) -> None:
    write_digits(folder)
    names: dict[str, Any] = {}
    examples = [block for block in documents.blocks(PATH) if block.language == "python"]
    assert len(examples) > 8
    for block in examples:
        padding = "\n" * (block.line - 1)
        exec(compile(padding + block.text, str(PATH), "exec"), names)
    assert names["certificate"].frames == 20
    assert (folder / "firmware" / "model" / "model.c").is_file()


def test_every_public_name_is_on_the_page() -> None:
    for name in edgekit.__all__:
        if not name.startswith("__"):
            assert f"`{name}`" in TEXT, name


def test_quantize_is_described_as_it_is() -> None:
    parameters = list(inspect.signature(edgekit.quantize).parameters)
    start = TEXT.index("| argument | meaning |")
    table = TEXT[start : TEXT.index("\n\n", start)]
    listed = [name for row in table.splitlines()[2:] for name in re.findall(r"`(\w+)`", row.split("|")[1])]
    assert listed == parameters
    shown = TEXT[TEXT.index("`quantize(model,") :]
    shown = shown[: shown.index("`", 1)]
    assert re.findall(r"(\w+)(?=[,=)])", shown)[: len(parameters)][:3] == parameters[:3]
    for name in parameters[3:]:
        assert f"{name}=" in shown


def test_errors_are_those_of_the_code() -> None:
    rows = dict(re.findall(r"^\| `(\w+Error)` \| `(\w+)` \| `\w+` \|$", TEXT, re.MULTILINE))
    classes = {
        name: item.__base__.__name__
        for name, item in vars(errors).items()
        if isinstance(item, type) and issubclass(item, errors.EdgekitError) and item.__base__ is not None
    }
    classes.pop("EdgekitError")
    assert rows == classes


def test_what_the_page_says_is_returned_is_returned() -> None:
    said = re.findall(r"`(\w+)\([^`]*\) -> ([^`]+)`", TEXT)
    assert len(said) >= 7
    for name, kind in said:
        if kind[0].isupper():  # others are arrays, described
            assert inspect.signature(getattr(edgekit, name)).return_annotation.__name__ == kind
