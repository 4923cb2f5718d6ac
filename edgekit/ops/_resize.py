"""What RESIZE_NEAREST_NEIGHBOR and RESIZE_BILINEAR share: their tensors and options."""

from edgekit.errors import ModelError, UnsupportedOpError
from edgekit.graph.ir import Graph, Op, Tensor
from edgekit.ops import _checks


def resized(graph: Graph, op: Op) -> tuple[Tensor, Tensor, bool, bool]:
    """Return input, output, align_corners and half_pixel_centers."""
    source, target = _checks.operand(graph, op, 0), _checks.result(graph, op)
    _checks.activation(source)
    _checks.activation(target)
    _checks.same_quantization(source, target)
    if len(source.shape) != 4:
        raise ModelError(f"{_checks.describe(graph, op)} needs images of rank 4, not {list(source.shape)}")
    size = _checks.integers(graph, op, 1)
    _checks.expect_shape(graph, op, target, [source.shape[0], *size, source.shape[3]])
    corners, centers = (bool(op.options.get(name)) for name in ("align_corners", "half_pixel_centers"))
    if corners and centers and op.kind == "RESIZE_BILINEAR":
        raise UnsupportedOpError("it has align_corners and half_pixel_centers, which exclude each other")
    return source, target, corners, centers
