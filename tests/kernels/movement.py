"""Random one-operator models of the operators that move elements, and of those for attention."""

import numpy as np
from kernels.models import Rng, pick, scale, zero_point
from tflite_builder import Value, build

Quantised = tuple[list[float], list[int]]


def _shape(rng: Rng, low: int, high: int, largest: int = 6) -> tuple[int, ...]:
    return tuple(int(rng.integers(1, largest + 1)) for _ in range(int(rng.integers(low, high + 1))))


def _same(rng: Rng) -> Quantised:
    return [scale(rng)], [zero_point(rng)]


def _moved(
    kind: str,
    quantised: Quantised,
    source: tuple[int, ...],
    operands: list[Value],
    targets: list[tuple[int, ...]],
    version: int | None = None,
    **options: object,
) -> bytes:
    """Return a model of an operator whose input and outputs have one quantisation."""
    value = Value(source, scales=quantised[0], zero_points=quantised[1])
    order = [*operands, value] if kind == "SPLIT" else [value, *operands]
    outputs = [Value(target, scales=quantised[0], zero_points=quantised[1]) for target in targets]
    return build(kind, order, outputs, options, version=version)


def _ints(*values: int) -> Value:
    return Value((len(values),), "int32", data=np.array(values, np.int32))


def transpose(rng: Rng) -> bytes:
    """Return a TRANSPOSE of two to five dimensions."""
    shape = _shape(rng, 2, 5)
    order = [int(axis) for axis in rng.permutation(len(shape))]
    return _moved("TRANSPOSE", _same(rng), shape, [_ints(*order)], [tuple(shape[axis] for axis in order)])


def slice_(rng: Rng) -> bytes:
    """Return a SLICE of one to five dimensions, with -1 for the rest at times."""
    shape = _shape(rng, 1, 5)
    begin = [int(rng.integers(0, size)) for size in shape]
    count = [int(rng.integers(1, size - first + 1)) for size, first in zip(shape, begin, strict=True)]
    asked = [
        -1 if first + n == size and rng.random() < 0.5 else n
        for size, first, n in zip(shape, begin, count, strict=True)
    ]
    return _moved("SLICE", _same(rng), shape, [_ints(*begin), _ints(*asked)], [tuple(count)])


def strided_slice(rng: Rng) -> bytes:
    """Return a STRIDED_SLICE of one to five dimensions: strides both ways, masks, bounds from the end."""
    while True:
        shape = _shape(rng, 1, 5)
        rank = len(shape)
        step = [int(pick(rng, (1, 1, 2, 3, -1, -2))) for _ in shape]
        begin = [int(rng.integers(-size, size)) for size in shape]
        end = [int(rng.integers(-size - 1, size + 2)) for size in shape]
        masks = [int(rng.integers(0, 1 << rank)) & int(rng.integers(0, 1 << rank)) for _ in range(3)]
        target: list[int] = []
        for i, size in enumerate(shape):
            if masks[2] >> i & 1:
                step[i] = 1
                continue
            first = None if masks[0] >> i & 1 else begin[i]
            last = None if masks[1] >> i & 1 else end[i]
            target.append(len(range(size)[first : last : step[i]]))
        if all(target):
            break
    return _moved(
        "STRIDED_SLICE",
        _same(rng),
        shape,
        [_ints(*begin), _ints(*end), _ints(*step)],
        [tuple(target)],
        begin_mask=masks[0],
        end_mask=masks[1],
        shrink_axis_mask=masks[2],
    )


def split(rng: Rng) -> bytes:
    """Return a SPLIT into up to four parts."""
    shape = list(_shape(rng, 1, 4))
    axis, parts = int(rng.integers(0, len(shape))), int(rng.integers(1, 5))
    part = tuple(size for size in shape)
    shape[axis] *= parts
    given = axis - len(shape) if rng.integers(2) else axis
    operand = Value((), "int32", data=np.array(given, np.int32))
    return _moved("SPLIT", _same(rng), tuple(shape), [operand], [part] * parts, num_splits=parts)


def split_v(rng: Rng) -> bytes:
    """Return a SPLIT_V into up to four parts, one of them at times not said."""
    shape = list(_shape(rng, 1, 4))
    axis = int(rng.integers(0, len(shape)))
    parts = [int(rng.integers(1, 4)) for _ in range(int(rng.integers(1, 5)))]
    shape[axis] = sum(parts)
    targets = [tuple(part if i == axis else size for i, size in enumerate(shape)) for part in parts]
    asked = list(parts)
    if rng.integers(2):
        asked[int(rng.integers(0, len(parts)))] = -1
    operand = Value((), "int32", data=np.array(axis, np.int32))
    return _moved(
        "SPLIT_V", _same(rng), tuple(shape), [_ints(*asked), operand], targets, num_splits=len(parts)
    )


def gather(rng: Rng) -> bytes:
    """Return a GATHER of one index or several."""
    shape = _shape(rng, 1, 4)
    axis = int(rng.integers(0, len(shape)))
    count = int(rng.integers(1, 5))
    scalar = bool(rng.integers(2))
    indices = rng.integers(0, shape[axis], () if scalar else (count,)).astype(np.int32)
    target = (*shape[:axis], *indices.shape, *shape[axis + 1 :])
    operand = Value(indices.shape, "int32", data=indices)
    given = axis - len(shape) if rng.integers(2) else axis
    return _moved("GATHER", _same(rng), shape, [operand], [target], axis=given)


