"""docs/reference/cli.md is what scripts/write_cli_reference.py writes."""

import importlib.util
from types import ModuleType

import documents

from edgekit import errors


def script() -> ModuleType:
    path = documents.ROOT / "scripts" / "write_cli_reference.py"
    spec = importlib.util.spec_from_file_location("write_cli_reference", path)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_the_page_is_current() -> None:
    text = (documents.ROOT / "docs" / "reference" / "cli.md").read_text("utf-8")
    assert text == script().render(), "run `python scripts/write_cli_reference.py`"


def test_every_error_has_a_row_and_codes_are_one_per_stage() -> None:
    text = (documents.ROOT / "docs" / "reference" / "cli.md").read_text("utf-8")
    classes = [item for item in vars(errors).values() if isinstance(item, type)]
    for item in classes:
        if issubclass(item, errors.EdgekitError) and item is not errors.EdgekitError:
            assert f"| {item.exit_code} | `{item.id}` |" in text
