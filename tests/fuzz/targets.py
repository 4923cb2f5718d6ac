"""The table of targets; docs/reference/fuzzing.md shows the same one."""

from fuzz import lines, loaders, native, networks, pictures, texts
from fuzz.native import Native
from fuzz.target import Target

_PARTS = (lines, loaders, texts, pictures, networks)
PYTHON = {target.name: target for part in _PARTS for target in part.TARGETS}
NATIVE = {target.name: target for target in native.TARGETS}
ALL: dict[str, Target | Native] = {**PYTHON, **NATIVE}
