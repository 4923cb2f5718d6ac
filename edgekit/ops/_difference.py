"""What SUB and SQUARED_DIFFERENCE share: both operands come to twice the larger scale with more bits."""

from edgekit.errors import UnsupportedOpError
from edgekit.graph import fixed_point
from edgekit.graph.ir import Quantization
from edgekit.ops import _checks
from edgekit.ops._binary import Scaling


def difference_scaling(
    first: Quantization, second: Quantization, out: Quantization, left_shift: int, power: int
) -> Scaling:
    """Return the parameters: `left_shift` more bits for each operand, and the difference to the `power`."""
    common = 2 * max(first.scale, second.scale)
    fields = {}
    for name, real, quantization in (
        ("input1", first.scale / common, first),
        ("input2", second.scale / common, second),
        ("output", common**power / ((1 << (left_shift * power)) * out.scale), out),
    ):
        multiplier, shift = _checks.multiplier(real)
        if shift > 0:
            raise UnsupportedOpError(
                f"its output's scale {out.scale:g} is too small for inputs of {first.scale:g} "
                f"and {second.scale:g}"
            )
        fields[f"{name}_zero_point"] = quantization.zero_point
        fields[f"{name}_multiplier"] = multiplier
        fields[f"{name}_shift"] = shift
    return fields


def difference(fields: Scaling, value1: int, value2: int, left_shift: int) -> int:
    """Return the difference of two values on the common scale."""
    scaled = [
        fixed_point.requantize_twice(
            (value - fields[f"{name}_zero_point"]) << left_shift,
            fields[f"{name}_multiplier"],
            fields[f"{name}_shift"],
        )
        for name, value in (("input1", value1), ("input2", value2))
    ]
    return scaled[0] - scaled[1]
