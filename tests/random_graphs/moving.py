"""Operators that move values and compute nothing but an interpolation: each draws one and appends it."""

import math

import numpy as np
from tflite_builder import Node

from random_graphs.network import Network, Unfit


def pad(network: Network) -> None:
    source = network.pick()
    shape = network.shape(source)
    if len(shape) > 4:
        raise Unfit
    amounts = network.rng.integers(0, 4, (len(shape), 2)) * (network.rng.random((len(shape), 1)) < 0.5)
    if network.chance(0.8):
        amounts[0] = 0
    target = [size + int(amount.sum()) for size, amount in zip(shape, amounts, strict=True)]
    operands = [source, network.ints(amounts)]
    if network.chance(0.5):
        network.move("PAD", operands, target)
        return
    scale, zero_point = network.quantization(source)
    value = np.array(network.one_of((-128, 127, zero_point, network.number(-128, 128))), np.int8)
    network.move("PADV2", [*operands, network.constant(value, [scale], [zero_point])], target)


def concatenation(network: Network) -> None:
    first = network.pick()
    shape, (scale, zero_point) = network.shape(first), network.quantization(first)
    axis = network.axis(shape)

    def fits(index: int) -> bool:
        other = network.shape(index)
        alike = len(other) == len(shape) and network.quantization(index) == (scale, zero_point)
        return alike and other[:axis] + other[axis + 1 :] == shape[:axis] + shape[axis + 1 :]

    others = [index for index in network.live if fits(index)]
    parts = [first, *(int(network.one_of(others)) for _ in range(network.number(0, 4)))]
    if len(parts) == 1 or network.chance(0.3):
        data = network.weights([*shape[:axis], network.number(1, 4), *shape[axis + 1 :]])
        parts.append(network.constant(data, [scale], [zero_point]))
    joined = sum(network.shape(part)[axis] for part in parts)
    target = [*shape[:axis], joined, *shape[axis + 1 :]]
    operands = [parts[i] for i in network.rng.permutation(len(parts))]
    given = network.from_the_end(axis, len(shape))
    network.move("CONCATENATION", operands, target, axis=given, fused_activation_function="NONE")


def gather(network: Network) -> None:
    source = network.pick()
    shape = network.shape(source)
    axis = network.axis(shape)
    lengths = network.one_of(((), (network.number(1, 6),), (2, network.number(1, 3))))
    indices = network.ints(network.rng.integers(0, shape[axis], lengths))
    target = [*shape[:axis], *lengths, *shape[axis + 1 :]]
    network.move("GATHER", [source, indices], target, axis=network.from_the_end(axis, len(shape)))


def slice_(network: Network) -> None:
    source = network.pick()
    shape = network.shape(source)
    if len(shape) > 5:
        raise Unfit
    begin = [network.number(0, size) if network.chance(0.5) else 0 for size in shape]
    target = [network.number(1, size - first + 1) for size, first in zip(shape, begin, strict=True)]
    if network.chance(0.5):
        # Along one dimension only, which may cost nothing.
        axis = network.axis(shape)
        begin = [first if i == axis else 0 for i, first in enumerate(begin)]
        target = [target[i] if i == axis else size for i, size in enumerate(shape)]
    to_end = [first + length == size for first, length, size in zip(begin, target, shape, strict=True)]
    asked = [-1 if end and network.chance(0.4) else size for end, size in zip(to_end, target, strict=True)]
    network.move("SLICE", [source, network.ints(begin), network.ints(asked)], target)


