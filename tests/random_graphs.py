"""Random small networks: operators that move, join, cut and compute, whose tensors are read again and again.

Every activation has one scale, so that each may follow each. What comes out often has copies that could be
free, parts of parts, an operator that reads one tensor twice, and steps that nobody reads.
"""

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
from tflite_builder import Node, Value, build_graph

QUANTISED: dict[str, Any] = {"scales": [0.05], "zero_points": [3]}
_LARGEST = 6000
_NO_ACTIVATION = {"fused_activation_function": "NONE"}


def graph(seed: int) -> bytes:
    """Return the model of a seed: an input with batch 1, and one output."""
    network = _Network(np.random.default_rng(seed))
    makers: list[Callable[[], None]] = [
        *[network.binary, network.concatenation, network.slice] * 2,
        network.relu,
        network.reversed_slice,
        network.split,
        network.transpose,
        network.reshape,
        network.pad,
        network.pool,
        network.gather,
        network.convolution,
        network.mean,
        network.resize,
    ]
    for _ in range(int(network.rng.integers(4, 14))):
        makers[int(network.rng.integers(len(makers)))]()
    return network.finished()


class _Network:
    """A model that grows by one operator at a time; one that would not fit is left out."""

    def __init__(self, rng: np.random.Generator) -> None:
        self.rng = rng
        self.values: list[Value] = []
        self.nodes: list[Node] = []
        self.live: list[int] = []
        self.activation((1, *(int(size) for size in rng.integers(1, (9, 9, 20)))))

    def activation(self, shape: Sequence[int]) -> int:
        self.values.append(Value(tuple(int(size) for size in shape), **QUANTISED))
        self.live.append(len(self.values) - 1)
        return self.live[-1]

    def ints(self, values: Any) -> int:
        data = np.array(values, np.int32)
        self.values.append(Value(data.shape, "int32", data=data))
        return len(self.values) - 1

    def pick(self) -> tuple[int, tuple[int, ...]]:
        """Return a tensor and its shape, a late one more often."""
        back = min(int(self.rng.geometric(0.35)), len(self.live))
        return self.live[-back], self.values[self.live[-back]].shape

    def axis(self, shape: Sequence[int]) -> int:
        """Return any axis, or the first that is not 1: along that, copies are of whole runs."""
        first = next((i for i, size in enumerate(shape) if size > 1), len(shape) - 1)
        return first if self.rng.random() < 0.6 else int(self.rng.integers(len(shape)))

    def add(self, kind: str, inputs: Sequence[int], shape: Sequence[int], **options: Any) -> None:
        if np.prod(shape) <= _LARGEST:
            version = 1 if kind == "RELU" else None
            self.nodes.append(Node(kind, inputs, [self.activation(shape)], options, version))

    def binary(self) -> None:
        first, shape = self.pick()
        others = [index for index in self.live if self.values[index].shape == shape]
        kind = str(self.rng.choice(["ADD", "MUL", "SUB"]))
        self.add(kind, [first, int(self.rng.choice(others))], shape, **_NO_ACTIVATION)

    def relu(self) -> None:
        first, shape = self.pick()
        self.add("RELU", [first], shape)

    def concatenation(self) -> None:
        first, shape = self.pick()
        axis = self.axis(shape)

        def fits(other: tuple[int, ...]) -> bool:
            return len(other) == len(shape) and all(
                i == axis or a == b for i, (a, b) in enumerate(zip(other, shape, strict=True))
            )

        others = [index for index in self.live if fits(self.values[index].shape)]
        parts = [first, *(int(i) for i in self.rng.choice(others, int(self.rng.integers(1, 3))))]
        joined = list(shape)
        joined[axis] = sum(self.values[index].shape[axis] for index in parts)
        self.add("CONCATENATION", [int(i) for i in self.rng.permutation(parts)], joined, axis=axis)

    def slice(self) -> None:
        first, shape = self.pick()
        axis = self.axis(shape)
        begin, size = [0] * len(shape), list(shape)
        begin[axis] = int(self.rng.integers(shape[axis]))
        size[axis] = int(self.rng.integers(1, shape[axis] - begin[axis] + 1))
        self.add("SLICE", [first, self.ints(begin), self.ints(size)], size)

    def reversed_slice(self) -> None:
        first, shape = self.pick()
        axis, rank = self.axis(shape), len(shape)
        step, size, mask = [1] * rank, list(shape), (1 << rank) - 1
        step[axis] = int(self.rng.choice([-1, 2, -2]))
        size[axis] = len(range(shape[axis])[:: step[axis]])
        bounds = [self.ints([0] * rank), self.ints([0] * rank), self.ints(step)]
        self.add("STRIDED_SLICE", [first, *bounds], size, begin_mask=mask, end_mask=mask)

    def split(self) -> None:
        first, shape = self.pick()
        axis = self.axis(shape)
        if shape[axis] == 1:
            return
        cut = int(self.rng.integers(1, shape[axis]))
        parts = [cut, shape[axis] - cut]
        operands = [first, self.ints(parts), self.ints([axis])]
        outputs = [self.activation([*shape[:axis], part, *shape[axis + 1 :]]) for part in parts]
        self.nodes.append(Node("SPLIT_V", operands, outputs, {"num_splits": 2}))

    def transpose(self) -> None:
        first, shape = self.pick()
        order = [int(i) for i in self.rng.permutation(len(shape))]
        self.add("TRANSPOSE", [first, self.ints(order)], [shape[i] for i in order])

    def reshape(self) -> None:
        first, shape = self.pick()
        count = int(np.prod(shape))
        rows = int(self.rng.choice([i for i in range(1, count + 1) if count % i == 0]))
        self.view(first, [1, rows, count // rows] if self.rng.random() < 0.5 else [1, 1, rows, count // rows])

    def view(self, first: int, shape: list[int]) -> None:
        self.add("RESHAPE", [first, self.ints(shape)], shape, new_shape=shape)

    def pad(self) -> None:
        first, shape = self.pick()
        amounts = self.rng.integers(0, 3, (len(shape), 2))
        amounts[0] = 0
        padded = [size + int(amount.sum()) for size, amount in zip(shape, amounts, strict=True)]
        self.add("PAD", [first, self.ints(amounts)], padded)

    def pool(self) -> None:
        first, shape = self.pick()
        if len(shape) != 4:
            return
        height, width, stride = min(2, shape[1]), min(2, shape[2]), int(self.rng.integers(1, 3))
        target = [shape[0], (shape[1] - height) // stride + 1, (shape[2] - width) // stride + 1, shape[3]]
        options = {"padding": "VALID", "stride_h": stride, "stride_w": stride}
        kind = str(self.rng.choice(["MAX_POOL_2D", "AVERAGE_POOL_2D"]))
        self.add(kind, [first], target, **options, filter_height=height, filter_width=width)

    def gather(self) -> None:
        first, shape = self.pick()
        axis = self.axis(shape)
        count = int(self.rng.integers(1, shape[axis] + 2))
        indices = self.ints(self.rng.integers(0, shape[axis], count))
        self.add("GATHER", [first, indices], [*shape[:axis], count, *shape[axis + 1 :]], axis=axis)

    def convolution(self) -> None:
        first, shape = self.pick()
        if len(shape) != 4:
            return
        outputs, stride = int(self.rng.integers(1, 2 * shape[3] + 1)), int(self.rng.integers(1, 3))
        size = int(self.rng.choice([1, 1, 3]))
        weights = self.rng.integers(-127, 128, (outputs, size, size, shape[3]))
        self.values.append(Value(weights.shape, scales=[0.01], zero_points=[0], data=weights))
        operands = [first, len(self.values) - 1, self.ints(self.rng.integers(-500, 500, outputs))]
        target = [shape[0], -(-shape[1] // stride), -(-shape[2] // stride), outputs]
        options = {"padding": "SAME", "stride_h": stride, "stride_w": stride}
        self.add("CONV_2D", operands, target, **options, **_NO_ACTIVATION)

    def mean(self) -> None:
        first, shape = self.pick()
        axis = int(self.rng.integers(len(shape)))
        self.add("MEAN", [first, self.ints([axis])], [*shape[:axis], 1, *shape[axis + 1 :]], keep_dims=True)

    def resize(self) -> None:
        first, shape = self.pick()
        if len(shape) != 4:
            return
        size = [int(i) for i in self.rng.integers(1, 10, 2)]
        kind = str(self.rng.choice(["RESIZE_BILINEAR", "RESIZE_NEAREST_NEIGHBOR"]))
        half = bool(self.rng.random() < 0.5)
        self.add(kind, [first, self.ints(size)], [shape[0], *size, shape[3]], half_pixel_centers=half)

    def finished(self) -> bytes:
        """Return the model; its output is the last tensor or another, which steps may read later."""
        output, shape = self.pick() if self.rng.random() < 0.4 else (self.live[-1], ())
        shape = shape or self.values[output].shape
        if shape[0] != 1 or self.rng.random() < 0.7:
            self.view(output, [1, int(np.prod(shape))])
            output = self.live[-1]
        if not self.nodes:
            self.relu()
        return build_graph(self.values, self.nodes, [self.live[0]], [output])
