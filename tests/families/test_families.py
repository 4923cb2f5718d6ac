"""Families through the whole line: export, int8, C on the host board, every row that of the oracle."""

import re
from pathlib import Path

import pytest
from families import catalogue, line

PAGE = line.ROOT / "docs" / "reference" / "models.md"
FAMILIES = catalogue.families()
# Small and quick, and together of every operator that any family has; benchmarks/models.py runs all of them.
CHOSEN = (
    "LeNet-5",
    "AlexNet",
    "SqueezeNet 1.1",
    "ShuffleNet V2",
    "ResNet-18-vd",
    "MobileOne",
    "MobileNet V3 small",
    "FasterNet",
    "Xception",
    "DarkNet-53",
    "ConvNeXt",
    "CLIP image tower",
)
FRAMES = 8


def page_operators() -> set[str]:
    """The operators that the page says families have."""
    return set(re.findall(r"^\| `([A-Z0-9_]+)` \|", PAGE.read_text(), re.MULTILINE))


@pytest.fixture(scope="module")
def kinds() -> set[str]:
    """Operators of the families that this module has run."""
    return set()


@pytest.mark.parametrize("name", CHOSEN)
def test_rows_are_those_of_the_oracle(name: str, tmp_path: Path, kinds: set[str]) -> None:
    family = FAMILIES[name]
    made = line.convert(family)
    kinds.update(made.operators)
    target = tmp_path / "model.tflite"
    target.write_bytes(made.data)
    # Rows that are all the same would say nothing.
    assert line.run(target, line.frames(family, FRAMES)) == line.Rows(FRAMES, FRAMES, FRAMES)


def test_together_they_have_every_operator_that_families_have(
    kinds: set[str], request: pytest.FixtureRequest
) -> None:
    if sum("test_rows" in item.name for item in request.session.items) < len(CHOSEN):
        pytest.skip("only some families were asked for")
    assert page_operators() == kinds


def test_the_page_is_made_of_these_sources() -> None:
    """Else run `python benchmarks/models.py`."""
    assert f"<!-- sources {line.digest(line.SOURCES)} -->" in PAGE.read_text()


def test_the_page_has_a_row_or_a_reason_for_every_family() -> None:
    text = PAGE.read_text()
    for name in FAMILIES:
        assert f"\n| {name} | " in text or f"\n- {name}: " in text, name
