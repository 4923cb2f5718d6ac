"""Reads the project's documents: their links, code blocks and the commands that they show."""

import re
import shlex
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).parents[1]
DOCUMENTS = sorted(
    [
        *ROOT.glob("*.md"),
        *ROOT.glob("docs/**/*.md"),
        *ROOT.glob("examples/*/*.md"),
        *ROOT.glob("scripts/*.md"),
    ]
)
_FENCE = re.compile(r"^```(\w*)\n(.*?)^```$", re.MULTILINE | re.DOTALL)
_INLINE = re.compile(r"`([^`\n]+)`")
_ENDS = frozenset({"|", ">", "&&", ";", "<"})


@dataclass(frozen=True)
class Block:
    """A fenced block of code."""

    language: str
    text: str
    line: int


def name(path: Path) -> str:
    """Return a document's path for test ids."""
    return str(path.relative_to(ROOT))


def blocks(path: Path) -> list[Block]:
    """Return the fenced blocks of a document, in order."""
    text = path.read_text("utf-8")
    return [Block(m[1], m[2], text[: m.start()].count("\n") + 2) for m in _FENCE.finditer(text)]


def prose(path: Path) -> str:
    """Return a document without its fenced blocks."""
    return _FENCE.sub("", path.read_text("utf-8"))


def inline_code(path: Path) -> list[str]:
    """Return what stands between single backquotes outside of code blocks."""
    return _INLINE.findall(
        "\n".join(line for line in prose(path).splitlines() if not line.startswith("    "))
    )


def shown_lines(path: Path) -> Iterator[str]:
    """Yield the lines of indented blocks, and of fenced ones of shell commands, joined at backslashes."""
    lines = [line.strip() for line in prose(path).splitlines() if line.startswith("    ")]
    for block in blocks(path):
        if block.language in ("sh", "bash", "console"):
            lines += [line.strip() for line in block.text.splitlines()]
    joined = "\n".join(lines).replace("\\\n", " ")
    yield from joined.splitlines()


def commands(line: str, program: str) -> Iterator[list[str]]:
    """Yield the arguments of each call of a program in a shell line."""
    if not re.match(rf"(\w+=\S* )*{program} |.*(&&|;) *{program} ", line + " "):
        return
    words = shlex.split(line.removeprefix("$ "), comments=True)
    calls: list[list[str]] = [[]]
    for word in words:
        if word in _ENDS:
            calls.append([])
        else:
            calls[-1].append(word)
    for call in calls:
        while call and re.fullmatch(r"\w+=.*", call[0]):
            call.pop(0)
        if call and call[0] == program:
            yield call[1:]
