"""Random small networks of every operator that the runtime `compiled` has.

Drawn are strides, dilations, groups, paddings and odd windows; batches; broadcasting on both sides; constants
as operands; per-channel scales; fused activations; axes from the end; scales and zero points up to the
extremes. Tensors are read again and again, by one operator twice too, and in every fourth network all
have one quantisation: what comes out often has copies that could be free, parts of parts, and unread steps.
"""

from random_graphs import computing, moving
from random_graphs.network import Network, Unfit

_MAKERS = (
    *[computing.convolution] * 5,
    *[computing.depthwise] * 4,
    *[computing.fully_connected] * 3,
    *[computing.binary] * 6,
    *[computing.mean] * 2,
    *[computing.pool] * 3,
    *[computing.unary] * 5,
    *[computing.batch_matmul] * 2,
    computing.reciprocal_root,
    computing.prelu,
    computing.softmax,
    *[moving.concatenation] * 4,
    *[moving.pad] * 2,
    *[moving.slice_] * 2,
    *[moving.split] * 2,
    *[moving.transpose] * 2,
    *[moving.reshape] * 2,
    *[moving.strided_slice] * 3,
    moving.gather,
    moving.resize,
    moving.view,
)


def graph(seed: int) -> bytes:
    """Return the model of a seed: an input with batch 1, and one output."""
    network = Network(seed)
    for _ in range(network.number(2, 14)):
        _extend(network)
    while not network.nodes:
        _extend(network)
    return network.finished()


def _extend(network: Network) -> None:
    """Append an operator, or leave the network as it is where what is drawn does not fit."""
    values, live = len(network.values), len(network.live)
    try:
        network.one_of(_MAKERS)(network)
    except Unfit:
        del network.values[values:], network.live[live:]
