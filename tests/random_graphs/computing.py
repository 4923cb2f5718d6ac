"""Operators that compute: each draws one that fits the network, and appends it."""

import math
from dataclasses import dataclass

import numpy as np

from random_graphs.network import ACTIVATIONS, Network, Unfit, check_size


@dataclass(frozen=True)
class _Window:
    """A filter, how it moves over an image, and the height and width that result."""

    filter: tuple[int, int]
    output: tuple[int, int]
    options: dict[str, object]


def _window(network: Network, size: tuple[int, int], filters: tuple[int, ...], dilated: bool) -> _Window:
    padding = network.one_of(("SAME", "VALID"))
    chosen, output, options = [], [], {"padding": padding}
    for axis, length in zip("hw", size, strict=True):
        width = int(network.one_of((*filters, length)))
        stride = network.one_of((1, 1, 1, 2, 2, 3, 4, 5))
        dilation = network.one_of((1, 1, 1, 2, 3)) if dilated else 1
        reach = (width - 1) * dilation + 1
        chosen.append(width)
        output.append(-(-length // stride) if padding == "SAME" else (length - reach) // stride + 1)
        options[f"stride_{axis}"] = stride
        if dilated:
            options[f"dilation_{axis}_factor"] = dilation
    if min(output) < 1:
        raise Unfit
    return _Window((chosen[0], chosen[1]), (output[0], output[1]), options)


def convolution(network: Network) -> None:
    source = network.pick(4)
    batches, height, width, channels = network.shape(source)
    window = _window(network, (height, width), (1, 1, 2, 3, 3, 5), dilated=True)
    groups = network.divisor(channels) if network.chance(0.25) else 1
    outputs = groups * network.number(1, 25 if groups == 1 else 9)
    depth = math.prod(window.filter) * channels // groups
    shape = (batches, *window.output, outputs)
    check_size(shape, math.prod(shape) * depth)
    check_size((outputs, depth))
    scale, scales = network.quantization(source)[0], network.weight_scales(outputs)
    weights = network.weights((outputs, *window.filter, channels // groups))
    operands = [source, network.constant(weights, scales, [0] * len(scales))]
    operands += network.bias(outputs, scale, scales, absent=0)
    quantization = network.fitting(scale * float(np.median(scales)) * 7600 * math.sqrt(depth))
    activation = network.one_of(ACTIVATIONS)
    options = {**window.options, "fused_activation_function": activation}
    network.add("CONV_2D", operands, shape, quantization, **options)


def depthwise(network: Network) -> None:
    source = network.pick(4)
    batches, height, width, channels = network.shape(source)
    window = _window(network, (height, width), (1, 2, 3, 3, 5, 7), dilated=True)
    multiplier = network.one_of((1, 1, 1, 2, 3, 5))
    outputs, depth = channels * multiplier, math.prod(window.filter)
    shape = (batches, *window.output, outputs)
    check_size(shape, math.prod(shape) * depth)
    check_size((outputs, depth))
    scale, scales = network.quantization(source)[0], network.weight_scales(outputs)
    weights = network.weights((1, *window.filter, outputs))
    operands = [source, network.constant(weights, scales, [0] * len(scales), axis=3)]
    operands += network.bias(outputs, scale, scales, absent=0)
    quantization = network.fitting(scale * float(np.median(scales)) * 7600 * math.sqrt(depth))
    options = {**window.options, "depth_multiplier": multiplier}
    options["fused_activation_function"] = network.one_of(ACTIVATIONS)
    network.add("DEPTHWISE_CONV_2D", operands, shape, quantization, **options)


def fully_connected(network: Network) -> None:
    source = network.pick()
    shape = network.shape(source)
    count, outputs = math.prod(shape), network.number(1, 33)
    keep = len(shape) > 1 and network.chance(0.4)
    depth = shape[-1] if keep or network.chance(0.5) else network.divisor(count)
    rows = count // depth
    check_size((rows, outputs), rows * outputs * depth)
    check_size((outputs, depth))
    scale, scales = network.quantization(source)[0], network.weight_scales(outputs)
    weights = network.weights((outputs, depth))
    operands = [source, network.constant(weights, scales, [0] * len(scales))]
    operands += network.bias(outputs, scale, scales, absent=0.3)
    quantization = network.fitting(scale * float(np.median(scales)) * 7600 * math.sqrt(depth))
    target = [*shape[:-1], outputs] if keep else [rows, outputs]
    activation = network.one_of(ACTIVATIONS)
    options = {"keep_num_dims": keep, "fused_activation_function": activation}
    network.add("FULLY_CONNECTED", operands, target, quantization, **options)


def binary(network: Network) -> None:
    kind = network.one_of(("ADD", "SUB", "MUL", "SQUARED_DIFFERENCE"))
    first = network.pick()
    shape, scale = network.shape(first), network.quantization(first)[0]
    if network.chance(0.5):
        second = network.one_of([index for index in network.live if _joint(network.shape(index), shape)])
    else:
        sizes = _constant_shape(network, shape)
        if not _joint(sizes, shape):
            raise Unfit
        other = network.fitting(scale * 64)[0] if network.chance(0.6) else network.scale()
        second = network.constant(network.weights(sizes), [other], [network.zero_point()])
    target = _joint(network.shape(second), shape)
    larger = max(scale, network.quantization(second)[0])
    product = scale * network.quantization(second)[0]
    magnitudes = {"MUL": 4000 * product, "SQUARED_DIFFERENCE": 6000 * larger * larger}
    operands = [first, second] if network.chance(0.5) else [second, first]
    # SQUARED_DIFFERENCE has no activation to fuse.
    options = (
        {} if kind == "SQUARED_DIFFERENCE" else {"fused_activation_function": network.one_of(ACTIVATIONS)}
    )
    quantization = network.fitting(magnitudes.get(kind, 80 * larger))
    network.add(kind, operands, target, quantization, **options)


def _joint(left: tuple[int, ...], right: tuple[int, ...]) -> tuple[int, ...]:
    """Return what two shapes broadcast to; empty where they do not, or it is too large."""
    try:
        shape = np.broadcast_shapes(left, right)
        check_size(shape)
    except (ValueError, Unfit):
        return ()
    return shape


def _constant_shape(network: Network, shape: tuple[int, ...]) -> tuple[int, ...]:
    """Return a shape that broadcasts with this one: along any dimensions, on either side."""
    sizes = [size if network.chance(0.55) else 1 for size in shape]
    if network.chance(0.15):
        wider = [network.number(2, 5) if size == 1 else size for size in sizes]
        sizes = [w if full == 1 else size for w, size, full in zip(wider, sizes, shape, strict=True)]
    return tuple(sizes[network.number(0, len(sizes) + 1) :] if network.chance(0.4) else sizes)


def mean(network: Network) -> None:
    source = network.pick()
    shape = network.shape(source)
    axes = [int(i) for i in network.rng.permutation(len(shape))[: network.number(1, len(shape) + 1)]]
    keep = network.chance(0.5)
    target = [1 if i in axes else size for i, size in enumerate(shape) if keep or i not in axes]
    given = [network.from_the_end(axis, len(shape)) for axis in axes]
    if network.chance(0.1):
        given.append(given[0])
    scale, zero_point = network.quantization(source)
    quantization = (scale, zero_point) if network.chance(0.3) else network.fitting(scale * 40)
    network.add("MEAN", [source, network.ints(given)], target, quantization, keep_dims=keep)


def pool(network: Network) -> None:
    source = network.pick(4)
    batches, height, width, channels = network.shape(source)
    window = _window(network, (height, width), (1, 2, 2, 3, 4, 5), dilated=False)
    options = {**window.options, "filter_height": window.filter[0], "filter_width": window.filter[1]}
    options["fused_activation_function"] = network.one_of(ACTIVATIONS)
    shape = (batches, *window.output, channels)
    kind = network.one_of(("MAX_POOL_2D", "AVERAGE_POOL_2D"))
    network.move(kind, [source], shape, **options)


_VERSIONS = {"RELU_N1_TO_1": 1, "RELU_0_TO_1": 1, "HARD_SWISH": 1}
_FIXED = {"LOGISTIC": (1 / 256, -128), "TANH": (1 / 128, 0)}


def unary(network: Network) -> None:
    clipping = ("RELU", "RELU6", "RELU_N1_TO_1", "RELU_0_TO_1", "LEAKY_RELU")
    kind = network.one_of((*clipping, "HARD_SWISH", "LOGISTIC", "TANH", "GELU", "QUANTIZE"))
    source = network.pick()
    scale, zero_point = network.quantization(source)
    quantization = (scale, zero_point) if network.chance(0.25) else network.fitting(scale * 64)
    options: dict[str, object] = {}
    if kind == "LEAKY_RELU":
        options["alpha"] = float(np.float32(network.one_of((0.1, 0.01, 0.3, -0.5, 1.5, 0.0))))
    if kind == "GELU":
        options["approximate"] = network.chance(0.5)
    version = _VERSIONS.get(kind)
    network.add(
        kind, [source], network.shape(source), _FIXED.get(kind, quantization), version=version, **options
    )


def reciprocal_root(network: Network) -> None:
    """RSQRT behind a QUANTIZE that leaves nothing below zero, where LiteRT would stop."""
    source = network.pick()
    scale, shape = network.quantization(source)[0], network.shape(source)
    above = network.add("QUANTIZE", [source], shape, (scale, -128))
    network.add("RSQRT", [above], shape, network.fitting(1 / math.sqrt(scale * 64)), version=1)


def prelu(network: Network) -> None:
    source = network.pick()
    shape = network.shape(source)
    if len(shape) < 2:
        raise Unfit
    slopes = network.weights([size if network.chance(0.5) else 1 for size in shape[1:]])
    slope = float(np.float32(2.0 ** network.rng.uniform(-10, -2)))
    operands = [source, network.constant(slopes, [slope], [network.zero_point()])]
    network.add("PRELU", operands, shape, network.fitting(network.quantization(source)[0] * 64))


def softmax(network: Network) -> None:
    source = network.pick()
    shape = network.shape(source)
    # LiteRT ends its process where the exponentials add up to 512.
    if shape[-1] > 500:
        raise Unfit
    beta = float(network.one_of((1.0, 1.0, 0.5, 10.0, 0.01)))
    network.add("SOFTMAX", [source], shape, (1 / 256, -128), beta=beta)


def batch_matmul(network: Network) -> None:
    first = network.pick()
    left = network.shape(first)
    if not 2 <= len(left) <= 5:
        raise Unfit
    turned = network.chance(0.5)
    rows, depth = (left[-1], left[-2]) if turned else (left[-2], left[-1])
    found = []
    for second in network.live:
        right = network.shape(second)
        for turned_right in (False, True) if 2 <= len(right) <= 5 else ():
            inner, columns = (right[-1], right[-2]) if turned_right else (right[-2], right[-1])
            batches = _joint((*left[:-2], 1), (*right[:-2], 1))[:-1]
            fits = inner == depth and (batches or (len(left), len(right)) == (2, 2))
            if fits and math.prod(batches) * rows * columns * depth <= 200_000:
                found.append((second, turned_right, (*batches, rows, columns)))
    if not found:
        raise Unfit
    second, turned_right, shape = network.one_of(found)
    product = network.quantization(first)[0] * network.quantization(second)[0]
    quantization = network.fitting(product * 4000 * math.sqrt(depth))
    network.add("BATCH_MATMUL", [first, second], shape, quantization, adj_x=turned, adj_y=turned_right)
