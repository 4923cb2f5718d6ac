"""Rewrites of ONNX graphs that make models convert, or convert better: one module each, with its reason.

Each has `rewrite(proto)`, works in place, and leaves the float outputs as they are; tests/convert holds
them to it. Only `max_pool` needs more than the graph: the calibration inputs.

| rewrite | what becomes what |
|---|---|
| `hard_sigmoid` | HardSigmoid -> a RELU6 and a factor |
| `average_pool` | padding that an average-pool counts -> a PAD before it |
| `attention` | one dense layer for query, key and value -> three, without the copy that takes them apart |
| `tokens` | a map that becomes a row of tokens -> no TRANSPOSE |
| `channel_shuffle` | reshape, transpose, reshape of channels -> one GATHER |
| `dense` | flatten and dense layer -> a convolution over the whole map, without a TRANSPOSE |
| `max_pool` | padding of max-pools -> SAME, or a PAD with a value that int8 can hold |
"""

from typing import Any

from edgekit.convert.rewrites import attention, average_pool, channel_shuffle, dense, hard_sigmoid, tokens


def rewrite(proto: Any) -> None:
    """Apply all rewrites that need the graph alone to a simplified graph, in place."""
    for module in (hard_sigmoid, average_pool, channel_shuffle, tokens, attention, dense):
        module.rewrite(proto)