def concatenation(rng: Rng) -> bytes:
    """Return a CONCATENATION of up to five parts, constants among them."""
    shape = _shape(rng, 1, 4)
    axis, count = int(rng.integers(0, len(shape))), int(rng.integers(1, 6))
    scales, zero_points = _same(rng)
    values = []
    for number in range(count):
        part = tuple(int(rng.integers(1, 5)) if i == axis else size for i, size in enumerate(shape))
        constant = number and rng.random() < 0.3
        data = rng.integers(-128, 128, part).astype(np.int8) if constant else None
        values.append(Value(part, scales=scales, zero_points=zero_points, data=data))
    total = sum(value.shape[axis] for value in values)
    target = tuple(total if i == axis else size for i, size in enumerate(shape))
    given = axis - len(shape) if rng.integers(2) else axis
    return build(
        "CONCATENATION",
        values,
        [Value(target, scales=scales, zero_points=zero_points)],
        {"axis": given, "fused_activation_function": "NONE"},
    )


def padv2(rng: Rng) -> bytes:
    """Return a PADV2 with any value."""
    shape = _shape(rng, 1, 4, 5)
    amounts = rng.integers(0, 4, (len(shape), 2)) * (rng.random((len(shape), 1)) < 0.6)
    target = tuple(int(size + pair.sum()) for size, pair in zip(shape, amounts, strict=True))
    quantised = _same(rng)
    value = Value(
        (), scales=quantised[0], zero_points=quantised[1], data=np.array(rng.integers(-128, 128), np.int8)
    )
    operands = [Value((len(shape), 2), "int32", data=amounts), value]
    return _moved("PADV2", quantised, shape, operands, [target])


def prelu(rng: Rng) -> bytes:
    """Return a PRELU with slopes per channel, per element or for all."""
    shape = _shape(rng, 4, 4)
    slopes = pick(rng, ((1, 1, shape[3]), (1, 1, 1), shape[1:]))
    in_scale = scale(rng)
    return build(
        "PRELU",
        [
            Value(shape, scales=[in_scale], zero_points=[zero_point(rng)]),
            Value(
                slopes,
                scales=[scale(rng, -10, -4)],
                zero_points=[zero_point(rng)],
                data=rng.integers(-128, 128, slopes).astype(np.int8),
            ),
        ],
        [Value(shape, scales=[float(np.float32(in_scale * 2.0 ** rng.uniform(-2, 2)))], zero_points=[3])],
    )


def batch_matmul(rng: Rng) -> bytes:
    """Return a BATCH_MATMUL: batches that broadcast, either operand transposed."""
    rows, depth, columns = (int(rng.integers(1, 9)) for _ in range(3))
    depth = int(pick(rng, (depth, depth, 40)))
    batches = _shape(rng, 0, 3, 3)
    left = [1 if rng.random() < 0.2 else size for size in batches]
    right = [1 if rng.random() < 0.2 else size for size in batches]
    whole = tuple(np.broadcast_shapes(tuple(left), tuple(right)))
    flips = [bool(rng.integers(2)), bool(rng.integers(2))]
    scales = [scale(rng), scale(rng)]
    out_scale = float(np.float32(scales[0] * scales[1] * np.sqrt(depth) * 2.0 ** rng.uniform(4, 9)))
    return build(
        "BATCH_MATMUL",
        [
            Value(
                (*left, *((depth, rows) if flips[0] else (rows, depth))),
                scales=[scales[0]],
                zero_points=[zero_point(rng)],
            ),
            Value(
                (*right, *((columns, depth) if flips[1] else (depth, columns))),
                scales=[scales[1]],
                zero_points=[zero_point(rng)],
            ),
        ],
        [Value((*whole, rows, columns), scales=[out_scale], zero_points=[zero_point(rng)])],
        {"adj_x": flips[0], "adj_y": flips[1]},
    )


def _resize(rng: Rng, kind: str) -> bytes:
    shape = (int(pick(rng, (1, 2))), *(int(rng.integers(2, 8)) for _ in range(2)), int(rng.integers(1, 5)))
    size = [int(rng.integers(1, 17)) for _ in range(2)]
    if rng.random() < 0.3:
        size = [2 * side for side in shape[1:3]]  # halves, and so ties
    corners = bool(rng.integers(2))
    centers = bool(rng.integers(2)) and not corners
    return _moved(
        kind,
        _same(rng),
        shape,
        [_ints(*size)],
        [(shape[0], *size, shape[3])],
        version=3,
        align_corners=corners,
        half_pixel_centers=centers,
    )


def resize_bilinear(rng: Rng) -> bytes:
    """Return a RESIZE_BILINEAR up or down, with each kind of centres."""
    return _resize(rng, "RESIZE_BILINEAR")


def resize_nearest_neighbor(rng: Rng) -> bytes:
    """Return a RESIZE_NEAREST_NEIGHBOR up or down, with each kind of centres."""
    return _resize(rng, "RESIZE_NEAREST_NEIGHBOR")
