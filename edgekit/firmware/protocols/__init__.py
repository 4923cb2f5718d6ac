"""What firmware can speak on its serial line: a module each, named as its folder of firmware_templates/app/.

A module defines `PROTOCOL`, its class.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar, cast

from edgekit.errors import UsageError

if TYPE_CHECKING:
    from edgekit.contract import Contract


@dataclass(frozen=True, slots=True)
class Protocol:
    """One protocol. Its fields are what the user chose of it."""

    name: ClassVar[str]
    baud: ClassVar[int | None] = None
    """The speed of its line; None for what the board file says."""
    cannot: ClassVar[Mapping[str, tuple[str, str]]] = {}
    """Fields of `Firmware` that it has no packet for: why, and what to do."""
    stored_model: ClassVar[bool] = True
    """Whether its firmware runs any model that fits the same contract."""
    speaks_first: ClassVar[bool] = False
    """Whether it says something while it boots, which a client would take for an answer."""

    def context(self, contract: "Contract") -> Mapping[str, Any]:
        """Return what its templates get. Raises UsageError for a model that it cannot speak of."""
        del contract
        return {}


def names() -> list[str]:
    """Return the names of all protocols that edgekit has firmware for."""
    return sorted(path.stem for path in Path(__file__).parent.glob("[a-z]*.py"))


def find(name: str) -> type[Protocol]:
    """Return a protocol by its name. Raises UsageError."""
    if name not in names():
        raise UsageError(f"edgekit has no firmware that speaks '{name}'", f"known: {', '.join(names())}")
    return cast(type[Protocol], import_module(f"{__name__}.{name}").PROTOCOL)
