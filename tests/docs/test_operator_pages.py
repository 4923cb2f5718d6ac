"""What the documents say of operators is what edgekit/ops and the kernel tests do."""

import re

import documents
from kernels import cases

from edgekit import ops
from edgekit.ops import _checks, _pool, mean, softmax

OPERATORS = (documents.ROOT / "docs" / "reference" / "operators.md").read_text("utf-8")
ROUNDING = (documents.ROOT / "docs" / "explanation" / "bit-exactness.md").read_text("utf-8")


def test_every_operator_is_listed() -> None:
    rows = re.findall(r"^\| \[`(\w+)`\]", OPERATORS, re.MULTILINE)
    assert tuple(rows) == ops.supported()


def test_limits_are_those_of_the_code() -> None:
    for limit in (
        _checks.MAX_ELEMENTS,
        _checks.MAX_OPTION,
        _pool._MAX_PIXELS,
        mean._MAX_COUNT,
        softmax._MAX_DEPTH,
    ):
        assert f"{limit:,}" in OPERATORS


def test_replacements_are_those_of_the_code() -> None:
    rows = dict(re.findall(r"^\| ([A-Z_]+) \| (.*) \|$", OPERATORS, re.MULTILINE))
    assert rows == ops._REPLACEMENTS


def test_counts_of_compared_models_are_those_of_the_tests() -> None:
    for kind, (count, _) in cases.CASES.items():
        row = re.search(rf"^\| {kind} \|.*\| (\d+) \|$", ROUNDING, re.MULTILINE)
        assert row is not None, kind
        assert int(row[1]) == count, kind


def test_rounding_is_what_the_modules_say() -> None:
    """Each module's docstring begins its statement with "Rounding: once", "twice", "none" or "one"."""
    for kind in ops.supported():
        source = (documents.ROOT / "edgekit" / "ops" / f"{kind.lower()}.py").read_text("utf-8")
        said = re.search(r"Rounding: (\w+)", source)
        assert said is not None, kind
        row = re.search(rf"^\| \[`{kind}`\].*\| (\w+)[^|]*\|$", OPERATORS, re.MULTILINE)
        assert row is not None, kind
        assert row[1] == said[1], kind
