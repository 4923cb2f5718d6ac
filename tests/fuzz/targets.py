"""The table of targets; docs/reference/fuzzing.md shows the same one."""

from fuzz import lines, native, networks, pictures, texts
from fuzz.native import Native
from fuzz.target import Target

PYTHON = {target.name: target for part in (lines, texts, pictures, networks) for target in part.TARGETS}
NATIVE = {target.name: target for target in native.TARGETS}
ALL: dict[str, Target | Native] = {**PYTHON, **NATIVE}
