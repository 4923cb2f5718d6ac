"""Reads JSON that came inside a model."""

import base64
import json
import math
from dataclasses import dataclass
from typing import Any

from edgekit.errors import ModelError


@dataclass(frozen=True, slots=True)
class JsonObject:
    """Reads typed fields out of a parsed JSON object, trusting none of them.

    Every method raises ModelError, naming the field that is wrong and what it must be.
    """

    value: Any
    path: str

    def __post_init__(self) -> None:
        if not isinstance(self.value, dict):
            raise ModelError(f"{self.path} must be an object")

    def _get(self, key: str, kinds: tuple[type, ...], what: str) -> Any:
        found = self.value.get(key)
        if not isinstance(found, kinds) or isinstance(found, bool):
            shown = "a list or object" if isinstance(found, list | dict) else json.dumps(found)[:60]
            raise ModelError(f"{self.path}.{key} must be {what}, not {shown}")
        return found

    def child(self, key: str) -> "JsonObject":
        """Return the object in a field."""
        return JsonObject(self.value.get(key), f"{self.path}.{key}")

    def string(self, key: str) -> str:
        """Return a string."""
        return str(self._get(key, (str,), "a string"))

    def choice(self, key: str, allowed: list[str]) -> str:
        """Return one of the `allowed` strings."""
        found = self.string(key)
        if found not in allowed:
            raise ModelError(f"{self.path}.{key} must be one of {', '.join(allowed)}, not '{found[:60]}'")
        return found

    def integer(self, key: str, low: int, high: int) -> int:
        """Return an integer in low..high."""
        found: int = self._get(key, (int,), "an integer")
        if not low <= found <= high:
            raise ModelError(f"{self.path}.{key} must be in {low}..{high}")
        return found

    def number(self, key: str) -> float:
        """Return a positive finite number."""
        found = float(self._get(key, (int, float), "a number"))
        if not (math.isfinite(found) and found > 0):
            raise ModelError(f"{self.path}.{key} must be a positive finite number, not {found}")
        return found

    def numbers(self, key: str) -> tuple[float, ...]:
        """Return a list of at most 16 numbers, which may be infinite."""
        found = self._get(key, (list,), "a list of numbers")
        if len(found) > 16 or not all(isinstance(v, int | float) and not isinstance(v, bool) for v in found):
            raise ModelError(f"{self.path}.{key} must be a list of at most 16 numbers")
        return tuple(float(v) for v in found)

    def strings(self, key: str) -> tuple[str, ...]:
        """Return a list of strings."""
        found = self._get(key, (list,), "a list of strings")
        if not all(isinstance(v, str) for v in found):
            raise ModelError(f"{self.path}.{key} must be a list of strings")
        return tuple(found)

    def shape(self, key: str) -> tuple[int, ...]:
        """Return a list of 1 to 8 sizes, each in 1..16777216."""
        found = self._get(key, (list,), "a list of sizes")
        if not 1 <= len(found) <= 8 or not all(isinstance(v, int) and not isinstance(v, bool) for v in found):
            raise ModelError(f"{self.path}.{key} must be a list of 1 to 8 integers")
        if any(not 1 <= v <= 1 << 24 for v in found):
            raise ModelError(f"{self.path}.{key} has sizes outside 1..16777216")
        return tuple(found)

    def base64(self, key: str, size: int) -> bytes:
        """Return the bytes of a base64 string; there must be `size` of them."""
        try:
            found = base64.b64decode(self.string(key), validate=True)
        except ValueError as error:
            raise ModelError(f"{self.path}.{key} is not base64: {error}") from error
        if len(found) != size:
            raise ModelError(f"{self.path}.{key} has {len(found)} bytes, {size} are needed")
        return found
