"""Texts that nobody vouches for: what is too much is refused at once, and nothing else is."""

import pytest

from edgekit.untrusted import parse_toml

LONG = ".".join("a" * 18)
UNENDED = {
    "texts": '"' + '\\"' * 200_000,
    "many texts": '\\"""\n' * 200_000,
    "literals": "'a" * 200_000,
    "words": "a " * 300_000,
    "blanks": "a" + " " * 1_000_000,
    "keys": "a.b.c.d.e\n" * 100_000,
    "signs": '"""' + '"' * 500_000,
}


@pytest.mark.parametrize(
    "text",
    [
        f'x = "{LONG}"',
        f"x = '{LONG}'  # {LONG}",
        f'x = """\n{LONG} \\""" {LONG}"""',
        f"x = '''\n{LONG}'''",
        f'# say "{LONG}\nx = 1',
        f"x = [\"{LONG}\", '{LONG}']",
    ],
)
def test_strings_and_comments_hold_dots(text: str) -> None:
    assert parse_toml(text)["x"]


@pytest.mark.parametrize(
    "text",
    [
        f"{LONG} = 1",
        f"[{LONG}]",
        f'x = """"""\n{LONG} = 1',
        f'x = """a"""""\n{LONG} = 1',
        f"x = {{ {LONG} = 1 }}",
        '"#" . \'"\' . ' + LONG + " = 1",
        f'x = 1 # """\n{LONG} = 1',
        f'x = "\\""\n{LONG} = 1',
    ],
)
def test_long_keys_are_refused(text: str) -> None:
    with pytest.raises(ValueError, match="a key of more than 16 parts"):
        parse_toml(text)


@pytest.mark.timeout(60)
@pytest.mark.parametrize("name", UNENDED)
def test_no_text_takes_long(name: str) -> None:
    with pytest.raises(ValueError, match=r"."):
        parse_toml(UNENDED[name])
