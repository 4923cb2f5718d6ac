"""docs/reference/cli.md is what scripts/write_cli_reference.py writes."""

import subprocess
import sys

import documents

from edgekit import errors


def test_the_page_is_current() -> None:
    # In a process of its own: click keeps the help option of whichever context asked for it first.
    script = documents.ROOT / "scripts" / "write_cli_reference.py"
    done = subprocess.run([sys.executable, script, "--check"], capture_output=True, text=True, check=False)
    assert done.returncode == 0, f"run `python scripts/write_cli_reference.py` {done.stderr}"


def test_every_error_has_a_row_and_codes_are_one_per_stage() -> None:
    text = (documents.ROOT / "docs" / "reference" / "cli.md").read_text("utf-8")
    classes = [item for item in vars(errors).values() if isinstance(item, type)]
    for item in classes:
        if issubclass(item, errors.EdgekitError) and item is not errors.EdgekitError:
            assert f"| {item.exit_code} | `{item.id}` |" in text
