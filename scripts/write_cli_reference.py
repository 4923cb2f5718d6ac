"""Write docs/reference/cli.md from the commands themselves; a test checks that it is current."""

import sys
from pathlib import Path

import click

from edgekit import errors
from edgekit.cli._app import group

TARGET = Path(__file__).parents[1] / "docs" / "reference" / "cli.md"

_WIDTH = 100

_INTRODUCTION = """\
# Commands

Made by `python scripts/write_cli_reference.py` from the commands themselves.

Results go to stdout, talk to stderr. With `--json` a command prints one JSON object,
`{"schema": 1, "ok": true, "error": null, "warnings": [], ...}`, and `monitor` one object a line. An error is
`{"schema": 1, "type": "error", "ok": false, "error": {"id", "exit", "message", "hint"}, "warnings": []}`.
Bars and live views appear on a terminal only; `NO_COLOR` is honoured; nothing ever prompts.
A stream that is closed counts as `/dev/null`.

Options take their value from: the flag, else the `EDGEKIT_*` variable that the option names, else
[`edgekit.toml`](settings.md), else the board file, else the default.

## How long a wait lasts

`--timeout` is how long a device may bring nothing of what is awaited. Whatever else it sends does not count,
and stands in the error.

| awaited | what begins the time anew |
|---|---|
| that a device is opened, in any protocol | nothing |
| answers to frames | an answer, or an acknowledgement of bytes that were not acknowledged before |
| what the board's own camera sees (`--source board`) | the next piece of a picture, the next prediction |
| a reply of `mlperf_tiny` or `sscma` firmware | nothing: each has the time from its command on |
| a result of `sscma` firmware | a result; without one the board is told to go on, once |
| answers of an emulator through files | an answer |

A device that restarts is greeted, gets everything again and has the time anew, 5 times at most without an
answer in between. What has arrived when the time is up is read first, which takes half a second at most.
Beyond the time, opening an address on the network may take 5 s, and telling a board with Seeed's firmware to
stop 2 s. Flashing has limits of its own: about a minute without progress.

## Exit codes

| code | id | when |
|---|---|---|
| 0 | | all went well |
"""


def _error_rows() -> str:
    classes = [
        item
        for item in vars(errors).values()
        if isinstance(item, type) and issubclass(item, errors.EdgekitError)
    ]
    rows = {
        (item.exit_code, item.id): (item.__doc__ or "").splitlines()[0]
        for item in classes
        if item is not errors.EdgekitError
    }
    rows[1, "internal"] = "A bug in edgekit; -v shows where."
    rows[130, "interrupted"] = "Interrupted with Ctrl-C."
    return "".join(f"| {code} | `{name}` | {text} |\n" for (code, name), text in sorted(rows.items()))


def render() -> str:
    """Return the whole page."""
    parts = [_INTRODUCTION, _error_rows()]
    context = click.Context(group, info_name="edgekit", **group.context_settings)
    for name in group.list_commands(context):
        command = group.get_command(context, name)
        assert command is not None
        inner = click.Context(command, info_name=name, parent=context, terminal_width=_WIDTH)
        parts.append(f"\n## edgekit {name}\n\n```text\n{command.get_help(inner)}\n```\n")
    return "".join(parts)


if __name__ == "__main__":
    if "--check" in sys.argv:
        sys.exit(TARGET.read_text("utf-8") != render())
    TARGET.write_text(render(), "utf-8")
