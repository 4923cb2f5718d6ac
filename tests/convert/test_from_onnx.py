"""ONNX models are read without trust, and their graphs rewritten without changing what they compute."""

import hashlib
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper

from edgekit.convert import float_model, from_onnx, simplify
from edgekit.convert.load import load_model
from edgekit.convert.rewrites import max_pool
from edgekit.errors import EdgekitError, ModelError, UnsupportedOpError, UsageError

Net = Callable[..., Any]
RNG = np.random.default_rng(305)


def parse(proto: Any, **options: Any) -> Any:
    return from_onnx.parse(proto.SerializeToString(), "net.onnx", **options)


def test_the_file_is_read_and_not_touched(tmp_path: Path, make_net: Net) -> None:
    path = tmp_path / "net"  # the suffix does not matter
    path.write_bytes(make_net().SerializeToString())
    before = hashlib.sha256(path.read_bytes()).hexdigest(), path.stat().st_mtime_ns
    model = load_model(path)
    assert (model.input_shape, model.size, model.channels, model.classes) == ((1, 3, 8, 8), (8, 8), 3, 5)
    assert (hashlib.sha256(path.read_bytes()).hexdigest(), path.stat().st_mtime_ns) == before
    assert [p.name for p in tmp_path.iterdir()] == ["net"]


def test_a_model_cut_at_any_length_is_an_error(tmp_path: Path, make_net: Net) -> None:
    whole = make_net().SerializeToString()
    for cut in [*range(0, len(whole), 7), len(whole) - 1]:
        (tmp_path / "cut.onnx").write_bytes(whole[:cut])
        with pytest.raises(ModelError):
            load_model(tmp_path / "cut.onnx")
        with pytest.raises(ModelError):
            from_onnx.load(tmp_path / "cut.onnx")


def test_damaged_bytes_never_end_in_a_traceback(tmp_path: Path, make_net: Net) -> None:
    whole = bytearray(make_net().SerializeToString())
    for _ in range(200):
        broken = bytearray(whole)
        for _ in range(3):
            broken[RNG.integers(len(broken))] = RNG.integers(256)
        try:
            model = from_onnx.parse(bytes(broken), "broken")
            assert model.classes >= 1
        except EdgekitError:
            pass


def test_a_dynamic_batch_becomes_1(make_net: Net) -> None:
    assert parse(make_net(shape=("batch", 3, 8, 8))).input_shape == (1, 3, 8, 8)


def test_an_open_size_is_named_with_the_remedy(make_net: Net) -> None:
    proto = make_net(shape=("n", 3, "height", "width"))
    with pytest.raises(ModelError, match=r"open shape \[n, 3, height, width\]") as caught:
        parse(proto)
    assert "--size" in caught.value.hint
    model = parse(proto, size=(12, 10))
    assert model.size == (12, 10)
    assert float_model.scores(model, np.zeros((1, 12, 10, 3), np.float32)).shape == (1, 5)


def test_a_size_that_contradicts_the_model_is_refused(make_net: Net) -> None:
    with pytest.raises(UsageError, match=r"\[1, 3, 8, 8\]"):
        parse(make_net(), size=(9, 8))
    assert parse(make_net(), size=(8, 8)).size == (8, 8)


def test_channels_last_is_recognised(make_net: Net) -> None:
    model = parse(make_net(shape=(1, 10, 8, 3)))
    assert model.channels_last
    assert (model.size, model.channels) == ((10, 8), 3)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda g: g.input.add().CopyFrom(_value("second", [1, 3])), r"2 inputs \('image', 'second'\)"),
        (lambda g: g.output.add().CopyFrom(_value("conv", None)), r"2 outputs \('scores', 'conv'\)"),
        (lambda g: g.input[0].CopyFrom(_value("image", [4, 3, 8, 8])), "fixed batch of 4"),
        (lambda g: g.input[0].CopyFrom(_value("image", [1, 5, 8, 8])), "1 or 3 channels"),
        (lambda g: g.input[0].CopyFrom(_value("image", [1, 192])), r"the shape \[1, 192\]"),
        (lambda g: g.input[0].CopyFrom(_value("image", [1, 3, 8, 8], TensorProto.UINT8)), "not float32"),
        (lambda g: g.output[0].CopyFrom(_value("conv", None)), r"output 'conv' .* \[1, 4, 8, 8\]"),
        (lambda g: setattr(g.node[0], "op_type", "Frobnicate"), "Frobnicate"),
        (lambda g: g.node.reverse(), "not valid ONNX"),
    ],
)
def test_models_that_are_no_classifiers_are_refused(make_net: Net, change: Any, message: str) -> None:
    proto = make_net()
    change(proto.graph)
    with pytest.raises(ModelError, match=message):
        parse(proto)


