"""Writes average-pools that count their padding as a PAD with zeros and a pool without padding.

TFLite's average-pool never counts padding. onnx2tf pools without it and corrects every border and corner by a
product of its own: 10 operators for a 3x3 window instead of 2.
"""

from typing import Any

import numpy as np

from edgekit.convert.graph_edit import attributes, replace, scalar


def rewrite(proto: Any) -> None:
    """Replace every AveragePool with explicit padding that counts, in place."""
    from onnx import helper, numpy_helper

    for node in [n for n in proto.graph.node if n.op_type == "AveragePool"]:
        given = dict(attributes(node))
        pads = tuple(given.pop("pads", (0, 0, 0, 0)))
        counts = bool(given.pop("count_include_pad", 0))
        plain = given.get("auto_pad", b"NOTSET") in (b"NOTSET", b"") and not given.get("ceil_mode", 0)
        if not counts or not plain or len(pads) != 4 or not any(pads):
            continue
        stem = f"{node.name or node.output[0]}_pad"
        widths = np.array([0, 0, *pads[:2], 0, 0, *pads[2:]], np.int64)
        proto.graph.initializer.extend(
            [numpy_helper.from_array(widths, f"{stem}_widths"), scalar(f"{stem}_value", 0.0)]
        )
        inputs = [node.input[0], f"{stem}_widths", f"{stem}_value"]
        pad = helper.make_node("Pad", inputs, [f"{stem}_out"], name=stem)
        pool = helper.make_node("AveragePool", [f"{stem}_out"], list(node.output), name=node.name, **given)
        replace(proto, node, [pad, pool])
