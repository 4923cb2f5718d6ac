"""Slices and concatenations that cost nothing: step by step against LiteRT, and only where they are right."""

from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import pytest
from generated_c import check_against_oracle, made
from kernels import esp_nn
from tflite_builder import Node, Value, build_graph

from edgekit import contract
from edgekit.codegen.generator import generate
from edgekit.graph import tflite
from edgekit.ops.step import PORTABLE

SCALE, ZERO_POINT = 0.1, 3
VALID = {"padding": "VALID", "stride_h": 1, "stride_w": 1}


@dataclass
class Network:
    """A model that is built operator by operator; each method returns the index of what it made."""

    rng: np.random.Generator
    values: list[Value] = field(default_factory=list)
    nodes: list[Node] = field(default_factory=list)

    def activation(self, *shape: int) -> int:
        self.values.append(Value(shape, scales=[SCALE], zero_points=[ZERO_POINT]))
        return len(self.values) - 1

    def constant(self, value: Value) -> int:
        self.values.append(value)
        return len(self.values) - 1

    def ints(self, *numbers: int) -> int:
        return self.constant(Value((len(numbers),), "int32", data=np.array(numbers, np.int32)))

    def shape(self, index: int) -> tuple[int, ...]:
        return tuple(self.values[index].shape)

    def convolution(self, source: int, channels: int = 2) -> int:
        """Return a pointwise CONV_2D."""
        _, height, width, depth = self.shape(source)
        data = self.rng.integers(-127, 128, (channels, 1, 1, depth))
        weights = self.constant(Value(data.shape, scales=[0.02], zero_points=[0], data=data))
        bias = self.constant(Value((channels,), "int32", data=self.rng.integers(-300, 300, channels)))
        target = self.activation(1, height, width, channels)
        self.nodes.append(Node("CONV_2D", [source, weights, bias], [target], VALID))
        return target

    def relu(self, source: int) -> int:
        target = self.activation(*self.shape(source))
        self.nodes.append(Node("RELU", [source], [target]))
        return target

    def reshape(self, source: int, *shape: int) -> int:
        target = self.activation(*shape)
        self.nodes.append(Node("RESHAPE", [source, self.ints(*shape)], [target], {"new_shape": list(shape)}))
        return target

    def split(self, source: int, parts: int, axis: int = 1) -> list[int]:
        shape = list(self.shape(source))
        shape[axis] //= parts
        targets = [self.activation(*shape) for _ in range(parts)]
        place = self.constant(Value((), "int32", data=np.array(axis, np.int32)))
        self.nodes.append(Node("SPLIT", [place, source], targets, {"num_splits": parts}))
        return targets

    def rows(self, source: int, first: int, count: int) -> int:
        shape = self.shape(source)
        target = self.activation(1, count, *shape[2:])
        begin = [0, first, *[0] * (len(shape) - 2)]
        size = [1, count, *[-1] * (len(shape) - 2)]
        self.nodes.append(Node("SLICE", [source, self.ints(*begin), self.ints(*size)], [target]))
        return target

    def concatenation(self, *parts: int, axis: int = 1) -> int:
        shape = list(self.shape(parts[0]))
        shape[axis] = sum(self.shape(part)[axis] for part in parts)
        target = self.activation(*shape)
        options = {"axis": axis, "fused_activation_function": "NONE"}
        self.nodes.append(Node("CONCATENATION", list(parts), [target], options))
        return target

    def model(self, last: int) -> bytes:
        """Return the model, whose scores are `last`."""
        scores = self.reshape(last, 1, int(np.prod(self.shape(last))))
        return build_graph(self.values, self.nodes, [0], [scores])


def network(seed: int = 5) -> tuple[Network, int]:
    """Return a network and its input."""
    found = Network(np.random.default_rng(seed))
    return found, found.activation(1, 6, 5, 3)


def copied(model: bytes) -> list[str]:
    """Return the kinds of the steps that copy."""
    kernels = ("ek_strided_copy_s8", "ek_concatenation_s8")
    return [step.kind for step in made(model).steps if step.kernel in kernels]