def strided_slice(network: Network) -> None:
    source = network.pick()
    shape = network.shape(source)
    rank = len(shape)
    if rank > 5:
        raise Unfit
    begin_mask, end_mask, shrink_mask = (
        network.number(0, 1 << rank) & network.number(0, 1 << rank) for _ in range(3)
    )
    begin, end, step, target = [], [], [], []
    for axis, size in enumerate(shape):
        shrinks = bool(shrink_mask >> axis & 1)
        begin.append(network.number(-size, size) if shrinks else network.number(-size - 2, size + 2))
        end.append(network.number(-size - 2, size + 3))
        step.append(1 if shrinks else network.one_of((1, 1, 2, 3, -1, -2)))
        if not shrinks:
            first = None if begin_mask >> axis & 1 else begin[axis]
            behind = None if end_mask >> axis & 1 else end[axis]
            target.append(len(range(size)[first : behind : step[axis]]))
    if not target:
        raise Unfit
    operands = [source, network.ints(begin), network.ints(end), network.ints(step)]
    masks = {"begin_mask": begin_mask, "end_mask": end_mask, "shrink_axis_mask": shrink_mask}
    network.move("STRIDED_SLICE", operands, target, **masks)


def split(network: Network) -> None:
    source = network.pick()
    shape = network.shape(source)
    axis = network.axis(shape)
    size = shape[axis]
    if len(shape) > 4 or size < 2:
        raise Unfit
    given = network.from_the_end(axis, len(shape))
    if network.chance(0.5):
        count = network.divisor(size)
        parts, kind = [size // count] * count, "SPLIT"
        operands = [network.ints(given), source]
    else:
        cut = network.number(1, size)
        parts, kind = [cut, size - cut], "SPLIT_V"
        operands = [source, network.ints(parts), network.ints(given)]
    if len(parts) > 6:
        raise Unfit
    quantization = network.quantization(source)
    outputs = [network.activation([*shape[:axis], part, *shape[axis + 1 :]], quantization) for part in parts]
    network.nodes.append(Node(kind, operands, outputs, {"num_splits": len(parts)}))


def transpose(network: Network) -> None:
    source = network.pick()
    shape = network.shape(source)
    if not 2 <= len(shape) <= 6:
        raise Unfit
    order = [int(axis) for axis in network.rng.permutation(len(shape))]
    network.move("TRANSPOSE", [source, network.ints(order)], [shape[axis] for axis in order])


def resize(network: Network) -> None:
    source = network.pick(4)
    batches, height, width, channels = network.shape(source)
    size = [network.number(1, 17), network.number(1, 17)]
    if network.chance(0.4):
        size = [height * network.number(1, 4), width * network.number(1, 4)]
    aligned = network.chance(0.4)
    options = {"align_corners": aligned, "half_pixel_centers": not aligned and network.chance(0.5)}
    kind = network.one_of(("RESIZE_BILINEAR", "RESIZE_NEAREST_NEIGHBOR"))
    operands, target = [source, network.ints(size)], (batches, *size, channels)
    network.move(kind, operands, target, version=3, **options)


def reshape(network: Network) -> None:
    """RESHAPE to up to five dimensions, the first of which is a batch of any size."""
    source = network.pick()
    target, rest = [], math.prod(network.shape(source))
    for _ in range(network.number(0, 4)):
        target.append(network.divisor(rest) if network.chance(0.7) else 1)
        rest //= target[-1]
    target = [int(size) for size in network.rng.permutation([*target, rest])]
    if network.chance(0.4):
        target = [1, *target]
    asked = list(target)
    if network.chance(0.3):
        asked[network.number(0, len(asked))] = -1
    network.move("RESHAPE", [source, network.ints(asked)], target, new_shape=asked)


def view(network: Network) -> None:
    """SQUEEZE or EXPAND_DIMS."""
    source = network.pick()
    shape = list(network.shape(source))
    rank, ones = len(shape), [axis for axis, size in enumerate(shape) if size == 1]
    if ones and rank > 2 and network.chance(0.5):
        axis = network.one_of(ones)
        dims = [network.from_the_end(axis, rank)]
        network.move("SQUEEZE", [source], shape[:axis] + shape[axis + 1 :], version=1, squeeze_dims=dims)
    elif rank < 5:
        axis = network.number(0, rank + 1)
        given = network.from_the_end(axis, rank + 1)
        operands = [source, network.ints(given if network.chance(0.5) else [given])]
        network.move("EXPAND_DIMS", operands, [*shape[:axis], 1, *shape[axis:]], version=1)