def _value(name: str, shape: list[int] | None, kind: int = TensorProto.FLOAT) -> Any:
    return helper.make_tensor_value_info(name, kind, shape)


# --- external data


def external(folder: Path, proto: Any, location: str) -> Path:
    for tensor in proto.graph.initializer:
        raw = tensor.raw_data
        tensor.ClearField("raw_data")
        tensor.data_location = TensorProto.EXTERNAL
        for key, value in (("location", location), ("offset", "0"), ("length", str(len(raw)))):
            entry = tensor.external_data.add()
            entry.key, entry.value = key, value
    (folder / "net.onnx").write_bytes(proto.SerializeToString())
    return folder / "net.onnx"


def test_weights_beside_the_model_are_read(tmp_path: Path, make_net: Net) -> None:
    proto = make_net()
    expected = float_model.scores(parse(proto), np.ones((1, 8, 8, 3), np.float32))
    onnx.save_model(
        proto, str(tmp_path / "net.onnx"), save_as_external_data=True, size_threshold=0, location="net.data"
    )
    model = load_model(tmp_path / "net.onnx")
    assert np.array_equal(float_model.scores(model, np.ones((1, 8, 8, 3), np.float32)), expected)
    (tmp_path / "net.data").write_bytes(b"short")
    with pytest.raises(ModelError, match="ends before the weights"):
        load_model(tmp_path / "net.onnx")
    (tmp_path / "net.data").unlink()
    with pytest.raises(ModelError, match=r"cannot read the weights .* from 'net\.data'"):
        load_model(tmp_path / "net.onnx")


@pytest.mark.parametrize("location", ["../secret", "/etc/passwd", "link", "", "."])
def test_weights_outside_the_models_folder_are_not_followed(
    tmp_path: Path, make_net: Net, location: str
) -> None:
    inner = tmp_path / "inner"
    inner.mkdir()
    (tmp_path / "secret").write_bytes(bytes(10_000))
    (inner / "link").symlink_to(tmp_path / "secret")
    with pytest.raises(ModelError, match="outside its own folder"):
        load_model(external(inner, make_net(), location))


def test_no_tensor_anywhere_may_be_outside(tmp_path: Path, make_net: Net) -> None:
    """Weights in attributes, sparse ones too; what a model keeps for training and for calls is not kept."""
    far = TensorProto(name="far", data_type=TensorProto.FLOAT, dims=[4], data_location=TensorProto.EXTERNAL)
    far.external_data.add(key="location", value="../secret")
    where = helper.make_tensor("where", TensorProto.INT64, [4], [0, 1, 2, 3])
    sparse = helper.make_sparse_tensor(far, where, [4, 1, 1])
    add = helper.make_node("Add", ["conv", "k"], ["y"], name="add")
    for attribute in ({"value": far}, {"sparse_value": sparse}):
        proto = make_net([helper.make_node("Constant", [], ["k"], **attribute), add], "y")
        with pytest.raises(ModelError, match=r"'\.\./secret', outside its own folder"):
            parse(proto, folder=tmp_path)
    body = [helper.make_node("Constant", [], ["y"], value=far)]
    proto = make_net()
    proto.functions.append(helper.make_function("own", "f", [], ["y"], body, [helper.make_opsetid("", 20)]))
    proto.training_info.add().algorithm.initializer.append(far)
    kept = onnx.load_model_from_string(parse(proto, folder=tmp_path).proto)
    assert not kept.functions
    assert not kept.training_info


