"""docs/explanation/architecture.md shows the layers that the code is held to."""

import documents
from unit import test_layers

TEXT = (documents.ROOT / "docs" / "explanation" / "architecture.md").read_text("utf-8")


def test_layers_are_those_of_the_test() -> None:
    section = TEXT[TEXT.index("## Who may import whom") :]
    lines = [line.strip() for line in section.split("\n## ")[0].splitlines() if line.startswith("    ")]
    shown = [set(line.split(", ")) for line in lines]
    assert shown == list(reversed(test_layers.LAYERS))


def test_every_part_of_the_package_has_its_place() -> None:
    section = TEXT[TEXT.index("## Where things live") : TEXT.index("## Who may import whom")]
    for part in set().union(*test_layers.LAYERS):
        assert part in section, part
