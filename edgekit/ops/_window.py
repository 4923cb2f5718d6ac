"""The geometry that convolutions and pooling share: strides, dilation, and where padding goes."""

from edgekit.errors import ModelError, UnsupportedOpError
from edgekit.graph.ir import Graph, Op, Tensor
from edgekit.ops._checks import MAX_ELEMENTS, describe, expect_shape, option
from edgekit.ops.geometry import Geometry


def geometry(graph: Graph, op: Op, source: Tensor, target: Tensor, filter_size: tuple[int, int]) -> Geometry:
    """Return the checked geometry of a convolution or pooling over [N, H, W, C].

    Raises:
        ModelError: the stated output shape is not what padding and strides give.
        UnsupportedOpError: an unknown kind of padding.
    """
    if len(source.shape) != 4 or len(target.shape) != 4:
        raise ModelError(f"{describe(graph, op)} needs images of rank 4, not {list(source.shape)}")
    stride = (option(op, "stride_h"), option(op, "stride_w"))
    dilation = (option(op, "dilation_h_factor", 1), option(op, "dilation_w_factor", 1))
    padding = op.options.get("padding")
    if padding not in ("SAME", "VALID"):
        raise UnsupportedOpError(f"its padding is {padding}, SAME or VALID is needed")
    before, sizes = [], []
    for axis in (0, 1):
        explicit_before, explicit_after = op.padding[2 * axis], op.padding[2 * axis + 1]
        size = source.shape[1 + axis] + explicit_before + explicit_after
        reach = (filter_size[axis] - 1) * dilation[axis] + 1
        if max(size, reach) > MAX_ELEMENTS:
            raise ModelError(f"{describe(graph, op)}: its filter or its padding is too large")
        if padding == "SAME":
            count = -(-size // stride[axis])
            before.append(explicit_before + max((count - 1) * stride[axis] + reach - size, 0) // 2)
        else:
            count = (size - reach) // stride[axis] + 1
            before.append(explicit_before)
        if count < 1:
            raise ModelError(f"{describe(graph, op)}: its filter is larger than its input")
        sizes.append(count)
    expect_shape(graph, op, target, [source.shape[0], sizes[0], sizes[1], target.shape[3]])
    return Geometry(
        batches=source.shape[0],
        input_size=(source.shape[1], source.shape[2]),
        input_channels=source.shape[3],
        output_size=(sizes[0], sizes[1]),
        output_channels=target.shape[3],
        filter_size=filter_size,
        stride=stride,
        dilation=dilation,
        pad_before=(before[0], before[1]),
    )
