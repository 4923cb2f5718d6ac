"""Models that LiteRT's reference kernels crash on, refuse to answer, or get wrong in one of their modes."""

import numpy as np
from tflite_builder import Node, Value, build_graph

INT8 = {"scales": (1 / 255,), "zero_points": (-128,)}
NO_ACTIVATION = {"fused_activation_function": "NONE"}


def flat(classes: int = 513) -> bytes:
    """Return RESHAPE, SOFTMAX, RELU over [1, 1, classes, 1]: LiteRT crashes where all pixels are equal."""
    values = [
        Value((1, 1, classes, 1), **INT8, name="image"),
        Value((2,), "int32", data=np.array([1, classes])),
        Value((1, classes), **INT8, name="logits"),
        Value((1, classes), scales=(1 / 256,), zero_points=(-128,), name="shares"),
        Value((1, classes), scales=(1 / 256,), zero_points=(-128,), name="scores"),
    ]
    nodes = [Node("RESHAPE", [0, 1], [2]), Node("SOFTMAX", [2], [3], {"beta": 1.0}), Node("RELU", [3], [4])]
    return build_graph(values, nodes, [0], [4])


def root() -> bytes:
    """Return RSQRT over [1, 4, 4, 3], whose input is negative below 0."""
    shape = (1, 4, 4, 3)
    values = [
        Value(shape, scales=(1 / 255,), zero_points=(0,), name="image"),
        Value(shape, scales=(0.05,), zero_points=(-128,), name="root"),
    ]
    return build_graph(values, [Node("RSQRT", [0], [1])], [0], [1])


def shared() -> bytes:
    """Return a model in which LiteRT's MUL, where memory is reused, overwrites what CONCATENATION reads.

    A RESHAPE shares the memory of SUB's output with MUL, and LiteRT takes it to be MUL's alone.
    """
    rng = np.random.default_rng(0)

    def ints(values: object) -> Value:
        return Value(np.shape(values), "int32", data=np.array(values))

    def constant(*shape: int) -> np.ndarray:
        return rng.integers(-128, 128, shape).astype(np.int8)

    wide = {"scales": (0.013,), "zero_points": (0,)}
    fine = {"scales": (0.0061,), "zero_points": (0,)}
    values = [
        Value((1, 7, 7, 3), **wide),
        Value((), **wide, data=np.array(5, np.int8)),
        ints([[0, 0], [0, 0], [2, 3], [0, 0]]),
        Value((1, 7, 12, 3), **wide),
        Value((), scales=(0.03125,), zero_points=(-2,), data=np.array(4, np.int8)),
        Value((1, 7, 12, 3), **fine),
        ints([1, 1, 2, 1, 126]),
        Value((1, 1, 2, 1, 126), **fine),
        Value((1, 1, 1, 1, 126), scales=(0.0054,), zero_points=(0,), data=constant(1, 1, 1, 1, 126)),
        Value((1, 1, 2, 1, 126), scales=(1 / 256,), zero_points=(127,)),
        Value((1, 7, 12, 2), **fine, data=constant(1, 7, 12, 2)),
        Value((1, 7, 12, 8), **fine),
        ints([1, 672]),
        Value((1, 672), **fine),
    ]
    nodes = [
        Node("PADV2", [0, 2, 1], [3]),
        Node("SUB", [3, 4], [5], NO_ACTIVATION),
        Node("RESHAPE", [5, 6], [7]),
        Node("MUL", [8, 7], [9], NO_ACTIVATION),
        Node("CONCATENATION", [5, 5, 10], [11], NO_ACTIVATION | {"axis": 3}),
        Node("RESHAPE", [11, 12], [13]),
    ]
    return build_graph(values, nodes, [0], [13])
