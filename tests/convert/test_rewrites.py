"""Rewrites of ONNX graphs: the operators that they leave, and float outputs that do not change."""

import io
from collections import Counter
from collections.abc import Callable
from typing import Any

import numpy as np
import onnx
import onnxslim
import pytest
import torch
from onnx import helper

from edgekit.convert import float_model
from edgekit.convert.rewrites import attention, average_pool, channel_shuffle, tokens

Net = Callable[..., Any]
RNG = np.random.default_rng(0)


def run(proto: Any, value: np.ndarray) -> np.ndarray:
    onnx.checker.check_model(proto)
    return float_model.run(float_model.session(proto.SerializeToString(), "net"), "net", "image", value)


def check(proto: Any, rewrite: Callable[[Any], None]) -> Counter[str]:
    """Rewrite a copy, compare its outputs, and return its operators."""
    made = onnx.ModelProto()
    made.CopyFrom(proto)
    rewrite(made)
    value = RNG.normal(0, 1, (1, 3, 8, 8)).astype(np.float32)
    assert np.allclose(run(made, value), run(proto, value), atol=1e-5)
    return Counter(node.op_type for node in made.graph.node)


@pytest.mark.parametrize(
    ("options", "pads"),
    [
        ({"kernel_shape": [3, 3], "pads": [1, 1, 1, 1], "count_include_pad": 1}, 1),
        ({"kernel_shape": [3, 2], "strides": [2, 1], "pads": [1, 0, 0, 1], "count_include_pad": 1}, 1),
        ({"kernel_shape": [3, 3], "pads": [1, 1, 1, 1]}, 0),
        ({"kernel_shape": [2, 2], "strides": [2, 2], "count_include_pad": 1}, 0),
        ({"kernel_shape": [3, 3], "strides": [2, 2], "ceil_mode": 1, "count_include_pad": 1}, 0),
        ({"kernel_shape": [3, 3], "auto_pad": "SAME_UPPER", "count_include_pad": 1}, 0),
    ],
)
def test_average_pools_that_count_padding_get_a_pad(
    make_net: Net, options: dict[str, Any], pads: int
) -> None:
    # Nearly every map of the convolution has values of both signs, so that counted zeros show.
    pool = helper.make_node("AveragePool", ["conv"], ["y"], name="pool1", **options)
    kinds = check(make_net([pool], "y"), average_pool.rewrite)
    assert (kinds["Pad"], kinds["AveragePool"]) == (pads, 1)


def shuffle(groups: list[int], order: list[int], back: list[int]) -> tuple[list[Any], dict[str, Any]]:
    nodes = [
        helper.make_node("Reshape", ["conv", "groups"], ["apart"], name="apart"),
        helper.make_node("Transpose", ["apart"], ["turned"], name="turned", perm=order),
        helper.make_node("Reshape", ["turned", "back"], ["y"], name="together"),
    ]
    return nodes, {"groups": np.array(groups), "back": np.array(back)}


@pytest.mark.parametrize(
    ("groups", "order", "gathers"),
    [
        ([1, 2, 2, 8, 8], [0, 2, 1, 3, 4], 1),
        ([2, 2, 8, 8], [1, 0, 2, 3], 1),
        ([2, 2, 64], [1, 0, 2], 1),
        # Pixels move too: no shuffle of channels.
        ([1, 4, 8, 8], [0, 1, 3, 2], 0),
        ([1, 4, 64], [0, 2, 1], 0),
        ([8, 4, 8], [1, 0, 2], 0),
    ],
)
def test_shuffled_channels_are_gathered(
    make_net: Net, groups: list[int], order: list[int], gathers: int
) -> None:
    nodes, constants = shuffle(groups, order, [1, 4, 8, 8])
    kinds = check(make_net(nodes, "y", constants=constants), channel_shuffle.rewrite)
    assert (kinds["Gather"], kinds["Transpose"]) == (gathers, 1 - gathers)


def test_a_shuffle_whose_middle_others_read_is_left_alone(make_net: Net) -> None:
    nodes, constants = shuffle([1, 2, 2, 8, 8], [0, 2, 1, 3, 4], [1, 4, 8, 8])
    nodes.append(helper.make_node("Reshape", ["apart", "back"], ["again"], name="again"))
    nodes.append(helper.make_node("Add", ["y", "again"], ["sum"], name="sum"))
    kinds = check(make_net(nodes, "sum", constants=constants), channel_shuffle.rewrite)
    assert kinds["Gather"] == 0


class Attention(torch.nn.Module):
    """Self-attention as networks write it, over 16 tokens of 8 channels."""

    def __init__(self, unbind: bool, early: bool):
        super().__init__()
        self.unbind, self.early = unbind, early
        self.qkv, self.out = torch.nn.Linear(8, 24), torch.nn.Linear(8, 5)
        self.stem = torch.nn.Conv2d(3, 8, 2, 2)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        tokens = self.stem(x).flatten(2).transpose(1, 2)
        parts = self.qkv(tokens).reshape(1, 16, 3, 2, 4).permute(2, 0, 3, 1, 4)
        query, key, value = parts.unbind(0) if self.unbind else (parts[0], parts[1], parts[2])
        scores = (query * 0.5) @ key.transpose(-2, -1) if self.early else query @ key.transpose(-2, -1) * 0.5
        seen = torch.softmax(scores, -1) @ value
        return self.out(seen.transpose(1, 2).reshape(1, 16, 8).mean(1))


