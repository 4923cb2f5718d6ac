"""Kernels that are wrong on purpose: the comparison must catch each of them."""

import re
import zlib
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from kernels import models, movement, runner, unary, weightless

ONCE = """
static inline int32_t broken_once(int32_t acc, int32_t multiplier, int32_t shift) {
    const int64_t product = (int64_t)acc * multiplier;
    return (int32_t)((product + (INT64_C(1) << (30 - shift))) >> (31 - shift));
}
"""
TWICE = """
static inline int32_t broken_twice(int32_t acc, int32_t multiplier, int32_t low, int32_t shift) {
    (void)low;
    return ek_requantize_twice(acc, multiplier, 31 - shift > 31 ? 31 : 31 - shift);
}
"""
UP = """
static inline int32_t broken_up(int32_t acc, int32_t multiplier, int32_t low, int32_t shift) {
    const int64_t product = (int64_t)acc * multiplier + (((int64_t)acc * low) >> 31);
    return (int32_t)((product + (INT64_C(1) << (shift - 1))) >> shift);
}
"""
MISALIGNED = """
static inline int32_t broken_read(const int8_t *at) {
    return (int32_t)(int8_t)(*(const int32_t *)(const void *)at & 0xff);
}
"""

HALF_UP = """
#include "ek_nn.h"
static inline int32_t broken_down(int32_t acc, int32_t multiplier, int32_t exponent) {
    return ((ek_multiply_high(acc, multiplier) >> (exponent - 1)) + 1) >> 1;
}
static inline int32_t broken_shift(int32_t acc, int32_t multiplier, int32_t shift) {
    return shift < 0 ? broken_down(acc, multiplier, -shift) : ek_multiply_high(acc, multiplier);
}
#define ek_requantize_down broken_down
#define ek_requantize_twice broken_shift
#include "ek_add.h"
"""
PAIR_ONCE = f"""{ONCE}
#define ek_requantize_twice broken_once
#include "ek_pair.h"
"""

ONCE_BINARY = f"""
#include "ek_nn.h"
{ONCE}
#define ek_requantize_twice broken_once
#include "ek_binary.h"
"""

Make = Callable[[np.random.Generator], bytes]

