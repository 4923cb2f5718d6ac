"""Which models suit SSCMA firmware."""

from dataclasses import replace

import pytest

from edgekit.contract import IDENTITY_TABLE, Color, Contract, Preprocess, Resize
from edgekit.device.sscma_model import objections

GOOD = Contract(
    input_shape=(1, 96, 64, 3),
    input_scale=1 / 255,
    input_zero_point=-128,
    output_shape=(1, 2),
    output_scale=1 / 256,
    output_zero_point=-128,
    labels=("cat", "dog"),
    oracle="",
    preprocess=Preprocess(Color.RGB, Resize.SQUASH, mean=(0.0,) * 3, std=(1.0,) * 3),
    table=IDENTITY_TABLE * 3,
)


def test_a_model_that_suits() -> None:
    assert objections(GOOD) == ()
    assert objections(replace(GOOD, input_shape=(1, 32, 32, 1), table=IDENTITY_TABLE)) == ()


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"input_shape": (1, 16, 32, 3)}, "height of 16"),
        ({"input_shape": (1, 100, 96, 3)}, "height of 100"),
        ({"input_shape": (1, 96, 96, 4)}, "1 or 3 channels"),
        ({"input_shape": (1, 490), "table": None, "preprocess": None}, "1 or 3 channels"),
        ({"output_shape": (1, 1, 1, 2)}, "its output [1, 1, 1, 2]"),
        ({"output_shape": (1, 1)}, "N of at least 2"),
        ({"table": IDENTITY_TABLE * 2 + bytes(256)}, "not pixel - 128"),
        ({"preprocess": replace(GOOD.preprocess, color=Color.BGR)}, "BGR"),  # type: ignore[type-var]
    ],
)
def test_what_does_not_suit(changes: dict[str, object], said: str) -> None:
    found = objections(replace(GOOD, **changes))  # type: ignore[arg-type]
    assert len(found) == 1
    assert said in found[0]
