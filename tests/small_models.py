"""Small whole models for tests of the reader and the generator, made from the schema with a fixed seed."""

import numpy as np
from tflite_builder import Node, Value, build_graph

LABELS = ("cat", "dog", "bird")


def classifier(*, name: str = "conv1/Relu;conv1/BiasAdd", metadata: dict[str, bytes] | None = None) -> bytes:
    """Return a residual net: CONV_2D twice, ADD, AVERAGE_POOL_2D, RESHAPE, FULLY_CONNECTED, SOFTMAX."""
    rng = np.random.default_rng(7)

    def weights(*shape: int) -> "np.ndarray[tuple[int, ...], np.dtype[np.int8]]":
        return rng.integers(-127, 128, shape).astype(np.int8)

    def activation(*shape: int, scale: float = 0.05, zero_point: int = -10, tensor: str = "") -> Value:
        return Value(shape, scales=(scale,), zero_points=(zero_point,), name=tensor)

    per_channel = tuple(0.002 + 0.001 * i for i in range(4))
    values = [
        activation(1, 8, 8, 3, scale=1 / 255, zero_point=-128, tensor="image"),
        Value((4, 3, 3, 3), scales=per_channel, zero_points=(0,) * 4, data=weights(4, 3, 3, 3), name="w0"),
        Value(
            (4,),
            "int32",
            scales=tuple(s / 255 for s in per_channel),
            zero_points=(0,) * 4,
            data=rng.integers(-5000, 5000, 4),
        ),
        activation(1, 8, 8, 4, tensor=name),
        Value((4, 1, 1, 4), scales=per_channel, zero_points=(0,) * 4, data=weights(4, 1, 1, 4), name="w1"),
        Value(
            (4,),
            "int32",
            scales=tuple(s * 0.05 for s in per_channel),
            zero_points=(0,) * 4,
            data=rng.integers(-500, 500, 4),
        ),
        activation(1, 8, 8, 4, zero_point=5, tensor="conv2"),
        activation(1, 8, 8, 4, scale=0.06, tensor="add"),
        activation(1, 1, 1, 4, scale=0.06, tensor="pool"),
        Value((2,), "int32", data=np.array([1, 4], np.int32), name="shape"),
        activation(1, 4, scale=0.06, tensor="flat"),
        Value((3, 4), scales=(0.01,), zero_points=(0,), data=weights(3, 4), name="w2"),
        Value((3,), "int32", scales=(0.0006,), zero_points=(0,), data=rng.integers(-900, 900, 3)),
        activation(1, 3, scale=0.1, zero_point=3, tensor="logits"),
        activation(1, 3, scale=1 / 256, zero_point=-128, tensor="scores"),
    ]
    conv = {"padding": "SAME", "stride_w": 1, "stride_h": 1, "fused_activation_function": "RELU"}
    pool = {"padding": "VALID", "stride_w": 8, "stride_h": 8, "filter_width": 8, "filter_height": 8}
    nodes = [
        Node("CONV_2D", (0, 1, 2), (3,), conv),
        Node("CONV_2D", (3, 4, 5), (6,), conv | {"fused_activation_function": "NONE"}),
        Node("ADD", (3, 6), (7,), {"fused_activation_function": "RELU"}),
        Node("AVERAGE_POOL_2D", (7,), (8,), pool),
        Node("RESHAPE", (8, 9), (10,), {"newShape": [1, 4]}),
        Node("FULLY_CONNECTED", (10, 11, 12), (13,)),
        Node("SOFTMAX", (13,), (14,), {"beta": 1.0}),
    ]
    return build_graph(values, nodes, inputs=[0], outputs=[14], metadata=metadata)


def fully_connected(inputs: int = 4, outputs: int = 3) -> bytes:
    """Return the smallest classifier: one FULLY_CONNECTED whose input is not an image."""
    rng = np.random.default_rng(3)
    values = [
        Value((1, inputs), scales=(0.5,), zero_points=(1,), name="x"),
        Value(
            (outputs, inputs),
            scales=(0.1,),
            zero_points=(0,),
            data=rng.integers(-127, 128, (outputs, inputs)),
        ),
        Value((1, outputs), scales=(1.5,), zero_points=(0,), name="y"),
    ]
    return build_graph(values, [Node("FULLY_CONNECTED", (0, 1, -1), (2,))], inputs=[0], outputs=[2])