# kernel, models, text of the kernel, what stands there instead, functions that it needs
BROKEN: dict[str, tuple[str, Make, str, str, str]] = {
    "conv rounds once": ("ek_conv_2d_s8", models.conv_2d, '#include "ek_pair.h"', PAIR_ONCE, ""),
    "conv ignores the zero point outside": (
        "ek_conv_2d_s8",
        models.conv_2d,
        "params->input_zero_point",
        "0",
        "",
    ),
    "conv pads one column too few": (
        "ek_conv_2d_s8",
        models.conv_2d,
        "params->stride_width - params->pad_left",
        "params->stride_width - params->pad_left + 1",
        "",
    ),
    "conv reads one byte late": ("ek_conv_2d_s8", models.conv_2d, "*second++", "*++second", ""),
    "conv adds more products than a pair has room for": (
        "ek_conv_2d_s8",
        models.deep_conv_2d,
        '#include "ek_pair.h"',
        '#define EK_PAIR_WIDE 1\n#include "ek_pair.h"\n#undef EK_PAIR_BLOCK\n#define EK_PAIR_BLOCK 992',
        "",
    ),
    "conv reads words at odd places": (
        "ek_conv_2d_s8",
        models.conv_2d,
        "ek_pair_of(first[0]",
        "ek_pair_of(broken_read(first)",
        MISALIGNED,
    ),
    "conv is off by one in its output's zero point": (
        "ek_conv_2d_s8",
        models.conv_2d,
        "params->output_zero_point",
        "params->output_zero_point + 1",
        "",
    ),
    "depthwise rounds once": (
        "ek_depthwise_conv_2d_s8",
        models.depthwise_conv_2d,
        '#include "ek_pair.h"',
        PAIR_ONCE,
        "",
    ),
    "depthwise takes the border for the inside": (
        "ek_depthwise_conv_2d_s8",
        models.depthwise_conv_2d,
        "x + columns <= params->input_width",
        "x + columns <= params->input_width + 1",
        "",
    ),
    "depthwise forgets its dilation": (
        "ek_depthwise_conv_2d_s8",
        models.depthwise_conv_2d,
        "params->dilation_width * params->input_channels",
        "params->input_channels",
        "",
    ),
    "depthwise shares a column that is not there": (
        "ek_depthwise_conv_2d_s8",
        models.depthwise_conv_2d,
        "view->pixel == view->column &&",
        "view->pixel > 0 &&",
        "",
    ),
    "fully connected rounds twice": (
        "ek_fully_connected_s8",
        models.fully_connected,
        "ek_requantize_once",
        "broken_twice",
        TWICE,
    ),
    "fully connected rounds ties up": (
        "ek_fully_connected_s8",
        models.fully_connected,
        "ek_requantize_once",
        "broken_up",
        UP,
    ),
    "mean rounds once": ("ek_mean_s8", weightless.mean, "ek_requantize_twice", "broken_once", ONCE),
    "average rounds too little": (
        "ek_average_pool_2d_s8",
        weightless.average_pool_2d,
        "(sum + half)",
        "(sum + half / 4)",
        "",
    ),
    "average rounds ties up": (
        "ek_average_pool_2d_s8",
        weightless.average_pool_2d,
        "-(count / 2)",
        "-((count - 1) / 2)",
        "",
    ),
    "max forgets the lower bound": (
        "ek_max_pool_2d_s8",
        weightless.max_pool_2d,
        "(int8_t)params->activation_min",
        "INT8_MIN",
        "",
    ),
    "pad writes zeros": ("ek_pad_s8", weightless.pad, "params->value", "params->value * 0", ""),
    "softmax stops two steps early": ("ek_softmax_s8", weightless.softmax, "i < 3", "i < 1", ""),
    "softmax is off by one in a bound": (
        "ek_softmax_s8",
        weightless.softmax,
        "difference < params->exponentials_size",
        "difference + 1 < params->exponentials_size",
        "",
    ),
    "add rounds ties up": ("ek_add_s8", weightless.add, '#include "ek_add.h"', HALF_UP, ""),
    "matmul rounds once": (
        "ek_batch_matmul_s8",
        movement.batch_matmul,
        "ek_requantize_twice",
        "broken_once",
        ONCE,
    ),
    "matmul forgets a zero point": (
        "ek_batch_matmul_s8",
        movement.batch_matmul,
        "params->right_zero_point",
        "0",
        "",
    ),
    "prelu takes zero for negative": (
        "ek_prelu_s8",
        movement.prelu,
        "params->input2_zero_point",
        "params->input2_zero_point - 1",
        "",
    ),
    "bilinear rounds ties up": (
        "ek_resize_bilinear_s8",
        movement.resize_bilinear,
        "(sum + half) / (1 << 20)",
        "(sum + (half < 0 ? -half : half)) >> 20",
        "",
    ),
    "nearest swaps rows and columns": (
        "ek_resize_nearest_neighbor_s8",
        movement.resize_nearest_neighbor,
        "params->columns[x] * channels",
        "params->columns[0] * channels",
        "",
    ),
    "a walk begins at the start of its tensor": (
        "ek_strided_copy_s8",
        movement.slice_,
        "params->start +",
        "0 +",
        "",
    ),
    "a walk forgets a dimension": (
        "ek_strided_copy_s8",
        movement.transpose,
        "row * params->stride[4]",
        "row * run",
        "",
    ),
    "gather ignores its indices": (
        "ek_gather_s8",
        movement.gather,
        "params->indices[j] * inner",
        "params->indices[0] * inner",
        "",
    ),
    "concatenation repeats its first row": (
        "ek_concatenation_s8",
        movement.concatenation,
        "*input + i * size",
        "*input",
        "",
    ),
    "mul rounds once": ("ek_mul_s8", weightless.mul, '#include "ek_binary.h"', ONCE_BINARY, ""),
    "sub swaps its operands": (
        "ek_sub_s8",
        weightless.sub,
        "input1, input2, output, ek_sub_element",
        "input2, input1, output, ek_sub_element",
        "",
    ),
    "a lookup reads signed bytes": ("ek_lookup_s8", unary.relu, "(uint8_t)input[i]", "input[i] & 127", ""),
    "add swaps its zero points": (
        "ek_add_s8",
        weightless.add,
        "ek_add_broadcast(params, input1, input2, output)",
        "ek_add_broadcast(params, input2, input1, output)",
        "",
    ),
}


@pytest.mark.parametrize("name", BROKEN)
def test_a_broken_kernel_is_caught(name: str, tmp_path: Path) -> None:
    kernel, make, old, new, extra = BROKEN[name]
    source = (runner.RUNTIME / "src" / "ref" / f"{kernel}.c").read_text()
    assert old in source, f"'{old}' is no longer in {kernel}.c"
    first, rest = re.split(r'(?<=#include "ek_nn.h"\n)', source) if extra else ("", source)
    rng = np.random.default_rng(zlib.crc32(name.encode()))
    cases: list[runner.Case] = []
    while len(cases) < 60:
        model = make(rng)
        if runner.lower(model).kernel == kernel:
            cases.append(runner.case(model, rng))
    try:
        wrong = runner.compare(cases, tmp_path, {kernel: first + extra + rest.replace(old, new)})
    except AssertionError as error:
        wrong = [
            line for line in str(error).splitlines() if "runtime error" in line or "AddressSanitizer" in line
        ]
    assert wrong
