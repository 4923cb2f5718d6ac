"""docs/reference/settings.md lists the keys of edgekit.toml and the environment variables that exist."""

import re
import tomllib

import documents

from edgekit import settings
from edgekit.cli import _app, init

PAGE = (documents.ROOT / "docs" / "reference" / "settings.md").read_text("utf-8")
KEYS = {f"{section}.{key}": types for section, keys in settings._KEYS.items() for key, types in keys.items()}
_NAMES = {str: "text", list: "list", int: "number", float: "number"}


def rows() -> dict[str, tuple[str, str]]:
    """Return type and users of each key in the table."""
    found = {}
    for line in PAGE.splitlines():
        cells = [cell.strip() for cell in line.strip("|").split("|")]
        for key in re.findall(r"`([\w.]+)`", cells[0]):
            if len(cells) == 4:
                found[key] = (cells[1], cells[2])
    return found


def test_keys_are_those_of_the_code() -> None:
    assert set(rows()) == set(KEYS) | {"schema"}


def test_types_are_those_of_the_code() -> None:
    for key, types in KEYS.items():
        if key == "input.size":
            continue
        names = list(dict.fromkeys(_NAMES[item] for item in types))
        assert rows()[key][0] == " or ".join(names), key


def test_every_key_but_the_folder_is_some_options_default() -> None:
    assert set(_app._FROM_SETTINGS.values()) == set(KEYS) - {"build.out"}


def test_keys_are_used_by_the_commands_that_the_page_names() -> None:
    import click

    context = click.Context(_app.group)
    for option, key in _app._FROM_SETTINGS.items():
        users = set()
        for name in _app.group.list_commands(context):
            command = _app.group.get_command(context, name)
            assert command is not None
            if name not in ("init", "demo", "doctor") and option in {p.name for p in command.params}:
                users.add(name)
        named = set(rows()[key][1].split(", "))
        assert users <= named, f"{key} is used by {users}"


def test_init_writes_all_keys() -> None:
    text = init._TEMPLATE.format(board="host")
    uncommented = re.sub(r"^# (?=\w+ = )", "", text, flags=re.MULTILINE)
    root = tomllib.loads(uncommented)
    assert root.pop("schema") == settings.SCHEMA
    written = {f"{section}.{key}" for section, table in root.items() for key in table}
    assert written == set(KEYS)


def test_environment_variables_are_those_of_the_code() -> None:
    code = "".join(path.read_text("utf-8") for path in (documents.ROOT / "edgekit").rglob("*.py"))
    used = set(re.findall(r"\bEDGEKIT_[A-Z]+\b", code)) - {"EDGEKIT_CC"}
    table = PAGE[PAGE.index("## Environment variables") :]
    assert set(re.findall(r"`(EDGEKIT_[A-Z]+)`", table)) == used
