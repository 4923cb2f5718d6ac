"""What tflite-micro makes of the same models: where it agrees with LiteRT, and where it is known not to.

docs/reference/operators.md says the same in words.
"""

from typing import Any

import documents
import numpy as np
import pytest
from kernels import runner
from kernels.cases import KINDS, case, rng_of

COUNT = 25
ARENA_BYTES = 4 << 20
DIFFERS = {"FULLY_CONNECTED", "LOGISTIC", "MUL", "RELU6", "TANH"}
LACKS = {"GELU", "RELU_0_TO_1", "RELU_N1_TO_1"}


def micro(item: runner.Case) -> np.ndarray[Any, Any] | None:
    """Return tflite-micro's outputs [frames, bytes], None where it refuses the model."""
    from tflite_micro.python.tflite_micro import runtime

    try:
        interpreter = runtime.Interpreter.from_bytes(item.model, arena_size=ARENA_BYTES)
    except RuntimeError:
        return None
    rows = []
    for frame in item.frames:
        for place, values in enumerate(frame):
            interpreter.set_input(values, place)
        interpreter.invoke()
        rows.append(interpreter.get_output(item.output).reshape(-1).copy())
    return np.stack(rows)


@pytest.mark.parametrize("kind", sorted(set(KINDS) - DIFFERS - LACKS))
def test_the_two_references_agree(kind: str) -> None:
    rng = rng_of(kind)
    compared = 0
    for _ in range(COUNT):
        item = case(kind, rng)
        found = micro(item)
        if found is None:
            assert kind == "STRIDED_SLICE"  # of five dimensions
            continue
        compared += 1
        assert np.array_equal(found, runner.reference(item))
    assert compared > COUNT // 2


@pytest.mark.parametrize("kind", sorted(LACKS))
def test_what_tflite_micro_lacks(kind: str) -> None:
    assert micro(case(kind, np.random.default_rng(1))) is None


def test_relu6_of_tflite_micro_does_not_rescale() -> None:
    rng = np.random.default_rng(1)
    items = [case("RELU6", rng) for _ in range(COUNT)]
    found = [micro(item) for item in items]
    differ = [
        not np.array_equal(a, runner.reference(b)) for a, b in zip(found, items, strict=True) if a is not None
    ]
    assert sum(differ) > COUNT // 2


def test_the_page_names_what_differs_and_what_is_lacking() -> None:
    page = (documents.ROOT / "docs" / "reference" / "operators.md").read_text("utf-8")
    section = page.partition("## Beside tflite-micro")[2].partition("\n## ")[0]
    for kind in DIFFERS | LACKS:
        assert f"`{kind}`" in section, kind
