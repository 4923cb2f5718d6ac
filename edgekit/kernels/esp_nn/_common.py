"""What several twins ask: sizes that ESP-NN takes, scratch for shifts, and that all is aligned."""

from dataclasses import replace

from edgekit.ops.geometry import Geometry
from edgekit.ops.step import Constant, Step

LARGEST = (1 << 16) - 1
"""ESP-NN takes sizes as uint16_t."""
_ALIGN = 16


def fitted(step: Step, scratch_bytes: int = 0) -> Step:
    """Return the step with ESP-NN's claims: aligned bytes, and no output over an input."""
    return replace(step, scratch_bytes=scratch_bytes, alignment=_ALIGN)


def geometry_of(step: Step) -> Geometry:
    """Return the geometry of a step that has one."""
    assert step.geometry is not None, step.kind
    return step.geometry


def number(step: Step, name: str) -> int:
    """Return a parameter that is a number."""
    value = step.params[name]
    assert isinstance(value, int), name
    return value


def constant(step: Step, name: str) -> Constant:
    """Return a parameter that is an array."""
    value = step.params[name]
    assert isinstance(value, Constant), name
    return value


def sizes_fit(geometry: Geometry) -> bool:
    """Return whether there is one image or row, and all sizes and strides fit ESP-NN's 16 bits.

    A second image would begin behind the first, and not be aligned as vector loads want.
    """
    channels = (geometry.input_channels, geometry.output_channels)
    places = (*geometry.filter_size, *geometry.stride, *geometry.pad_before)
    largest = max(*geometry.input_size, *geometry.output_size, *channels, *places)
    return geometry.batches == 1 and largest <= LARGEST


def dense_size(step: Step) -> int | None:
    """Return the elements of an operator of two operands; None where one of them is repeated."""
    size, first, second = (step.params[name] for name in ("size", "input1_stride", "input2_stride"))
    assert isinstance(size, tuple) and isinstance(first, tuple) and isinstance(second, tuple)
    return size[3] if size[:3] == (1, 1, 1) and first[3] == second[3] == 1 else None


def aligned(size: int, multiple: int = _ALIGN) -> int:
    """Return `size` rounded up to a multiple."""
    return -(-size // multiple) * multiple


def shifts_bytes(channels: int) -> int:
    """Return the scratch for one int32_t per channel, in front of ESP-NN's own."""
    return aligned(4 * channels)
