"""Random one-operator models of the operators without weights."""

import numpy as np
from kernels.models import ACTIVATIONS, Rng, geometry, pick, scale, zero_point
from tflite_builder import Value, build


def add(rng: Rng) -> bytes:
    """Return an ADD: equal shapes or broadcast, two activations or one constant; equal and far scales."""
    return _binary(rng, "ADD")


def sub(rng: Rng) -> bytes:
    """Return a SUB, as `add`."""
    return _binary(rng, "SUB")


def mul(rng: Rng) -> bytes:
    """Return a MUL, as `add`."""
    return _binary(rng, "MUL")


def squared_difference(rng: Rng) -> bytes:
    """Return a SQUARED_DIFFERENCE, as `add`; it has no fused activation."""
    return _binary(rng, "SQUARED_DIFFERENCE")


def _binary(rng: Rng, kind: str) -> bytes:
    rank = int(rng.integers(1, 5))
    full = tuple(int(rng.integers(1, 7)) for _ in range(rank))
    style = pick(rng, ("equal", "equal", "scalar", "channels", "random"))
    first, second = full, full
    match style:
        case "scalar":
            second = (1,) * int(rng.integers(0, rank + 1))
        case "channels":
            second = full[-1:]
        case "random":
            first = tuple(1 if rng.random() < 0.3 else size for size in full)
            second = tuple(1 if rng.random() < 0.3 else size for size in full)
            second = second[int(rng.integers(0, rank)) :]
    if rng.integers(2):
        first, second = second, first
    target = tuple(np.broadcast_shapes(first, second))
    scales = [scale(rng, -6, 0), scale(rng, -6, 0)]
    match pick(rng, ("free", "equal", "powers", "far")):
        case "equal":
            scales[1] = scales[0]
        case "powers":
            scales = [2.0 ** -int(rng.integers(1, 6)), 2.0 ** -int(rng.integers(1, 6))]
        case "far":
            scales[0] = scale(rng, -30, -8)
    out_scale = float(np.float32(max(scales) * 2.0 ** pick(rng, (0, 1, 0.5, -2, 4, rng.uniform(-6, 6)))))
    if kind == "SQUARED_DIFFERENCE":
        scales = [max(value, 2.0**-8) for value in scales]
        out_scale = float(np.float32(max(scales) ** 2 * 2.0 ** rng.uniform(2, 9)))
    if kind == "MUL":
        scales = [max(value, 2.0**-8) for value in scales]
        out_scale = float(np.float32(scales[0] * scales[1] * 2.0 ** pick(rng, (0, 7, rng.uniform(-2, 12)))))
    constant = int(pick(rng, (-1, -1, 0, 1)))
    values = []
    for i, shape in enumerate((first, second)):
        data = rng.integers(-128, 128, shape).astype(np.int8) if constant == i else None
        values.append(Value(shape, scales=[scales[i]], zero_points=[zero_point(rng)], data=data))
    options = {"fused_activation_function": pick(rng, ACTIVATIONS)}
    return build(
        kind,
        values,
        [Value(target, scales=[out_scale], zero_points=[zero_point(rng)])],
        {} if kind == "SQUARED_DIFFERENCE" else options,
    )


def mean(rng: Rng) -> bytes:
    """Return a MEAN over any dimensions, mostly neighbours, with or without keeping them."""
    rank = int(pick(rng, (4, 4, 4, 3, 2, 5)))
    shape = tuple(int(rng.integers(1, 8)) for _ in range(rank))
    axes = [1, 2]
    if rng.random() < 0.3:
        axes = [i for i in range(rank) if rng.integers(2)] or [0]
    elif rank != 4 or rng.random() < 0.4:
        first = int(rng.integers(0, rank))
        axes = list(range(first, int(rng.integers(first, rank)) + 1))
    keep = bool(rng.integers(2))
    target = tuple(1 if i in axes else size for i, size in enumerate(shape) if keep or i not in axes)
    in_scale = scale(rng)
    ratio = float(pick(rng, (1.0, 1.0, 2.0, 0.5, 2.0 ** rng.uniform(-6, 6), 2.0 ** rng.uniform(-20, 0))))
    if rng.integers(2):
        axes = [axis - rank for axis in axes]
    rng.shuffle(axes)
    return build(
        "MEAN",
        [
            Value(shape, scales=[in_scale], zero_points=[zero_point(rng)]),
            Value((len(axes),), "int32", data=np.array(axes, np.int32)),
        ],
        [Value(target, scales=[float(np.float32(in_scale / ratio))], zero_points=[zero_point(rng)])],
        {"keep_dims": keep},
    )


def _pool(rng: Rng, kind: str) -> bytes:
    shape = geometry(rng, dilate=False)
    batches, channels = int(pick(rng, (1, 1, 2))), int(rng.integers(1, 20))
    scales, zero_points = [scale(rng)], [zero_point(rng)]
    options = shape["options"] | {
        "filter_height": shape["kernel"][0],
        "filter_width": shape["kernel"][1],
        "fused_activation_function": pick(rng, ACTIVATIONS),
    }
    return build(
        kind,
        [Value((batches, *shape["size"], channels), scales=scales, zero_points=zero_points)],
        [Value((batches, *shape["output"], channels), scales=scales, zero_points=zero_points)],
        options,
    )


def average_pool_2d(rng: Rng) -> bytes:
    """Return an AVERAGE_POOL_2D of any geometry."""
    return _pool(rng, "AVERAGE_POOL_2D")


def max_pool_2d(rng: Rng) -> bytes:
    """Return a MAX_POOL_2D of any geometry."""
    return _pool(rng, "MAX_POOL_2D")


def pad(rng: Rng) -> bytes:
    """Return a PAD of one to four dimensions."""
    rank = int(pick(rng, (4, 4, 4, 3, 2, 1)))
    shape = tuple(int(rng.integers(1, 6)) for _ in range(rank))
    amounts = rng.integers(0, 4, (rank, 2)) * (rng.random((rank, 1)) < 0.6)
    target = tuple(int(size + pair.sum()) for size, pair in zip(shape, amounts, strict=True))
    scales, zero_points = [scale(rng)], [zero_point(rng)]
    return build(
        "PAD",
        [Value(shape, scales=scales, zero_points=zero_points), Value((rank, 2), "int32", data=amounts)],
        [Value(target, scales=scales, zero_points=zero_points)],
    )


def softmax(rng: Rng) -> bytes:
    """Return a SOFTMAX of up to 300 classes and any scale."""
    rank = int(rng.integers(1, 5))
    depth = int(pick(rng, (1, 2, 10, 10, 100, 300, int(rng.integers(1, 40)))))
    shape = (*(int(rng.integers(1, 3)) for _ in range(rank - 1)), depth)
    in_scale = scale(rng, *pick(rng, ((-8, 0), (-8, 0), (0, 8), (-20, -8))))
    return build(
        "SOFTMAX",
        [Value(shape, scales=[in_scale], zero_points=[zero_point(rng)])],
        [Value(shape, scales=[1 / 256], zero_points=[-128])],
        {"beta": float(pick(rng, (1.0, 1.0, 0.5, 3.0)))},
    )
