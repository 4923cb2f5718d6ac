"""The C library of the bare-metal firmware, on every instruction set that is executed and at every level."""

from dataclasses import replace
from pathlib import Path

import bare_metal
import generated_c
import pytest
from emulated.conftest import EXECUTED

from edgekit import board

PROGRAM = Path(__file__).parent / "libc.c"


@pytest.mark.parametrize("level", ["0", "s", "2", "3"])
@pytest.mark.parametrize("name", EXECUTED)
def test_memory_functions_at_every_distance_and_length(name: str, level: str, tmp_path: Path) -> None:
    target = board.load(name)
    # The debug firmware of a network without steps: nothing but what every program has.
    empty = replace(generated_c.made(), files={}, steps=())
    image = bare_metal.program(empty, target, {"main.c": PROGRAM.read_bytes()}, level, tmp_path)
    assert bare_metal.run(image, target, tmp_path, 120) == "the C library is right"
