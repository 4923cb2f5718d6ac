"""What several twins ask: sizes that ESP-NN takes, scratch for shifts, padding."""

from collections.abc import Mapping

from edgekit.ops.step import Constant, Param

LARGEST = (1 << 16) - 1
"""ESP-NN takes sizes as uint16_t."""
_ALIGN = 16


def number(params: Mapping[str, Param], name: str) -> int:
    """Return a parameter that is a number."""
    value = params[name]
    assert isinstance(value, int), name
    return value


def constant(params: Mapping[str, Param], name: str) -> Constant:
    """Return a parameter that is an array."""
    value = params[name]
    assert isinstance(value, Constant), name
    return value


def sizes_fit(params: Mapping[str, Param]) -> bool:
    """Return whether there is one image or row, and all sizes, strides and places fit ESP-NN's 16 bits.

    A second image would begin behind the first, and not be aligned as vector loads want.
    """
    if number(params, "batches") != 1:
        return False
    sized = ("height", "width", "channels", "depth", "top", "left", "depth_multiplier")
    return all(
        isinstance(value, int) and value <= LARGEST for name, value in params.items() if name.endswith(sized)
    )


def dense_size(params: Mapping[str, Param]) -> int | None:
    """Return the elements of an operator of two operands; None where one of them is repeated."""
    outer = [number(params, f"size_{i}") for i in range(3)]
    strides = [number(params, f"input{i}_stride_3") for i in (1, 2)]
    return number(params, "size_3") if outer == [1, 1, 1] and strides == [1, 1] else None


def aligned(size: int, multiple: int = _ALIGN) -> int:
    """Return `size` rounded up to a multiple."""
    return -(-size // multiple) * multiple


def shifts_bytes(channels: int) -> int:
    """Return the scratch for one int32_t per channel, in front of ESP-NN's own."""
    return aligned(4 * channels)


def padding_behind(params: Mapping[str, Param]) -> tuple[int, int]:
    """Return how many rows and columns behind the image some output looks at; 0 or more."""
    behind = []
    for axis, before in (("height", "pad_top"), ("width", "pad_left")):
        last = (number(params, f"output_{axis}") - 1) * number(params, f"stride_{axis}")
        reach = last + number(params, f"filter_{axis}") - number(params, before)
        behind.append(max(0, reach - number(params, f"input_{axis}")))
    return behind[0], behind[1]


def dilated(params: Mapping[str, Param]) -> bool:
    """Return whether a convolution is dilated, which ESP-NN's are not."""
    return (number(params, "dilation_height"), number(params, "dilation_width")) != (1, 1)