def test_halves_are_read_where_they_lie_and_written_where_they_belong(tmp_path: Path) -> None:
    net, image = network()
    upper, lower = net.split(net.convolution(image), 2)
    whole = net.concatenation(net.convolution(lower, 6), net.convolution(upper, 6))
    model = net.model(net.relu(whole))
    assert copied(model) == []
    check_against_oracle(model, tmp_path, 20)


def test_views_of_parts_are_parts(tmp_path: Path) -> None:
    net, image = network()
    heads = [net.reshape(net.convolution(image, c), 1, 30, c) for c in (4, 4)]
    heads.append(net.reshape(net.convolution(net.rows(image, 1, 3), 4), 1, 15, 4))
    model = net.model(net.rows(net.relu(net.concatenation(*heads)), 7, 60))
    assert copied(model) == []
    check_against_oracle(model, tmp_path, 20)


def test_a_part_is_read_by_others_too(tmp_path: Path) -> None:
    net, image = network()
    first = net.convolution(image)
    second = net.relu(first)
    model = net.model(net.relu(net.concatenation(first, second, net.convolution(first))))
    assert copied(model) == []
    check_against_oracle(model, tmp_path, 20)


def test_channels_of_several_pixels_stay_copies(tmp_path: Path) -> None:
    net, image = network()
    upper, lower = net.split(net.convolution(image, 4), 2, axis=3)
    model = net.model(net.concatenation(net.relu(upper), net.relu(lower), axis=3))
    assert copied(model) == ["SPLIT", "SPLIT", "CONCATENATION"]
    check_against_oracle(model, tmp_path, 20)


def test_constants_and_the_input_stay_copies(tmp_path: Path) -> None:
    net, image = network()
    data = net.rng.integers(-128, 128, (1, 1, 5, 3))
    token = net.constant(Value(data.shape, scales=[SCALE], zero_points=[ZERO_POINT], data=data))
    whole = net.concatenation(token, net.relu(image))
    model = net.model(net.concatenation(image, net.relu(whole)))
    assert copied(model) == ["CONCATENATION", "CONCATENATION"]
    check_against_oracle(model, tmp_path, 20)


@pytest.mark.parametrize("seed", range(12))
def test_random_networks_equal_the_reference_at_every_step(seed: int, tmp_path: Path) -> None:
    net, image = network(seed)
    made_so_far = [image]
    for _ in range(14):
        one, other = (made_so_far[int(i)] for i in net.rng.integers(0, len(made_so_far), 2))
        match net.rng.integers(0, 5):
            case 0 if (height := net.shape(one)[1]) > 1:
                first = int(net.rng.integers(0, height - 1))
                made_so_far.append(net.rows(one, first, int(net.rng.integers(1, height - first + 1))))
            case 1 if net.shape(one)[1] % 2 == 0:
                made_so_far += net.split(one, 2)
            case 2 if net.shape(one)[1] + net.shape(other)[1] <= 24:
                made_so_far.append(net.concatenation(one, other))
            case 3:
                made_so_far.append(net.convolution(one, 3))
            case _:
                made_so_far.append(net.relu(one))
    every = net.concatenation(*made_so_far[-4:], net.relu(made_so_far[-5]))
    check_against_oracle(net.model(net.relu(every)), tmp_path, 4)


@pytest.mark.parametrize(("width", "free"), [(8, True), (7, False)])
def test_kernels_of_a_processor_get_aligned_bytes(width: int, free: bool) -> None:
    """A row of 8 pixels of 2 channels is 16 bytes, one of 7 is not."""
    net = Network(np.random.default_rng(5))
    image = net.activation(1, 6, width, 2)
    first, second = net.convolution(net.rows(image, 1, 3)), net.convolution(net.rows(image, 3, 1))
    graph = tflite.parse(net.model(net.convolution(net.concatenation(first, second))))
    generated = generate(graph, contract.of(graph), folders=(esp_nn.FOLDER, PORTABLE))
    convolutions = [step for step in generated.steps if step.kind == "CONV_2D"]
    assert {step.folder for step in convolutions} == {esp_nn.FOLDER}
    for step in convolutions:
        assert all(generated.plan.offsets[index] % 16 == 0 for index in (*step.inputs, step.output))
    moved = [step for step in generated.steps if step.kind in ("SLICE", "CONCATENATION")]
    assert [step.kernel is None for step in moved] == [free] * 3
