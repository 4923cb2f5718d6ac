"""Small ONNX classifiers, built node by node."""

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import pytest


def net(
    nodes: Sequence[Any] = (),
    last: str = "conv",
    *,
    shape: Sequence[int | str] = (1, 3, 8, 8),
    constants: dict[str, Any] | None = None,
    channels: int = 4,
    pool: bool = True,
) -> Any:
    """Return a ModelProto: a convolution from "image" to "conv", `nodes`, then a mean and a dense layer to 5.

    `last` is the tensor that the nodes end in, with `channels` channels; without `pool` it is flat already.
    """
    from onnx import TensorProto, helper, numpy_helper

    rng = np.random.default_rng(0)
    colors = next(size for size in (shape[1], shape[-1]) if size in (1, 3))
    weights = {
        "w": rng.normal(0, 0.4, (4, colors, 3, 3)).astype(np.float32),
        "dense": rng.normal(0, 0.4, (channels, 5)).astype(np.float32),
        **(constants or {}),
    }
    graph = [helper.make_node("Conv", ["image", "w"], ["conv"], name="first", pads=[1, 1, 1, 1])]
    if shape[1] != colors:
        graph[0].input[0] = "planes"
        graph.insert(0, helper.make_node("Transpose", ["image"], ["planes"], perm=[0, 3, 1, 2]))
    graph += list(nodes)
    if pool:
        graph.append(helper.make_node("GlobalAveragePool", [last], ["mean"], name="pool"))
        graph.append(helper.make_node("Flatten", ["mean"], ["flat"], name="flatten"))
    graph.append(helper.make_node("MatMul", ["flat" if pool else last, "dense"], ["scores"], name="dense"))
    return helper.make_model(
        helper.make_graph(
            graph,
            "net",
            [helper.make_tensor_value_info("image", TensorProto.FLOAT, list(shape))],
            [helper.make_tensor_value_info("scores", TensorProto.FLOAT, [shape[0], 5])],
            [numpy_helper.from_array(np.asarray(value), name) for name, value in weights.items()],
        ),
        opset_imports=[helper.make_opsetid("", 20)],
        ir_version=9,
    )


@pytest.fixture(scope="session")
def make_net() -> Callable[..., Any]:
    """Return `net`."""
    return net
