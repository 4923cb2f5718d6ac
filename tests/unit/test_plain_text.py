"""What may stand in a label and on a terminal."""

import sys
import unicodedata

import pytest

from edgekit.cli._output import printable
from edgekit.contract import check_labels
from edgekit.device import sscma_framing
from edgekit.errors import UsageError
from edgekit.plain_text import is_plain

GOOD = (
    *("cat", "größe", "模型", "кот", "قطة", "חתול", "บ้าน", "São\u00a0Paulo", "\u3000"),
    *("می\u200cخواهم", "क\u094d\u200dष", "👩\u200d🚀", "e\u0301"),  # noqa: RUF001
)
BAD = (
    "a\u202egpj.exe",
    "\u200fa",
    "\u2066a\u2069",
    "a\u200bb",
    "\ufeffcat",
    "a\u00adb",
    "\U000e0041",
    "a\x1b[2J",
    "a\nb",
)


@pytest.mark.parametrize("label", GOOD)
def test_labels_of_all_scripts_are_kept_and_shown(label: str) -> None:
    check_labels([label])
    assert printable(label) == label
    assert sscma_framing.plain(f"x{label}x") == f"x{label}x"


@pytest.mark.parametrize("label", BAD)
def test_labels_that_steer_or_hide_are_refused_and_not_shown(label: str) -> None:
    with pytest.raises(UsageError, match="is not plain text") as caught:
        check_labels(["cat", label])
    assert caught.value.message.isascii(), "the message itself must not turn round"
    assert is_plain(printable(label).replace("\n", ""))


def test_of_all_invisible_formats_only_the_joiners_are_plain() -> None:
    formats = [chr(code) for code in range(sys.maxunicode + 1) if unicodedata.category(chr(code)) == "Cf"]
    assert len(formats) > 150
    assert [character for character in formats if is_plain(character)] == ["\u200c", "\u200d"]