def exported(module: torch.nn.Module) -> Any:
    target = io.BytesIO()
    example = (torch.zeros(1, 3, 8, 8),)
    torch.onnx.export(module, example, target, input_names=["image"], opset_version=20, dynamo=False)
    return onnxslim.slim(onnx.load_model_from_string(target.getvalue()))


@pytest.mark.parametrize("unbind", [True, False])
@pytest.mark.parametrize("early", [True, False])
def test_query_key_and_value_are_taken_apart_before_they_are_made(unbind: bool, early: bool) -> None:
    torch.manual_seed(0)
    kinds = check(exported(Attention(unbind, early).eval()), attention.rewrite)
    assert (kinds["Gemm"] + kinds["MatMul"], kinds["Split"], kinds["Gather"], kinds["Mul"]) == (6, 0, 0, 0)


class Multihead(torch.nn.Module):
    """PyTorch's own attention, tokens first, as CLIP has it."""

    def __init__(self) -> None:
        super().__init__()
        self.attention = torch.nn.MultiheadAttention(8, 2)
        self.stem, self.out = torch.nn.Conv2d(3, 8, 2, 2), torch.nn.Linear(8, 5)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        tokens = self.stem(x).flatten(2).permute(2, 0, 1)
        return self.out(self.attention(tokens, tokens, tokens, need_weights=False)[0].mean(0))


def test_attention_of_pytorch_itself_is_taken_apart() -> None:
    torch.manual_seed(0)
    module = Multihead().eval()
    torch.nn.init.uniform_(module.attention.in_proj_bias)
    kinds = check(exported(module), attention.rewrite)
    # The dense layer behind and the two products remain.
    assert (kinds["Gemm"] + kinds["MatMul"], kinds["Split"], kinds["Gather"], kinds["Mul"]) == (7, 0, 0, 0)


def test_joint_layers_of_other_kinds_are_left_alone() -> None:
    """Parts that are mixed, or whose elements end in another order than those of heads."""
    torch.manual_seed(0)

    class Mixed(Attention):
        def forward(self, x: torch.Tensor) -> torch.Tensor:
            tokens = self.stem(x).flatten(2).transpose(1, 2)
            query, key, value = self.qkv(tokens).reshape(1, 16, 2, 4, 3).permute(4, 0, 2, 1, 3).unbind(0)
            seen = torch.softmax(query @ key.transpose(-2, -1), -1) @ value
            return self.out(seen.transpose(1, 2).reshape(1, 16, 8).mean(1))

    kinds = check(exported(Mixed(True, True).eval()), attention.rewrite)
    assert kinds["Split"] == 1


@pytest.mark.parametrize(("order", "moved"), [([0, 2, 1], [0, 2, 3, 1]), ([0, 1, 2], [0, 1, 2])])
def test_maps_become_tokens_by_a_transpose_that_costs_nothing(
    make_net: Net, order: list[int], moved: list[int]
) -> None:
    nodes = [
        helper.make_node("Reshape", ["conv", "flat_shape"], ["planes"], name="planes"),
        helper.make_node("Transpose", ["planes"], ["row"], name="row", perm=order),
        helper.make_node("Reshape", ["row", "map_shape"], ["y"], name="map"),
    ]
    constants = {"flat_shape": np.array([1, 4, 64]), "map_shape": np.array([1, 4, 8, 8])}
    proto = make_net(nodes, "y", constants=constants)
    check(proto, tokens.rewrite)
    tokens.rewrite(proto)
    (turn,) = [node for node in proto.graph.node if node.op_type == "Transpose"]
    assert list(turn.attribute[0].ints) == moved


def test_transposes_of_no_stated_order_turn_all_dimensions_round(make_net: Net) -> None:
    nodes = [
        helper.make_node("Reshape", ["conv", "flat_shape"], ["planes"], name="planes"),
        helper.make_node("Transpose", ["planes"], ["row"], name="row"),
        helper.make_node("Reshape", ["row", "map_shape"], ["y"], name="map"),
    ]
    constants = {"flat_shape": np.array([1, 4, 64]), "map_shape": np.array([1, 4, 8, 8])}
    assert check(make_net(nodes, "y", constants=constants), tokens.rewrite)["Transpose"] == 1


def test_a_joint_layer_behind_a_transpose_of_no_stated_order_is_left_alone(make_net: Net) -> None:
    nodes = [
        helper.make_node("Reshape", ["conv", "rows_shape"], ["rows"], name="rows"),
        helper.make_node("Gemm", ["rows", "joint", "offset"], ["all"], name="joint"),
        helper.make_node("Transpose", ["all"], ["turned"], name="turned"),
        helper.make_node("Reshape", ["turned", "map_shape"], ["y"], name="map"),
    ]
    constants = {
        "rows_shape": np.array([64, 4]),
        "map_shape": np.array([1, 12, 8, 8]),
        "joint": RNG.normal(0, 0.4, (4, 12)).astype(np.float32),
        "offset": RNG.normal(0, 0.4, 12).astype(np.float32),
    }
    assert check(make_net(nodes, "y", constants=constants, channels=12), attention.rewrite)["Gemm"] == 1
