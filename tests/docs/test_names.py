"""On the package index `edgekit` is another project: nothing that we write may install it."""

import re

import documents

# What people paste or read: documents, hints in code, comments, templates, scripts.
_FOLDERS = (
    "edgekit",
    "docs",
    "examples",
    "firmware_templates",
    "boards",
    "scripts",
    "benchmarks",
    "tests",
    ".ci",
)
_SUFFIXES = {".py", ".md", ".toml", ".sh", ".j2", ".txt", ".yml", ".yaml", ".c", ".h", ""}
_EXTRA = re.compile(r"(?<![\w/-])edgekit\[[a-z]")
_INSTALLED = re.compile(
    r"\b(pip3?|pipx|uv|uvx)\b[^\n`]*\b(install|add|run|wheel|download)\b[^\n`]*(?<![\w/.+-])edgekit(?!-mcu|[\w/]|\.\w)"
)


def offences(text: str) -> list[str]:
    return [line for line in text.splitlines() if _EXTRA.search(line) or _INSTALLED.search(line)]


def test_nothing_names_the_other_project() -> None:
    paths = [*documents.ROOT.glob("*.*"), documents.ROOT / "Makefile"]
    for folder in _FOLDERS:
        paths += (documents.ROOT / folder).rglob("*")
    read = 0
    for path in paths:
        if (
            path.is_file()
            and path.suffix in _SUFFIXES
            and "__pycache__" not in path.parts
            and str(path) != __file__
        ):
            read += 1
            assert offences(path.read_text("utf-8", "replace")) == [], path
    assert read > 400


def test_what_it_looks_for() -> None:
    for line in (
        'pip install "edgekit[convert]"',
        "pip install --upgrade edgekit",
        "python -m pip install edgekit==1",
        "uv pip install edgekit",
        "upgrade it: pip install --upgrade edgekit.",
        '"edgekit[prove]",',
    ):
        assert offences(line), line
    for line in (
        'pip install "edgekit-mcu[convert]"',
        'pip install -e "/home/me/edgekit[convert]"',
        "pip install git+https://example.org/edgekit",
        "pip uninstall edgekit, then install again",
    ):
        assert not offences(line), line
