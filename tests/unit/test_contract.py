"""The contract: its table, its JSON, its digest, and what is refused."""

import contextlib
import copy
import json
from collections.abc import Callable
from dataclasses import replace
from fractions import Fraction
from typing import Any

import numpy as np
import pytest
import small_models
from hypothesis import given
from hypothesis import strategies as st
from tflite_builder import Value, build

from edgekit import contract
from edgekit.contract import Color, Contract, Preprocess, Resize
from edgekit.errors import ModelError, UsageError
from edgekit.graph import tflite
from edgekit.graph.metadata import attach

NORMAL = Preprocess(Color.RGB, Resize.CROP, (0.485, 0.456, 0.406), (0.229, 0.224, 0.225))


def made() -> Contract:
    graph = tflite.parse(small_models.classifier())
    return contract.for_graph(graph, preprocess=NORMAL, labels=small_models.LABELS, oracle="LiteRT 2.3.0")


def test_identity_table() -> None:
    """A model on pixels in 0..1 at scale 1/255 needs pixel - 128, whether the scale is exact or float32."""
    plain = Preprocess(Color.GRAY, Resize.SQUASH, (0.0,), (1.0,))
    for scale in (1 / 255, float(np.float32(1 / 255))):
        assert contract.pixel_table(plain, scale, -128) == contract.IDENTITY_TABLE
    assert np.frombuffer(contract.IDENTITY_TABLE, np.int8).tolist() == list(range(-128, 128))


def test_rounding_ties_go_away_from_zero() -> None:
    """With mean = std = 0.5 at scale 2/255 every entry is a tie or next to one; the rule decides."""
    half = Preprocess(Color.GRAY, Resize.SQUASH, (0.5,), (0.5,))
    table = np.frombuffer(contract.pixel_table(half, 0.5, 0), np.int8)
    # (0 / 255 - 0.5) / 0.5 / 0.5 = -2 exactly; 255 gives 2.
    assert (table[0], table[255]) == (-2, 2)
    ties = np.frombuffer(
        contract.pixel_table(Preprocess(Color.GRAY, Resize.SQUASH, (0.0,), (1.0,)), 2.0, 0), np.int8
    )
    assert (ties[254], ties[255]) == (0, 1)


@given(
    mean=st.floats(0, 1),
    std=st.floats(0.01, 1),
    scale=st.floats(0.001, 0.1),
    zero_point=st.integers(-128, 127),
)
def test_table_against_exact_arithmetic(mean: float, std: float, scale: float, zero_point: int) -> None:
    """Each entry is the rational value rounded half away from zero, unless float64 cannot tell."""
    table = np.frombuffer(
        contract.pixel_table(Preprocess(Color.GRAY, Resize.SQUASH, (mean,), (std,)), scale, zero_point),
        np.int8,
    )
    for pixel in range(0, 256, 5):
        exact = (Fraction(pixel, 255) - Fraction(mean)) / Fraction(std) / Fraction(scale)
        if abs(abs(exact) % 1 - Fraction(1, 2)) < Fraction(1, 10**6):
            continue
        rounded = int(abs(exact) + Fraction(1, 2)) * (1 if exact >= 0 else -1)
        assert table[pixel] == max(-128, min(127, rounded + zero_point))


@pytest.mark.parametrize(("std", "scale"), [(1e-300, 1e-30), (5e-324, 5e-324), (1e300, 1e300)])
def test_extreme_scales_saturate(std: float, scale: float) -> None:
    table = contract.pixel_table(Preprocess(Color.GRAY, Resize.SQUASH, (0.5,), (std,)), scale, 0)
    values = set(np.frombuffer(table, np.int8).tolist())
    assert values <= {-128, 0, 127}


def test_round_trip() -> None:
    first = made()
    again = contract.from_json(first.to_json())
    assert again == first
    assert again.digest() == first.digest()
    assert (
        first.to_json()
        == json.dumps(json.loads(first.to_json()), sort_keys=True, separators=(",", ":")).encode()
    )


