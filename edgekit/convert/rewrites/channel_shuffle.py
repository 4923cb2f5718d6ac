"""Writes a shuffle of channels, a reshape, a transpose and a reshape, as one gathering of channels.

The three work on planes, while TFLite has channels last: onnx2tf turns the map to planes and back around
them, which makes four operators with copies of the whole map. A GATHER of channels is the same in both
layouts.
"""

from typing import Any

import numpy as np

from edgekit.convert.graph_edit import attributes, only_reader, replace, shapes


def rewrite(proto: Any) -> None:
    """Replace every shuffle of the channels of a map, in place."""
    from onnx import helper, numpy_helper

    sizes = shapes(proto)
    for first in [n for n in proto.graph.node if n.op_type == "Reshape"]:
        turn = only_reader(proto, first.output[0])
        if turn is None or turn.op_type != "Transpose":
            continue
        last = only_reader(proto, turn.output[0])
        if last is None or last.op_type != "Reshape" or last.input[0] != turn.output[0]:
            continue
        before, middle = sizes.get(first.input[0], ()), sizes.get(first.output[0], ())
        if len(before) != 4 or sizes.get(last.output[0]) != before or min(before) < 1:
            continue
        order = _order(before, middle, attributes(turn).get("perm", ()))
        if order is None:
            continue
        name = f"{last.name or last.output[0]}_channels"
        proto.graph.initializer.append(numpy_helper.from_array(order, name))
        gather = helper.make_node("Gather", [first.input[0], name], list(last.output), name=last.name, axis=1)
        replace(proto, first, [])
        replace(proto, turn, [])
        replace(proto, last, [gather])


def _order(before: tuple[int, ...], middle: tuple[int, ...], perm: tuple[int, ...]) -> Any | None:
    """Return which channel comes from where, if nothing but channels of one image moves."""
    pixels = before[2] * before[3]
    if before[0] != 1 or min(middle, default=0) < 1 or len(perm) != len(middle):
        return None
    places = np.arange(before[1] * pixels).reshape(middle).transpose(perm).reshape(before[1], pixels)
    order = places[:, 0] // pixels
    whole = order[:, None] * pixels + np.arange(pixels)
    return order.astype(np.int32) if np.array_equal(places, whole) else None
