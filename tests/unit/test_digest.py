"""The model digest: the same for the same computation, another for any other."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import small_models
from tflite_builder import Node, Value, build_graph

from edgekit.graph import tflite
from edgekit.graph.digest import model_digest
from edgekit.graph.metadata import attach


def digest(model: bytes) -> str:
    return model_digest(tflite.parse(model))


def dense(order: tuple[int, ...] = (0, 1, 2), *, names: str = "t", **changes: Any) -> bytes:
    """Return a FULLY_CONNECTED whose tensors are numbered in another order, named, and changed."""
    scale, value, shape, zero_point, activation = (
        changes.get("scale", 0.5),
        changes.get("value", 1),
        changes.get("shape", (2, 4)),
        changes.get("zero_point", 0),
        changes.get("activation", "NONE"),
    )
    values = [
        Value((1, 4), scales=(scale,), zero_points=(zero_point,), name=f"{names}0"),
        Value(shape, scales=(0.1,), zero_points=(0,), data=np.full(shape, value, np.int8), name=f"{names}1"),
        Value((1, shape[0]), scales=(0.2,), zero_points=(0,), name=f"{names}2"),
    ]
    placed = [values[i] for i in order]
    source, weights, target = (order.index(i) for i in range(3))
    node = Node(
        "FULLY_CONNECTED", (source, weights, -1), (target,), {"fused_activation_function": activation}
    )
    return build_graph(placed, [node], [source], [target])


def test_a_known_value() -> None:
    """The encoding is documented; a change of it would make all firmware look foreign."""
    assert digest(dense()) == "af6b84deb88c0275dbbf90b3b1ff899a12d2d034433759bedf3db12514ff1c70"


def test_layout_names_and_metadata_do_not_count() -> None:
    expected = digest(dense())
    assert digest(dense((2, 1, 0))) == expected
    assert digest(dense(names="other")) == expected
    assert digest(attach(dense(), {"edgekit.contract": b"{}"})) == expected


@pytest.mark.parametrize(
    "change",
    [
        {"scale": 0.25},
        {"value": 2},
        {"shape": (3, 4)},
        {"zero_point": 1},
        {"activation": "RELU"},
    ],
)
def test_what_counts(change: dict[str, Any]) -> None:
    assert digest(dense(**change)) != digest(dense())


def test_public_models_differ(anchor: Callable[[str], Path]) -> None:
    names = ("ic01_resnet8_int8", "vww01_mobilenetv1_025_96_int8")
    assert len({model_digest(tflite.read(anchor(name))) for name in names}) == 2
    assert digest(small_models.classifier()) == digest(small_models.classifier(name="other"))