@pytest.mark.parametrize(
    "change",
    [
        {"labels": ("a", "b", "c")},
        {"oracle": "other"},
        {"input_scale": 0.5},
        {"output_zero_point": 0},
        {"table": bytes(768)},
        {"preprocess": replace(NORMAL, color=Color.BGR)},
    ],
)
def test_digest_covers_every_field(change: dict[str, Any]) -> None:
    assert replace(made(), **change).digest() != made().digest()


def test_implied_is_not_in_the_digest() -> None:
    assert replace(made(), implied=True).digest() == made().digest()


def test_inside_a_model() -> None:
    model = attach(small_models.classifier(), {contract.METADATA_NAME: made().to_json()})
    assert contract.of(tflite.parse(model)) == made()


def test_implied() -> None:
    found = contract.of(tflite.parse(small_models.classifier()))
    assert found.implied
    assert found.labels == ("0", "1", "2")
    assert found.table == contract.IDENTITY_TABLE * 3
    assert found.preprocess == Preprocess(Color.RGB, Resize.SQUASH, (0.0,) * 3, (1.0,) * 3)
    flat = contract.of(tflite.parse(small_models.fully_connected()))
    assert (flat.preprocess, flat.table, flat.input_bytes, flat.classes) == (None, None, 4, 3)


def test_a_contract_of_another_model() -> None:
    other = replace(made(), input_scale=0.5)
    model = attach(small_models.classifier(), {contract.METADATA_NAME: other.to_json()})
    with pytest.raises(ModelError, match="the contract inside the model says"):
        contract.of(tflite.parse(model))


@pytest.mark.parametrize(
    ("preprocess", "labels", "message"),
    [
        (NORMAL, ("a", "b"), "2 labels were given, but the model has 3 outputs"),
        (NORMAL, ("a", "b", "c\x1b[2J"), "not plain text"),
        (NORMAL, ("a", "b", "c\u2028d"), "not plain text"),
        (replace(NORMAL, color=Color.GRAY), None, "1 channel"),
        (replace(NORMAL, mean=(0.5,)), None, r"mean has 1 value\(s\) for 3"),
        (replace(NORMAL, std=(0.0, 1.0, 1.0)), None, "std"),
        (replace(NORMAL, mean=(float("nan"), 1.0, 1.0)), None, "finite"),
    ],
)
def test_wrong_flags(preprocess: Preprocess, labels: tuple[str, ...] | None, message: str) -> None:
    graph = tflite.parse(small_models.classifier())
    with pytest.raises(UsageError, match=message):
        contract.for_graph(graph, preprocess=preprocess, labels=labels, oracle="")


def test_units() -> None:
    made = contract.preprocessing(Color.RGB, mean=(0.5, 1.0, 0.0), std=(0.25,))
    assert (made.mean, made.std) == ((0.5, 1.0, 0.0), (0.25, 0.25, 0.25))
    with pytest.raises(UsageError, match="not in units") as caught:
        contract.preprocessing(Color.RGB, mean=(127.5, 0.0, 1.0))
    assert "--mean 0.5,0" in caught.value.hint


Q = {"scales": (0.5,), "zero_points": (0,)}


@pytest.mark.parametrize(
    ("source", "target", "message"),
    [
        (Value((1, 4), "float32"), Value((1, 4), **Q), "input 'tensor_0' is float32, but int8 is needed"),
        (Value((1, 4), **Q), Value((1, 4), "uint8", **Q), "output 'tensor_1' is uint8"),
        (Value((1, 4)), Value((1, 4), **Q), "no per-tensor quantisation"),
        (Value((2, 4), **Q), Value((2, 4), **Q), "the batch must be 1"),
        (Value((), **Q), Value((), **Q), "the batch must be 1"),
        (Value((1, 4), **Q), Value((1, 1 << 30), **Q), "has 1073741824 values"),
    ],
)
def test_not_a_classifier(source: Value, target: Value, message: str) -> None:
    with pytest.raises(ModelError, match=message):
        contract.of(tflite.parse(build("RELU", [source], [target])))


