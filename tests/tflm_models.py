"""Small nets for the runtime tflm, made from the schema with a fixed seed."""

import numpy as np
from tflite_builder import Node, Value, build, build_graph

_CONV = {"padding": "SAME", "stride_w": 1, "stride_h": 1, "fused_activation_function": "RELU"}


def _activation(*shape: int, scale: float = 0.05, zero_point: int = -10, name: str = "") -> Value:
    return Value(shape, scales=(scale,), zero_points=(zero_point,), name=name)


def convolutional(*, stride: int = 1, middle: str = "") -> bytes:
    """Return CONV_2D of a stride, perhaps an operator without options, AVERAGE_POOL_2D and FULLY_CONNECTED.

    An Ethos-U55 convolves with strides of 1 to 3: other ones are left to the processor.
    """
    rng = np.random.default_rng(4)
    side = 16 // stride
    values = [
        _activation(1, 16, 16, 3, scale=1 / 255, zero_point=-128, name="image"),
        Value(
            (8, 3, 3, 3), scales=(0.01,) * 8, zero_points=(0,) * 8, data=rng.integers(-127, 128, (8, 3, 3, 3))
        ),
        Value((8,), "int32", scales=(0.01 / 255,) * 8, zero_points=(0,) * 8, data=rng.integers(-99, 99, 8)),
        _activation(1, side, side, 8, name="features"),
        _activation(1, side, side, 8, name="middle"),
        _activation(1, 1, 1, 8, name="pool"),
        Value((2,), "int32", data=np.array([1, 8], np.int32), name="shape"),
        _activation(1, 8, name="flat"),
        Value((4, 8), scales=(0.01,), zero_points=(0,), data=rng.integers(-127, 128, (4, 8))),
        _activation(1, 4, scale=0.1, name="scores"),
    ]
    pool = {
        "padding": "VALID",
        "stride_w": side,
        "stride_h": side,
        "filter_width": side,
        "filter_height": side,
    }
    nodes = [
        Node("CONV_2D", (0, 1, 2), (3,), _CONV | {"stride_w": stride, "stride_h": stride}),
        *([Node(middle, (3,), (4,))] if middle else []),
        Node("AVERAGE_POOL_2D", (4 if middle else 3,), (5,), pool),
        Node("RESHAPE", (5, 6), (7,), {"newShape": [1, 8]}),
        Node("FULLY_CONNECTED", (7, 8, -1), (9,)),
    ]
    return build_graph(values, nodes, inputs=[0], outputs=[9])


def dense(seed: int = 3) -> bytes:
    """Return one FULLY_CONNECTED for whose scales LiteRT and tflite-micro round some frames differently."""
    rng = np.random.default_rng(seed)
    return build(
        "FULLY_CONNECTED",
        inputs=[
            Value((1, 64), scales=(0.5,), zero_points=(1,), name="x"),
            Value((10, 64), scales=(0.0137,), zero_points=(0,), data=rng.integers(-127, 128, (10, 64))),
            Value((10,), "int32", scales=(0.5 * 0.0137,), zero_points=(0,), data=rng.integers(-500, 500, 10)),
        ],
        outputs=[Value((1, 10), scales=(0.37,), zero_points=(0,), name="y")],
    )


def one(kind: str) -> bytes:
    """Return one operator without options."""
    return build(kind, inputs=[_activation(1, 4, name="x")], outputs=[_activation(1, 4, name="y")])
