"""C text from values: identifiers, comments, literals, arrays. No name from a model can leave its comment."""

import re
from collections.abc import Iterable, Mapping

import numpy as np
from numpy.typing import NDArray

from edgekit.errors import UsageError

_IDENTIFIER = re.compile(r"[A-Za-z][A-Za-z0-9_]{0,62}")
_KEYWORD_TEXT = """
    alignas alignof asm auto bool break case char complex const continue default do double else enum extern
    false float for goto if imaginary inline int long main noreturn nullptr register restrict return short
    signed sizeof static struct switch thread_local true typedef union unsigned void volatile while
"""
_KEYWORDS = frozenset(_KEYWORD_TEXT.split())
_TYPES = {
    "int8": "int8_t",
    "uint8": "uint8_t",
    "int16": "int16_t",
    "uint16": "uint16_t",
    "int32": "int32_t",
    "uint32": "uint32_t",
}
_LINE = 100
_MAX_COMMENT = 80


def identifier(name: str) -> str:
    """Return `name` if it can name a C function and prefix others. Raises UsageError if not."""
    if not _IDENTIFIER.fullmatch(name) or name.lower() in _KEYWORDS:
        raise UsageError(
            f"'{name[:80]}' cannot be a name in C",
            "use a letter, then at most 62 letters, digits and _, and no C keyword",
        )
    return name


def comment(text: str) -> str:
    """Return `text` as one C comment, safe whatever it holds.

    Only printable ASCII stays, without what could end the comment, open another, be a trigraph or join
    lines; long texts are cut.
    """
    kept = "".join(c if c.isascii() and c.isprintable() and c not in "\\?*" else "_" for c in text)
    kept = kept.replace("//", "/_")
    if len(kept) > _MAX_COMMENT:
        kept = kept[: _MAX_COMMENT - 3] + "..."
    return f"/* {kept} */"


def literal(value: int) -> str:
    """Return an integer literal of at most 32 bits, signed or unsigned."""
    if not -(1 << 31) <= value < 1 << 32:
        raise ValueError(f"{value} does not fit into 32 bits")
    if value == -(1 << 31):
        # The literal 2147483648 would be a long, and its negation too.
        return "INT32_MIN"
    return f"{value}u" if value >= 1 << 31 else str(value)


def element_type(values: NDArray[np.generic]) -> str:
    """Return the C type of an array's elements. Raises ValueError for any other type."""
    found = _TYPES.get(values.dtype.name)
    if found is None:
        raise ValueError(f"no C array can hold {values.dtype}")
    return found


def array(name: str, values: NDArray[np.generic], *, qualifier: str = "static ", align: int = 0) -> str:
    """Return the definition of a const array of one or two dimensions.

    Args:
        name: a C identifier.
        values: at least one element, of an integer type.
        qualifier: what stands before the type; empty for an external definition.
        align: bytes for _Alignas; 0 leaves the type's own alignment.
    """
    if not values.size:
        raise ValueError(f"the array {name} has no elements, which C does not allow")
    alignment = f"_Alignas({align}) " if align else ""
    bounds = "".join(f"[{size}]" for size in values.shape)
    body = _rows(values) if values.ndim == 1 else "".join(f"{{\n{_rows(row)}}},\n" for row in values)
    return f"{qualifier}{alignment}const {element_type(values)} {name}{bounds} = {{\n{body}}};\n"


def _rows(values: NDArray[np.generic]) -> str:
    flat: list[int] = values.tolist()
    texts = list(map(str, flat)) if values.dtype.itemsize < 4 else [literal(v) for v in flat]
    per_row = max(8, _LINE // (max(map(len, texts)) + 1))
    lines = (texts[i : i + per_row] for i in range(0, len(texts), per_row))
    return "".join(f"{','.join(line)},\n" for line in lines)


def struct(type_name: str, name: str, fields: Mapping[str, str]) -> str:
    """Return the definition of a static const struct; the values are C expressions."""
    body = "".join(f"    .{field} = {value},\n" for field, value in fields.items())
    return f"static const {type_name} {name} = {{\n{body}}};\n"


def braces(values: Iterable[int]) -> str:
    """Return an initialiser on one line: `{1, 32, 32, 3}`."""
    return "{" + ", ".join(literal(v) for v in values) + "}"
