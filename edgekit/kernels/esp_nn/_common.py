"""What several twins ask: sizes that ESP-NN takes, scratch for shifts, padding, a bias without zero point."""

from collections.abc import Mapping

import numpy as np

from edgekit.ops.step import Constant, Param, Step

_LARGEST = (1 << 16) - 1
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
    """Return whether all sizes, strides and places among the parameters fit ESP-NN's 16 bits."""
    sized = ("height", "width", "channels", "depth", "top", "left", "depth_multiplier")
    return all(
        isinstance(value, int) and value <= _LARGEST for name, value in params.items() if name.endswith(sized)
    )


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


def with_offset(step: Step, sums_axes: tuple[int, ...]) -> dict[str, Param]:
    """Return a convolution's parameters with the zero point where ESP-NN wants it.

    Inside the image it may stay in the bias, and ESP-NN has less to do with an offset of 0. Where an output
    looks outside, ESP-NN puts minus the offset there, so it must be the zero point, and leave the bias.

    Args:
        step: of a convolution; its bias has the term of the zero point.
        sums_axes: the axes of the weights that belong to one output channel.
    """
    params = dict(step.params)
    zero_point = number(params, "input_zero_point")
    before = number(params, "pad_top") or number(params, "pad_left")
    if before or any(padding_behind(params)):
        sums = constant(params, "weights").values.astype(np.int64).sum(axis=sums_axes).reshape(-1)
        bias = constant(params, "bias").values.astype(np.int64) + zero_point * sums
        params["bias"] = Constant("bias", bias.astype(np.int32))
    else:
        params["input_zero_point"] = 0
    return params
