"""Compares figures with those of an earlier `edgekit bench --json`."""

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path

from edgekit import untrusted
from edgekit.bench.result import Bench
from edgekit.errors import DataError, RegressionError
from edgekit.files import read_regular

FIGURES = (
    "instructions_per_invoke",
    "arena_bytes",
    "stack_bytes",
    "engine_bytes",
    "model_bytes",
    "flash_bytes",
    "ram_bytes",
)
"""What is compared: exact figures, of which less is better. Times of one machine are not."""
_SAME = ("board", "model_digest", "frames_sha256", "method", "compiler", "qemu")
_MOST_BYTES = 16 << 20


@dataclass(frozen=True, slots=True)
class Change:
    """One figure, before and now."""

    figure: str
    before: int
    now: int

    @property
    def ratio(self) -> float:
        """Now over before; infinite if there was none before."""
        if self.before == 0:
            return 1.0 if self.now == 0 else float("inf")
        return self.now / self.before


def load(path: Path) -> Mapping[str, object]:
    """Read what `edgekit bench --json` printed.

    Raises:
        DataError: it cannot be read, or is something else.
    """
    hint = "make it with `edgekit bench ... --json > FILE`"
    try:
        found = untrusted.parse_json(read_regular(path, _MOST_BYTES))
    except OSError as error:
        raise DataError(f"cannot read '{path}': {error.strerror}", hint) from error
    except ValueError as error:
        raise DataError(f"cannot read '{path}': {error}", hint) from error
    if not isinstance(found, dict) or not all(
        isinstance(found.get(key), str) for key in ("board", "model_digest")
    ):
        raise DataError(f"'{path}' is no result of edgekit bench", hint)
    for key in FIGURES:
        value = found.get(key)
        if value is not None and (type(value) is not int or not 0 <= value < 1 << 62):
            raise DataError(f"'{path}': {key} is {str(value)[:40]!r}, not a count", hint)
    return found


def compare(now: Bench, before: Mapping[str, object]) -> tuple[tuple[Change, ...], tuple[str, ...]]:
    """Return how the figures that both have changed, and in words what else is not the same."""
    fields = asdict(now)
    changes = []
    for key in FIGURES:
        old, new = before.get(key), fields[key]
        if isinstance(old, int) and isinstance(new, int):
            changes.append(Change(key, old, new))
    differing = tuple(
        f"{key} differs: {_short(before.get(key))} before, {_short(fields[key])} now"
        for key in _SAME
        if before.get(key) != fields[key]
    )
    return tuple(changes), differing


def check(changes: tuple[Change, ...], max_regression: float) -> None:
    """Hold every figure to what it may rise by, in percent.

    Raises:
        RegressionError: naming each that has risen further.
    """
    worse = [change for change in changes if change.ratio > 1 + max_regression / 100]
    if worse:
        said = "; ".join(
            f"{change.figure} {change.before:,} -> {change.now:,} ({100 * (change.ratio - 1):+.2f} %)"
            for change in worse
        )
        raise RegressionError(
            f"worse than before by more than {max_regression:g} %: {said}",
            "accept it by writing the file anew with `edgekit bench ... --json`",
            {change.figure: [change.before, change.now] for change in worse},
        )


def _short(value: object) -> str:
    text = str(value)
    return f"{text[:12]}..." if len(text) == 64 else f"'{text[:80]}'"
