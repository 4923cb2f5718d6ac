"""The command that comes next, complete and quoted: with the same board, model and port."""

import shlex
from pathlib import Path

import click

from edgekit import settings
from edgekit.cli import _options
from edgekit.cli._output import Output

ARGUMENTS = "edgekit.arguments"
"""Key of click's `meta`: the words of the command line, as typed."""
CONTRACT = ("labels", "color", "resize", "mean", "std")


def say(output: Output, *words: str | Path) -> None:
    """Print what comes next: the words behind `edgekit`, which are quoted here."""
    output.text(f"next: {command(*words)}")


def command(*words: str | Path) -> str:
    """Return a command of edgekit as a shell reads it."""
    return shlex.join(["edgekit", *map(str, words)])


def board() -> list[str]:
    """Return the words that name the board as the user did."""
    return ["--board", *shlex.split(_options.named_board())]


def repeated(*parameters: str) -> list[str]:
    """Return the options for these parameters that the user gave, as they were typed."""
    context = click.get_current_context()
    typed, _, _ = context.command.make_parser(context).parse_args(list(context.meta[ARGUMENTS]))
    words = []
    for parameter in context.command.params:
        name = parameter.name or ""
        if name in parameters and _options.is_named(name):
            words += [parameter.opts[0], str(typed.get(name, context.params[name]))]
    return words


def monitor(protocol: str) -> str:
    """Return the command that watches the board of this one; DATA and MODEL stand for what nobody named."""
    given = click.get_current_context().params
    words = [*board(), *repeated("port", "model", *CONTRACT)]
    own_camera, found = given.get("camera"), settings.load(Path())
    if protocol != "edgekit":
        words += ["--protocol", protocol]
    elif given.get("model") is None:
        words += ["--model", "MODEL"]
    if protocol != "sscma" and (own_camera or found.get("data.source") is None):
        words += ["--source", "board" if own_camera else "DATA"]
    return command("monitor", *words)
