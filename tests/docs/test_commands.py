"""Commands that the documents show exist, with the options that are shown."""

import re
from pathlib import Path

import click
import documents
import pytest

from edgekit.cli._app import group

_ROOT = click.Context(group, info_name="edgekit")


def check(arguments: list[str]) -> None:
    """Fail unless there is such a command, with these options and no more arguments than it takes."""
    if not arguments or arguments[0] in ("COMMAND", "--help", "--version"):
        return
    command = group.get_command(_ROOT, arguments[0])
    assert command is not None, f"there is no command '{arguments[0]}'"
    context = click.Context(command, info_name=arguments[0], parent=_ROOT)
    try:
        _, rest, _ = command.make_parser(context).parse_args(arguments[1:])
    except click.UsageError as error:
        pytest.fail(f"edgekit {' '.join(arguments)}: {error.format_message()}")
    assert not rest, f"edgekit {' '.join(arguments)}: too many arguments"


@pytest.mark.parametrize("path", documents.DOCUMENTS, ids=documents.name)
def test_shown_commands_exist(path: Path) -> None:
    for line in documents.shown_lines(path):
        for arguments in documents.commands(line, "edgekit"):
            check(arguments)


@pytest.mark.parametrize("path", documents.DOCUMENTS, ids=documents.name)
def test_commands_in_the_text_exist(path: Path) -> None:
    for code in documents.inline_code(path):
        for arguments in documents.commands(code, "edgekit"):
            check([word for word in arguments if word != "..."])


def test_the_check_finds_what_is_wrong() -> None:
    for wrong in (["quantise"], ["monitor", "--sorce", "x"], ["build", "a", "b"]):
        with pytest.raises((AssertionError, pytest.fail.Exception)):
            check(wrong)


def test_many_commands_are_shown() -> None:
    shown = [
        arguments[0]
        for path in documents.DOCUMENTS
        for line in documents.shown_lines(path)
        for arguments in documents.commands(line, "edgekit")
        if arguments
    ]
    assert len(shown) > 20
    assert {"init", "quantize", "flash", "prove", "monitor"} <= set(shown)


@pytest.mark.parametrize("path", documents.DOCUMENTS, ids=documents.name)
def test_scripts_and_make_targets_exist(path: Path) -> None:
    targets = set(re.findall(r"^(\w+):", (documents.ROOT / "Makefile").read_text("utf-8"), re.MULTILINE))
    for line in [*documents.shown_lines(path), *documents.inline_code(path)]:
        for arguments in documents.commands(line, "make"):
            assert {word for word in arguments if "=" not in word} <= targets, line
        for arguments in documents.commands(line, "python"):
            script = arguments[0]
            if script.endswith(".py") and "NAME" not in script:
                places = (documents.ROOT / script, path.parent / script)
                assert any(place.is_file() for place in places), line