def test_many_outputs_are_not_all_named() -> None:
    graph = tflite.parse(small_models.classifier())
    with pytest.raises(ModelError, match="has 100000 outputs") as caught:
        contract.of(replace(graph, outputs=graph.outputs * 100_000))
    assert len(caught.value.message) < 500


def test_two_inputs() -> None:
    model = build("ADD", [Value((1, 4), **Q), Value((1, 4), **Q)], [Value((1, 4), **Q)])
    with pytest.raises(ModelError, match=r"2 inputs \('tensor_0', 'tensor_1'\)"):
        contract.of(tflite.parse(model))


def _set(*path: str, value: Any) -> Callable[[dict[str, Any]], None]:
    def edit(root: dict[str, Any]) -> None:
        for key in path[:-1]:
            root = root[key]
        root[path[-1]] = value

    return edit


@pytest.mark.parametrize(
    ("edit", "message"),
    [
        (_set("schema", value=2), "schema 2"),
        (_set("schema", value=True), "schema must be an integer"),
        (_set("input", value=[]), "contract.input must be an object"),
        (_set("input", "shape", value=[]), "contract.input.shape"),
        (_set("input", "shape", value=[1, -1]), "contract.input.shape"),
        (_set("input", "shape", value=[1, "8"]), "contract.input.shape"),
        (_set("input", "scale", value=0), "contract.input.scale must be a positive"),
        (_set("input", "scale", value=10**400), "input.scale is an integer of more than 64 bits"),
        (_set("input", "scale", value=float("inf")), "contract.input.scale must be a positive"),
        (_set("input", "zero_point", value=128), "zero_point must be in -128..127"),
        (_set("input", "zero_point", value=10**4000), "input.zero_point is an integer of more than 64 bits"),
        (_set("output", "zero_point", value=0.5), "zero_point must be an integer"),
        (_set("preprocess", "color", value="cmyk"), "color must be one of"),
        (_set("preprocess", "mean", value=[0.5]), "mean has 1 value"),
        (_set("preprocess", "mean", value=[float("nan")] * 3), "finite"),
        (_set("preprocess", "std", value=[10**400] * 3), "preprocess.std is an integer of more than 64 bits"),
        (_set("preprocess", "table", value="AAAA"), "table has 3 bytes, 768 are needed"),
        (_set("preprocess", "table", value="****"), "not base64"),
        (_set("preprocess", "table", value="ü"), "not base64"),
        (_set("labels", value=["a"]), "labels has 1 entries for 3 outputs"),
        (_set("labels", value=["a", "b", "\ud800"]), "not plain text"),
        (_set("labels", value=["a", "b", "\x1b[2J"]), "not plain text"),
        (_set("labels", value={}), "labels must be a list"),
        (_set("oracle", value=1), "oracle must be a string"),
    ],
)
def test_broken_json_fields(edit: Callable[[dict[str, Any]], None], message: str) -> None:
    root = copy.deepcopy(json.loads(made().to_json()))
    edit(root)
    with pytest.raises(ModelError) as caught:
        contract.from_json(json.dumps(root).encode())
    assert message in caught.value.message


@pytest.mark.parametrize("raw", [b"", b"{", b"[]", b"\xff\xfe", b"[" * 100_000, b"1" * 10_000, b"null"])
def test_not_json(raw: bytes) -> None:
    with pytest.raises(ModelError):
        contract.from_json(raw)


json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=8), inner, max_size=4),
    max_leaves=8,
)


@given(
    key=st.sampled_from(["schema", "input", "output", "preprocess", "labels", "oracle"]), value=json_values
)
def test_any_json_value_in_any_field(key: str, value: Any) -> None:
    root = json.loads(made().to_json())
    root[key] = value
    with contextlib.suppress(ModelError):
        contract.from_json(json.dumps(root).encode("utf-8", "surrogatepass"))
