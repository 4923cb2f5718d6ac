"""Writes HardSigmoid, clip(alpha x + beta, 0, 1), as (1/6) clip(6 alpha x + 6 beta, 0, 6).

The clip then is a RELU6, which every runtime has; TFLite would make RELU_0_TO_1 of the original, which
tflite-micro rejects.
"""

from typing import Any

from edgekit.convert.graph_edit import scalar


def rewrite(proto: Any) -> None:
    """Replace every HardSigmoid, in place."""
    from onnx import helper

    graph = proto.graph
    nodes = list(graph.node)
    del graph.node[:]
    for number, node in enumerate(nodes):
        if node.op_type != "HardSigmoid":
            graph.node.append(node)
            continue
        given = {attribute.name: attribute.f for attribute in node.attribute}
        stem = f"{node.name or 'HardSigmoid'}_{number}"
        place = node.input[0]
        # torch's HardSigmoid has alpha = 1/6, which needs no multiplication.
        factor = 6.0 * given.get("alpha", 0.2)
        if abs(factor - 1.0) > 1e-6:
            graph.initializer.append(scalar(f"{stem}_factor", factor))
            graph.node.append(helper.make_node("Mul", [place, f"{stem}_factor"], [f"{stem}_scaled"]))
            place = f"{stem}_scaled"
        for word, value in (
            ("offset", 6.0 * given.get("beta", 0.5)),
            ("low", 0.0),
            ("high", 6.0),
            ("sixth", 1 / 6),
        ):
            graph.initializer.append(scalar(f"{stem}_{word}", value))
        graph.node.extend(
            [
                helper.make_node("Add", [place, f"{stem}_offset"], [f"{stem}_sum"], name=f"{stem}_Add"),
                helper.make_node(
                    "Clip",
                    [f"{stem}_sum", f"{stem}_low", f"{stem}_high"],
                    [f"{stem}_clip"],
                    name=f"{stem}_Clip",
                ),
                helper.make_node(
                    "Mul", [f"{stem}_clip", f"{stem}_sixth"], list(node.output), name=f"{stem}_Mul"
                ),
            ]
        )