# --- operators


def test_every_unsupported_operator_is_listed_at_once(make_net: Net) -> None:
    proto = make_net(
        [
            helper.make_node("Erf", ["conv"], ["a"], name="/gelu/Erf"),
            helper.make_node("Erf", ["a"], ["b"], name="/gelu2/Erf"),
            helper.make_node("Selu", ["b"], ["c"], name="/act/Selu"),
            helper.make_node("LRN", ["c"], ["d"], name="/norm", size=3),
        ],
        "d",
    )
    with pytest.raises(UnsupportedOpError) as caught:
        parse(proto)
    text = caught.value.message
    assert "3 kind(s)" in text
    assert "Erf (2x, first at '/gelu/Erf'): export with opset 20" in text
    assert "Selu (1x, first at '/act/Selu'): train with" in text
    assert "LRN" in text


def test_operators_of_strangers_are_named_with_their_domain(make_net: Net) -> None:
    proto = make_net()
    proto.graph.node[0].domain = "com.example"
    proto.opset_import.add(domain="com.example", version=1)
    with pytest.raises(UnsupportedOpError, match=r"com\.example\.Conv .*operators of ONNX itself"):
        parse(proto)


def test_operators_that_do_not_fold_away_are_listed_after_simplifying(make_net: Net) -> None:
    proto = make_net([helper.make_node("Neg", ["conv"], ["y"], name="minus")], "y")
    with pytest.raises(UnsupportedOpError, match=r"Neg .*multiply by -1"):
        simplify.simplify(parse(proto))


def run(proto: Any, value: np.ndarray) -> np.ndarray:
    onnx.checker.check_model(proto)
    runner = float_model.session(proto.SerializeToString(), "net")
    return float_model.run(runner, "net", "image", value)


@pytest.mark.parametrize(("alpha", "beta"), [(1 / 6, 0.5), (0.2, 0.5), (0.3, 0.1)])
def test_hard_sigmoid_is_rewritten_without_change(make_net: Net, alpha: float, beta: float) -> None:
    proto = make_net([helper.make_node("HardSigmoid", ["conv"], ["y"], alpha=alpha, beta=beta)], "y")
    value = RNG.normal(0, 3, (1, 3, 8, 8)).astype(np.float32)
    slim = simplify.simplify(parse(proto))
    assert "HardSigmoid" not in {node.op_type for node in slim.graph.node}
    assert np.allclose(run(slim, value), run(proto, value), atol=1e-5)


@pytest.mark.parametrize("relu", [False, True])
@pytest.mark.parametrize("kind", ["MatMul", "Gemm", "Gemm transposed", "Reshape"])
def test_dense_layers_over_maps_become_convolutions_without_change(
    make_net: Net, kind: str, relu: bool
) -> None:
    weights = RNG.normal(0, 0.1, (256, 6)).astype(np.float32)
    flatten = helper.make_node("Flatten", ["conv"], ["flat1"])
    if kind == "Reshape":
        flatten = helper.make_node("Reshape", ["conv", "shape"], ["flat1"])
    dense = helper.make_node("MatMul", ["flat1", "w2"], ["y"], name="fc")
    if kind.startswith("Gemm"):
        turned = "transposed" in kind
        weights = weights.T.copy() if turned else weights
        dense = helper.make_node("Gemm", ["flat1", "w2", "b2"], ["y"], name="fc", transB=int(turned))
    chain = [flatten, dense, *([helper.make_node("Relu", ["y"], ["z"])] if relu else [])]
    constants = {"w2": weights, "b2": RNG.normal(0, 1, 6).astype(np.float32), "shape": np.array([1, -1])}
    proto = make_net(chain, "z" if relu else "y", pool=False, channels=6, constants=constants)
    value = RNG.normal(0, 1, (1, 3, 8, 8)).astype(np.float32)
    slim = simplify.simplify(parse(proto))
    kinds = [node.op_type for node in slim.graph.node]
    assert kinds[:4] == (
        ["Conv", "Conv", "Relu", "Flatten"] if relu else ["Conv", "Conv", "Flatten", kinds[3]]
    )
    assert np.allclose(run(slim, value), run(proto, value), atol=1e-4)


