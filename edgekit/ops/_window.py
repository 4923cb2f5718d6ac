"""The geometry that convolutions and pooling share: strides, dilation, and where padding goes."""

from dataclasses import dataclass

from edgekit.errors import ModelError, UnsupportedOpError
from edgekit.graph.ir import Graph, Op, Tensor
from edgekit.graph.rewrites import EXPLICIT_PADDING
from edgekit.ops._checks import MAX_ELEMENTS, describe, expect_shape, option


@dataclass(frozen=True, slots=True)
class Window:
    """A filter sliding over an image: sizes in pixels, as (height, width)."""

    input_size: tuple[int, int]
    output_size: tuple[int, int]
    filter_size: tuple[int, int]
    stride: tuple[int, int]
    dilation: tuple[int, int]
    pad_before: tuple[int, int]

    @property
    def leaves_image(self) -> bool:
        """Whether some output looks at pixels outside the image."""
        for axis in (0, 1):
            last = (self.output_size[axis] - 1) * self.stride[axis] - self.pad_before[axis]
            reach = (self.filter_size[axis] - 1) * self.dilation[axis]
            if self.pad_before[axis] > 0 or last + reach >= self.input_size[axis]:
                return True
        return False

    def params(self) -> dict[str, int]:
        """Return strides and padding under the names of the C structs."""
        return {
            "stride_height": self.stride[0],
            "stride_width": self.stride[1],
            "pad_top": self.pad_before[0],
            "pad_left": self.pad_before[1],
        }


def window(graph: Graph, op: Op, source: Tensor, target: Tensor, filter_size: tuple[int, int]) -> Window:
    """Return the checked geometry of a convolution or pooling over [N, H, W, C].

    Raises:
        ModelError: the stated output shape is not what padding and strides give.
        UnsupportedOpError: an unknown kind of padding.
    """
    if len(source.shape) != 4 or len(target.shape) != 4:
        raise ModelError(f"{describe(graph, op)} needs images of rank 4, not {list(source.shape)}")
    stride = (option(op, "stride_h"), option(op, "stride_w"))
    dilation = (option(op, "dilation_h_factor", 1), option(op, "dilation_w_factor", 1))
    explicit = op.options.get(EXPLICIT_PADDING, (0, 0, 0, 0))
    assert isinstance(explicit, tuple)
    padding = op.options.get("padding")
    if padding not in ("SAME", "VALID"):
        raise UnsupportedOpError(f"its padding is {padding}, SAME or VALID is needed")
    before, sizes = [], []
    for axis in (0, 1):
        explicit_before, explicit_after = explicit[2 * axis], explicit[2 * axis + 1]
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
    return Window(
        input_size=(source.shape[1], source.shape[2]),
        output_size=(sizes[0], sizes[1]),
        filter_size=filter_size,
        stride=stride,
        dilation=dilation,
        pad_before=(before[0], before[1]),
    )
