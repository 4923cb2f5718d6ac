"""Which characters may stand on a terminal and in a label: none that moves the cursor or turns text round."""

import os
import unicodedata

_JOINERS = "\u200c\u200d"
"""Zero width (non-)joiner: Persian, the scripts of India and emoji cannot do without."""
_STEERING = frozenset(("Cc", "Cf", "Cs", "Zl", "Zp"))
"""Controls, invisible formats (which change the direction of text, or hide in it), surrogates, breaks."""


def is_plain(text: str) -> bool:
    """Return whether no character of a text steers a terminal or hides from the eye."""
    return text.isprintable() or all(c in _JOINERS or unicodedata.category(c) not in _STEERING for c in text)


def from_system(name: str) -> str:
    """Return a file's name, or an argument, that may be UTF-8 although the locale (`LC_ALL=C`) denies it."""
    try:
        return os.fsencode(name).decode("utf-8")
    except UnicodeError:
        return name
