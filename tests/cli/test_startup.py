"""The command line starts fast because it loads nothing that `--help` does not need."""

import os
import subprocess
import sys

import pytest

HEAVY = ("numpy", "tensorflow", "torch", "onnx", "jinja2", "serial", "rich", "PIL", "ai_edge_litert", "cobs")
COMMANDS = (
    "boards",
    "build",
    "classify",
    "demo",
    "doctor",
    "flash",
    "generate",
    "init",
    "inspect",
    "monitor",
    "prove",
    "quantize",
)


def run(*arguments: str) -> subprocess.CompletedProcess[str]:
    code = (
        "import sys\n"
        "from edgekit.cli import main\n"
        "try:\n    main(sys.argv[1:])\n"
        f"finally:\n    print([m for m in {HEAVY!r} if m in sys.modules], file=sys.stderr)\n"
    )
    return subprocess.run(
        [sys.executable, "-c", code, *arguments],
        capture_output=True,
        text=True,
        check=False,
        env=os.environ | {"COLUMNS": "120"},
    )


def test_help_lists_every_command_and_loads_nothing_heavy() -> None:
    done = run("--help")
    assert done.returncode == 0
    assert done.stderr.strip() == "[]"
    for name in COMMANDS:
        assert f"\n  {name}" in done.stdout


@pytest.mark.parametrize("name", COMMANDS)
def test_every_command_has_help_with_an_example(name: str) -> None:
    done = run(name, "--help")
    assert done.returncode == 0
    assert "Example" in done.stdout
    assert "--json" in done.stdout
    assert done.stderr.strip() == "[]"


def test_version() -> None:
    assert run("--version").stdout.startswith("edgekit, version ")


def test_a_mistyped_command_is_a_usage_error_that_suggests_the_right_one() -> None:
    done = run("quantise")
    assert done.returncode == 2
    assert "quantize" in done.stderr


def test_no_command_shows_help_and_fails() -> None:
    done = run()
    assert done.returncode == 2
    assert "Usage" in done.stderr
