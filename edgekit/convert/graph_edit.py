"""Reading and replacing nodes of an ONNX graph in memory."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray


def attributes(node: Any) -> Mapping[str, Any]:
    """Return a node's attributes by name."""
    from onnx import helper

    return {attribute.name: helper.get_attribute_value(attribute) for attribute in node.attribute}


def constants(proto: Any) -> dict[str, NDArray[Any]]:
    """Return the graph's initializers by name."""
    from onnx import numpy_helper

    return {tensor.name: np.asarray(numpy_helper.to_array(tensor)) for tensor in proto.graph.initializer}


def shapes(proto: Any) -> dict[str, tuple[int, ...]]:
    """Return the inferred shape of each tensor; 0 for a size that is not known."""
    import onnx

    graph = onnx.shape_inference.infer_shapes(proto, data_prop=True).graph
    return {
        value.name: tuple(dim.dim_value for dim in value.type.tensor_type.shape.dim)
        for value in (*graph.input, *graph.value_info, *graph.output)
    }


def replace(proto: Any, node: Any, by: Sequence[Any]) -> None:
    """Put the nodes `by` into the place of `node`, which is known by its first output."""
    nodes = list(proto.graph.node)
    place = next(i for i, other in enumerate(nodes) if other.output[:1] == node.output[:1])
    nodes[place : place + 1] = by
    del proto.graph.node[:]
    proto.graph.node.extend(nodes)


def scalar(name: str, value: float) -> Any:
    """Return a float32 constant."""
    from onnx import numpy_helper

    return numpy_helper.from_array(np.asarray(value, np.float32), name)


def only_reader(proto: Any, name: str) -> Any | None:
    """Return the node that reads a tensor, if it is the only one and the graph itself does not."""
    if any(output.name == name for output in proto.graph.output):
        return None
    readers = [node for node in proto.graph.node if name in node.input]
    return readers[0] if len(readers) == 1 else None
