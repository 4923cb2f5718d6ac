"""Writes a map that becomes a row of tokens as a transpose and a reshape, instead of the reverse.

The reshape works on planes, so onnx2tf turns the map to planes before it, and the tokens back behind it. A
transpose from planes to pixels is nothing at all where channels are last already.
"""

from typing import Any

import numpy as np

from edgekit.convert.graph_edit import attributes, only_reader, replace, shapes


def rewrite(proto: Any) -> None:
    """Exchange every Reshape of [1, C, H, W] to [1, C, H * W] with the Transpose behind it, in place."""
    from onnx import helper, numpy_helper

    sizes = shapes(proto)
    for flatten in [n for n in proto.graph.node if n.op_type == "Reshape"]:
        before, after = sizes.get(flatten.input[0], ()), sizes.get(flatten.output[0], ())
        turn = only_reader(proto, flatten.output[0])
        if len(before) != 4 or min(before) < 1 or after != (*before[:2], before[2] * before[3]):
            continue
        if (
            turn is None
            or turn.op_type != "Transpose"
            or tuple(attributes(turn).get("perm", ())) != (0, 2, 1)
        ):
            continue
        name = f"{turn.name or turn.output[0]}_tokens"
        shape = np.array([before[0], before[2] * before[3], before[1]], np.int64)
        proto.graph.initializer.append(numpy_helper.from_array(shape, f"{name}_shape"))
        first = helper.make_node(
            "Transpose", [flatten.input[0]], [f"{name}_last"], name=f"{name}_Transpose", perm=(0, 2, 3, 1)
        )
        second = helper.make_node(
            "Reshape", [f"{name}_last", f"{name}_shape"], list(turn.output), name=f"{name}_Reshape"
        )
        replace(proto, flatten, [])
        replace(proto, turn, [first, second])
