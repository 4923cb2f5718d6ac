"""C text: literals that the compiler reads back, and comments that nothing can leave."""

import re

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from edgekit.codegen import c_source
from edgekit.errors import UsageError


@given(st.text())
def test_nothing_leaves_a_comment(text: str) -> None:
    made = c_source.comment(text)
    assert made.startswith("/* ")
    assert made.endswith(" */")
    inner = made[3:-3]
    assert inner.isascii()
    assert inner.isprintable() or not inner
    assert not re.search(r"[*\\?]|//", inner)
    assert len(inner) <= 80


@pytest.mark.parametrize(
    "text", ["*/ int x; /*", "a\\\nb", "??/\n", "// x", "\x00\x1b[2J", "ümläut", "a\r\nb"]
)
def test_hostile_comments(text: str) -> None:
    made = c_source.comment(text)
    assert made.count("*/") == 1
    assert made.count("/*") == 1
    assert "\n" not in made


@pytest.mark.parametrize("name", ["ek_model", "A", "x" * 63])
def test_identifiers(name: str) -> None:
    assert c_source.identifier(name) == name


@pytest.mark.parametrize("name", ["", "1a", "_x", "a-b", "a b", "int", "MAIN", "ä", "x" * 64, "a\n", "a;b"])
def test_not_identifiers(name: str) -> None:
    with pytest.raises(UsageError):
        c_source.identifier(name)


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (0, "0"),
        (-1, "-1"),
        (2**31 - 1, "2147483647"),
        (-(2**31), "INT32_MIN"),
        (2**31, "2147483648u"),
        (2**32 - 1, "4294967295u"),
    ],
)
def test_literals(value: int, text: str) -> None:
    assert c_source.literal(value) == text


@pytest.mark.parametrize("value", [2**32, -(2**31) - 1])
def test_literals_out_of_range(value: int) -> None:
    with pytest.raises(ValueError, match="32 bits"):
        c_source.literal(value)


@given(
    st.sampled_from(["int8", "uint8", "int16", "uint16", "int32", "uint32"]).flatmap(
        lambda name: st.tuples(
            st.just(name),
            st.lists(st.integers(int(np.iinfo(name).min), int(np.iinfo(name).max)), min_size=1, max_size=300),
        )
    )
)
def test_arrays_round_trip(case: tuple[str, list[int]]) -> None:
    name, values = case
    text = c_source.array("x", np.array(values, name), align=16)
    head, _, body = text.partition("{")
    assert head == f"static _Alignas(16) const {name}_t x[{len(values)}] = "
    numbers = re.findall(r"-?\d+|INT32_MIN", body)
    assert [-(2**31) if n == "INT32_MIN" else int(n) for n in numbers] == values
    assert max(map(len, text.splitlines())) <= 120


def test_two_dimensions() -> None:
    text = c_source.array("x", np.arange(6, dtype=np.int8).reshape(2, 3), qualifier="")
    assert text == "const int8_t x[2][3] = {\n{\n0,1,2,\n},\n{\n3,4,5,\n},\n};\n"


def test_arrays_that_c_lacks() -> None:
    with pytest.raises(ValueError, match="no elements"):
        c_source.array("x", np.zeros(0, np.int8))
    with pytest.raises(ValueError, match="float32"):
        c_source.array("x", np.zeros(1, np.float32))


def test_struct() -> None:
    assert c_source.struct("t", "x", {"a": "1", "b": "y"}) == (
        "static const t x = {\n    .a = 1,\n    .b = y,\n};\n"
    )