def test_dense_layers_whose_input_others_read_are_left_alone(make_net: Net) -> None:
    chain = [
        helper.make_node("Flatten", ["conv"], ["flat1"]),
        helper.make_node("MatMul", ["flat1", "w2"], ["a"]),
        helper.make_node("MatMul", ["flat1", "w3"], ["b"]),
        helper.make_node("Add", ["a", "b"], ["y"]),
    ]
    constants = {name: RNG.normal(0, 0.1, (256, 6)).astype(np.float32) for name in ("w2", "w3")}
    proto = make_net(chain, "y", pool=False, channels=6, constants=constants)
    slim = simplify.simplify(parse(proto))
    value = RNG.normal(0, 1, (1, 3, 8, 8)).astype(np.float32)
    assert np.allclose(run(slim, value), run(proto, value), atol=1e-4)


@pytest.mark.parametrize("relu", [False, True])
@pytest.mark.parametrize(
    ("options", "kinds"),
    [
        ({"kernel_shape": [3, 3], "strides": [2, 2], "pads": [1, 1, 1, 1]}, "pad"),
        ({"kernel_shape": [3, 3], "strides": [1, 1], "pads": [1, 1, 1, 1]}, "same"),
        ({"kernel_shape": [3, 3], "strides": [2, 2], "ceil_mode": 1}, "same"),
        ({"kernel_shape": [2, 2], "strides": [2, 2], "ceil_mode": 1}, "same"),
        ({"kernel_shape": [3, 3], "strides": [2, 2], "pads": [1, 1, 1, 1], "ceil_mode": 1}, "pad"),
        ({"kernel_shape": [2, 3], "strides": [1, 2], "pads": [0, 0, 1, 1]}, "same"),
        ({"kernel_shape": [3, 3], "strides": [2, 2], "dilations": [2, 2], "pads": [2, 2, 2, 2]}, "pad"),
        ({"kernel_shape": [3, 3], "strides": [2, 2], "auto_pad": "SAME_UPPER"}, "same"),
        ({"kernel_shape": [3, 3], "strides": [2, 2], "auto_pad": "SAME_LOWER"}, "pad"),
        ({"kernel_shape": [2, 2], "strides": [2, 2]}, "plain"),
    ],
)
def test_max_pools_are_rewritten_without_change(
    make_net: Net, options: dict[str, Any], kinds: str, relu: bool
) -> None:
    nodes = [helper.make_node("Relu", ["conv"], ["r"])] if relu else []
    source = "r" if relu else "conv"
    proto = make_net([*nodes, helper.make_node("MaxPool", [source], ["y"], name="max", **options)], "y")
    model = parse(proto)
    inputs = RNG.normal(0, 1, (4, 8, 8, 3)).astype(np.float32)
    slim = onnx.load_model_from_string(model.proto)
    max_pool.rewrite(slim, model, inputs)
    for value in inputs.transpose(0, 3, 1, 2):
        assert np.array_equal(run(slim, value[None]), run(proto, value[None]))
    (pool,) = (node for node in slim.graph.node if node.op_type == "MaxPool")
    given = {a.name: helper.get_attribute_value(a) for a in pool.attribute}
    pads = [node for node in slim.graph.node if node.op_type == "Pad"]
    assert not any(given.get("pads", ()))
    assert bool(pads) == (kinds == "pad")
    assert (given.get("auto_pad") == b"SAME_UPPER") == (kinds == "same")
    for pad in pads:
        (value,) = (t for t in slim.graph.initializer if t.name == pad.input[2])
        assert (onnx.numpy_helper.to_array(value) == 0) == relu
