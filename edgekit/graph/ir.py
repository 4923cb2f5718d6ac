"""The graph between the .tflite reader and everything behind it: frozen values, no behaviour to speak of."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from math import prod
from typing import TYPE_CHECKING, TypeAlias

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

OptionValue: TypeAlias = int | float | bool | str | tuple[int, ...]


class DType(StrEnum):
    """Element types that can stand in a .tflite; edgekit's kernels take int8 activations and weights."""

    FLOAT32 = "float32"
    FLOAT16 = "float16"
    INT8 = "int8"
    UINT8 = "uint8"
    INT16 = "int16"
    INT32 = "int32"
    INT64 = "int64"
    BOOL = "bool"

    @property
    def size(self) -> int:
        """Bytes of one element."""
        return _SIZES[self]


_SIZES = {
    DType.FLOAT32: 4,
    DType.FLOAT16: 2,
    DType.INT8: 1,
    DType.UINT8: 1,
    DType.INT16: 2,
    DType.INT32: 4,
    DType.INT64: 8,
    DType.BOOL: 1,
}


@dataclass(frozen=True, slots=True)
class Quantization:
    """Affine quantisation: real = scale * (quantised - zero_point).

    One scale and one zero point for the tensor, or one per slice of `axis`. Scales are the float32
    values of the file, held as Python floats without loss.
    """

    scales: tuple[float, ...]
    zero_points: tuple[int, ...]
    axis: int = 0

    @property
    def per_channel(self) -> bool:
        """Whether there is more than one scale."""
        return len(self.scales) > 1

    @property
    def scale(self) -> float:
        """The scale of a per-tensor quantisation."""
        return self.scales[0]

    @property
    def zero_point(self) -> int:
        """The zero point of a per-tensor quantisation."""
        return self.zero_points[0]


@dataclass(frozen=True, slots=True)
class Tensor:
    """A value in the graph. `data` holds the bytes of a constant (little endian, row-major), else None."""

    index: int
    name: str
    shape: tuple[int, ...]
    dtype: DType
    quantization: Quantization | None = None
    data: bytes | None = field(default=None, repr=False)

    @property
    def elements(self) -> int:
        """How many elements the shape holds (1 for a scalar)."""
        return prod(self.shape)

    @property
    def size(self) -> int:
        """Bytes of the whole tensor."""
        return self.elements * self.dtype.size

    @property
    def is_constant(self) -> bool:
        """Whether the file carries the tensor's values."""
        return self.data is not None

    def array(self) -> "NDArray[np.generic]":
        """Return a constant's values as an array of the tensor's shape. Raises ValueError if it has none."""
        import numpy as np

        if self.data is None:
            raise ValueError(f"tensor {self.index} '{self.name}' is not a constant")
        return np.frombuffer(self.data, dtype=np.dtype(self.dtype.value).newbyteorder("<")).reshape(
            self.shape
        )


@dataclass(frozen=True, slots=True)
class Op:
    """One operator. `kind` is the TFLite builtin's name; an input of -1 is an absent optional one.

    `options` are the fields of the builtin's option table under their schema names; enums are their
    schema names too (`{"padding": "SAME", "stride_w": 2, "fused_activation_function": "RELU6"}`).
    """

    index: int
    kind: str
    version: int
    inputs: tuple[int, ...]
    outputs: tuple[int, ...]
    options: Mapping[str, OptionValue] = field(default_factory=dict)
    folded: tuple[int, ...] = ()
    """Indices of the operators before it that a rewrite made it do the work of."""
    padding: tuple[int, int, int, int] = (0, 0, 0, 0)
    """Rows and columns (top, bottom, left, right) that a rewrite put around the image of a window."""
    through_float: bool = False
    """Whether a QUANTIZE from int8 to int8 stands for a DEQUANTIZE and a QUANTIZE."""

    @property
    def covers(self) -> tuple[int, ...]:
        """The indices of the operators of the file that this one stands for, its own last."""
        return (*self.folded, self.index)


@dataclass(frozen=True, slots=True)
class Graph:
    """The one subgraph of a model, in execution order. Tensor and op indices are those of the file."""

    name: str
    tensors: tuple[Tensor, ...]
    ops: tuple[Op, ...]
    inputs: tuple[int, ...]
    outputs: tuple[int, ...]
    metadata: Mapping[str, bytes] = field(default_factory=dict)

    def tensor(self, index: int) -> Tensor:
        """Return the tensor with the file's index `index`."""
        return self.tensors[index]

    def readers(self) -> dict[int, list[Op]]:
        """Return the operators that read each tensor, in order."""
        found: dict[int, list[Op]] = {}
        for op in self.ops:
            for index in op.inputs:
                found.setdefault(index, []).append(op)
        return found

    def is_sound(self, op: Op, inputs: int) -> bool:
        """Whether an operator has that many inputs and one output, all of them tensors of the graph."""
        places = (*op.inputs, *op.outputs)
        counts = (len(op.inputs), len(op.outputs))
        return counts == (inputs, 1) and all(0 <= i < len(self.tensors) for i in places)
