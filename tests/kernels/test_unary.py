"""Unary operators that the reference refuses; test_folders.py compares every input of the others."""

import pytest
from kernels import runner, unary
from tflite_builder import Value, build

from edgekit.errors import UnsupportedOpError


def test_what_is_refused_is_refused_by_the_reference() -> None:
    source, target = (
        Value(unary.SHAPE, scales=[4.0], zero_points=[0]),
        Value(unary.SHAPE, scales=[0.01], zero_points=[0]),
    )
    model = build("HARD_SWISH", [source], [target], version=1)
    with pytest.raises(UnsupportedOpError, match=r"output's scale 0\.01"):
        runner.lower(model)
    with pytest.raises(RuntimeError):
        runner.reference(runner.Case(model, [[unary.every_input()]], ""))
