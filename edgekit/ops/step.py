"""What an operator becomes: one call of one C kernel, with everything the call needs, and no C text yet."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray

from edgekit.ops.geometry import Geometry

PORTABLE = "ref"
"""The folder of firmware_templates/runtime/src/ with the portable kernels, which run everything."""


@dataclass(frozen=True, slots=True)
class Constant:
    """A `static const` C array of a step; the dtype (int8, int16, int32, uint8...) decides the C type."""

    role: str
    """What it is to the step, and the suffix of its C name: weights, bias, multiplier, shift, table."""
    values: NDArray[np.generic] = field(repr=False)

    @property
    def size(self) -> int:
        """Bytes in flash."""
        return int(self.values.nbytes)


Param: TypeAlias = int | tuple[int, ...] | Constant


@dataclass(frozen=True, slots=True)
class Step:
    """One call in the generated `_run` function.

    Every kernel is called as `kernel(&params, input..., output, scratch)`, inputs in the order of
    `inputs`; a `kernel` of None costs nothing: the output is the bytes of its inputs, seen in another way.
    """

    ops: tuple[int, ...]
    """Indices of the graph's operators that this step covers, in order; the last one makes `output`."""
    kind: str
    """The TFLite builtin that the step computes, for comments, reports and traces."""
    kernel: str | None
    """The C function, and the stem of its source file: `ek_conv_2d_s8`."""
    params_type: str
    """The C struct of `params`, declared in ek_nn.h: `ek_conv_2d_params`."""
    params: Mapping[str, Param]
    """Every field of the struct, in its order, by name; a Constant becomes a pointer to its array."""
    inputs: tuple[int, ...]
    """Activation tensors that are read."""
    output: int
    """The tensor that is written."""
    geometry: Geometry | None = None
    """How a filter slides over the input, of the steps that have one; claims are computed from it."""
    scratch_bytes: int = 0
    """Working memory for the time of the call, 16-byte aligned; the kernel gets NULL for 0."""
    overlaps: tuple[int | None, ...] = ()
    """For each of `inputs`, the distance in bytes at which the output may lie over it while it is read.

    With a distance d, the call is right if the input begins at or behind the output's beginning + d (d may be
    negative), as well as where the two do not touch at all. None, or nothing said: they must not touch. It is
    a claim about the kernel of this step that a test must prove. Scratch never touches either."""
    alignment: int = 1
    """At multiples of how many bytes the kernel wants its inputs and its output."""
    places: tuple[int, ...] = ()
    """Without a kernel, at which byte of the output each input begins; nothing said: 0.

    0 is another shape of the same bytes, a negative place makes the output a part of its input, and several
    inputs side by side make up the output."""
    gathered: bool = False
    """Whether the kernel takes its inputs as one array of pointers, for operators of any number of inputs."""
    folder: str = PORTABLE
    """The folder of runtime/src/ that has the kernel; see edgekit.kernels."""
    macs: int = 0
    """Multiply-accumulates, the field's measure of work: padding taps count as TFLite counts them."""

    @property
    def constants(self) -> tuple[Constant, ...]:
        """The constant arrays among the parameters."""
        return tuple(value for value in self.params.values() if isinstance(value, Constant))
