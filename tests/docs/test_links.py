"""Every link of the documents leads somewhere."""

import re
from pathlib import Path

import documents
import pytest

_LINK = re.compile(r"\]\(([^)\s]+)\)")
_HEADING = re.compile(r"^#+ (.*)$", re.MULTILINE)


def anchors(path: Path) -> set[str]:
    """Return the anchors of a document's headings, as GitHub makes them."""
    found = set()
    for heading in _HEADING.findall(documents.prose(path)):
        text = re.sub(r"[^\w\- ]", "", heading.lower())
        found.add(text.strip().replace(" ", "-"))
    return found


@pytest.mark.parametrize("path", documents.DOCUMENTS, ids=documents.name)
def test_links_resolve(path: Path) -> None:
    for link in _LINK.findall(documents.prose(path)):
        if re.match(r"[a-z]+:", link):
            continue
        where, _, anchor = link.partition("#")
        target = (path.parent / where).resolve() if where else path
        assert target.exists(), f"{documents.name(path)}: {link}"
        if anchor:
            assert anchor in anchors(target), f"{documents.name(path)}: {link}"


def test_the_index_has_every_document() -> None:
    text = (documents.ROOT / "docs" / "README.md").read_text("utf-8")
    for path in (documents.ROOT / "docs").glob("*/*.md"):
        assert f"({path.relative_to(documents.ROOT / 'docs')})" in text


@pytest.mark.parametrize("path", documents.DOCUMENTS, ids=documents.name)
def test_nothing_is_left_to_fill_in(path: Path) -> None:
    assert not re.search(r"@@|\bTODO\b|\bTBD\b|\bFIXME\b", path.read_text("utf-8"))


def test_the_index_has_every_page() -> None:
    index = documents.ROOT / "docs" / "README.md"
    linked = {
        (index.parent / link.partition("#")[0]).resolve() for link in _LINK.findall(index.read_text("utf-8"))
    }
    pages = {path.resolve() for path in index.parent.rglob("*.md")} - {index.resolve()}
    assert {str(path) for path in pages - linked} == set()


_PATH = re.compile(
    r"(?:boards|benchmarks|docs|edgekit|examples|firmware_templates|scripts|tests)/[\w./{},*-]*|[\w-]+\.md"
)


def alternatives(text: str) -> list[str]:
    """Expand {a,b} as a shell does."""
    match = re.search(r"\{([^}]*)\}", text)
    if match is None:
        return [text]
    return [
        done
        for option in match[1].split(",")
        for done in alternatives(text[: match.start()] + option + text[match.end() :])
    ]


@pytest.mark.parametrize("path", documents.DOCUMENTS, ids=documents.name)
def test_files_that_are_named_exist(path: Path) -> None:
    for code in documents.inline_code(path):
        if not _PATH.fullmatch(code):
            continue
        for name in alternatives(code):
            found = any(documents.ROOT.glob(name)) or (path.parent / name).exists()
            assert found, f"{documents.name(path)} names '{name}', which does not exist"
