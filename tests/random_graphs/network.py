"""A network that grows by one operator at a time, and the quantisation that it draws for each tensor."""

import math
from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray
from tflite_builder import Node, Value, build_graph

LARGEST = 6400
"""Elements of an activation or of a constant."""
MOST_MACS = 1_000_000
ACTIVATIONS = ("NONE", "RELU", "RELU6", "RELU_N1_TO_1")

Quantization = tuple[float, int]
"""Scale and zero point."""


class Unfit(Exception):
    """What an operator draws does not fit this network: it is left out."""


class Network:
    """The values and operators so far; `live` are the activations, the input first."""

    def __init__(self, seed: int) -> None:
        self.rng = np.random.default_rng(seed)
        self.values: list[Value] = []
        self.nodes: list[Node] = []
        self.live: list[int] = []
        # In a network of one quantisation each tensor can be joined with each, and copies can be free.
        self.common = (self.scale(), self.zero_point()) if self.chance(0.25) else None
        shape = self.rng.integers(1, (15, 15, 33))
        self.activation((1, *shape), self.common or (self.scale(), self.zero_point()))

    # What is drawn

    def chance(self, probability: float) -> bool:
        return bool(self.rng.random() < probability)

    def number(self, low: int, end: int) -> int:
        """Return a whole number from `low` to below `end`."""
        return int(self.rng.integers(low, end))

    def one_of(self, values: Sequence[Any]) -> Any:
        return values[self.number(0, len(values))]

    def divisor(self, number: int) -> int:
        return int(self.one_of([d for d in range(1, number + 1) if number % d == 0]))

    def scale(self) -> float:
        """Return a scale: usual, a power of two, a round one, or far from what networks have."""
        kind = self.rng.random()
        if kind < 0.5:
            drawn = 2.0 ** self.rng.uniform(-9, -1)
        elif kind < 0.65:
            drawn = 2.0 ** self.number(-12, 3)
        elif kind < 0.75:
            drawn = self.one_of((1 / 255, 1 / 256, 1 / 128, 1 / 127, 6 / 255, 0.1, 1 / 3, 1 / 6))
        elif kind < 0.9:
            drawn = 2.0 ** self.rng.uniform(-20, 6)
        else:
            drawn = 2.0 ** self.rng.uniform(-30, 15)
        return float(np.float32(drawn))

    def zero_point(self) -> int:
        """Return a zero point, often one at the end of int8."""
        common = (-128, -128, 127, 127, 0, 0, -1, 1)
        return int(self.one_of((*common, self.number(-128, 128), self.number(-128, 128))))

    def fitting(self, magnitude: float) -> Quantization:
        """Return a quantisation for values of about this magnitude, at times far off."""
        if self.common:
            return self.common
        kind = self.rng.random()
        spread = 1.5 if kind < 0.7 else 6 if kind < 0.9 else 14
        scale = max(magnitude, 1e-30) / 64 * 2.0 ** self.rng.uniform(-spread, spread)
        if self.chance(0.1):
            scale = 2.0 ** round(math.log2(scale))
        return float(np.float32(scale)) if 1e-37 < scale < 1e37 else 1.0, self.zero_point()

    def weights(self, shape: Sequence[int]) -> NDArray[np.int8]:
        """Return int8 values: any, only extreme ones, all the same, or small ones."""
        kind = self.rng.random()
        if kind < 0.7:
            drawn = self.rng.integers(-127, 128, shape)
        elif kind < 0.8:
            drawn = self.rng.choice([-128, 127, 0], shape)
        elif kind < 0.9:
            drawn = np.full(shape, self.one_of((-128, 127, 1, -1)))
        else:
            drawn = self.rng.integers(-2, 3, shape)
        return drawn.astype(np.int8)

    def weight_scales(self, channels: int) -> list[float]:
        """Return one scale, or one for each channel: alike, or up to 2**12 apart."""
        if self.chance(0.35):
            return [self.scale()]
        base, spread = 2.0 ** self.rng.uniform(-10, -4), self.one_of((0, 1, 6))
        return [float(np.float32(base * 2.0 ** self.rng.uniform(-spread, spread))) for _ in range(channels)]

    def bias(self, channels: int, scale: float, weight_scales: Sequence[float], absent: float) -> list[int]:
        """Return the bias as the end of a list of operands; it is absent with a probability."""
        kind = self.rng.random()
        if kind < absent:
            return [] if self.chance(0.5) else [-1]
        largest = 500 if kind < 0.6 else 1 << 18 if kind < 0.9 else 1 << 29
        scales = [float(np.float32(scale * weight)) for weight in weight_scales]
        if not all(1e-38 < product < 1e38 for product in scales):
            raise Unfit
        data = self.rng.integers(-largest, largest + 1, channels)
        return [self.constant(data, scales, [0] * len(scales), dtype="int32")]

    def pick(self, rank: int | None = None) -> int:
        """Return an activation of this rank or of any from 1 on, a late one more often."""
        for _ in range(6):
            index = self.live[-min(int(self.rng.geometric(0.4)), len(self.live))]
            if len(self.shape(index)) == rank or (rank is None and self.shape(index)):
                return index
        raise Unfit

    def axis(self, shape: Sequence[int]) -> int:
        """Return any axis, or the first that is not 1: along that, copies are of whole runs."""
        first = next((i for i, size in enumerate(shape) if size > 1), len(shape) - 1)
        return first if self.chance(0.5) else self.number(0, len(shape))

    def from_the_end(self, axis: int, rank: int) -> int:
        """Return the axis, or the same one as a negative number."""
        return axis - rank if self.chance(0.3) else axis

    # What is added

    def shape(self, index: int) -> tuple[int, ...]:
        return self.values[index].shape

    def quantization(self, index: int) -> Quantization:
        return self.values[index].scales[0], self.values[index].zero_points[0]

    def activation(self, shape: Sequence[int], quantization: Quantization) -> int:
        check_size(shape)
        scale, zero_point = quantization
        whole = tuple(int(size) for size in shape)
        self.values.append(Value(whole, scales=[scale], zero_points=[zero_point]))
        self.live.append(len(self.values) - 1)
        return self.live[-1]

    def ints(self, values: ArrayLike) -> int:
        return self.constant(np.array(values, np.int32), dtype="int32")

    def constant(
        self,
        data: NDArray[Any],
        scales: Sequence[float] = (),
        zero_points: Sequence[int] = (),
        *,
        axis: int = 0,
        dtype: str = "int8",
    ) -> int:
        self.values.append(Value(data.shape, dtype, scales, zero_points, axis, data))
        return len(self.values) - 1

    def add(
        self,
        kind: str,
        operands: Sequence[int],
        shape: Sequence[int],
        quantization: Quantization,
        version: int | None = None,
        **options: Any,
    ) -> int:
        """Append an operator with one output, and return that."""
        output = self.activation(shape, quantization)
        self.nodes.append(Node(kind, [int(index) for index in operands], [output], options, version))
        return output

    def move(
        self,
        kind: str,
        operands: Sequence[int],
        shape: Sequence[int],
        version: int | None = None,
        **options: Any,
    ) -> int:
        """Append an operator whose output is quantised as its first operand is."""
        return self.add(kind, operands, shape, self.quantization(operands[0]), version, **options)

    def finished(self) -> bytes:
        """Return the model; its output is the last tensor or another, which steps may read later."""
        output = self.live[-1]
        if self.chance(0.3):
            output = int(self.one_of(self.live[1:]))
        shape = self.shape(output)
        if shape[:1] != (1,) or self.chance(0.5):
            flat = [1, math.prod(shape)]
            output = self.move("RESHAPE", [output, self.ints(flat)], flat, new_shape=flat)
        return build_graph(self.values, self.nodes, [self.live[0]], [output])


def check_size(shape: Sequence[int], macs: int = 0) -> None:
    """Raise Unfit for a tensor, or work, that would take an emulated board too long."""
    if not 1 <= math.prod(shape) <= LARGEST or macs > MOST_MACS:
        raise Unfit
