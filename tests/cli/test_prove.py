"""`edgekit prove` catches kernels that are broken on purpose and names the first step that differs."""

import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

from edgekit import resources

SINGLE = """
static inline int32_t single(int32_t acc, int32_t multiplier, int32_t shift) {
    const int64_t product = (int64_t)acc * multiplier;
    return (int32_t)((product + (INT64_C(1) << (30 - shift))) >> (31 - shift));
}
"""
MISALIGNED = """
static inline int32_t misaligned(const int8_t *at) {
    return (int32_t)(int8_t)((*(const int32_t *)(const void *)(at + 1)) & 0xff);
}
"""
INCLUDE = '#include "ek_nn.h"\n'
PAIR = '#include "ek_pair.h"'

# what is wrong: (kernel, text, what stands there instead, functions that it needs, step that must be named)
BROKEN = {
    "rounding": ("ek_conv_2d_s8", PAIR, f"#define ek_requantize_twice single\n{PAIR}", SINGLE, "1: CONV_2D"),
    "zero point": (
        "ek_conv_2d_s8",
        "params->output_zero_point",
        "params->output_zero_point + 1",
        "",
        "0: CONV_2D",
    ),
    "padding": (
        "ek_conv_2d_s8",
        "params->stride_width - params->pad_left",
        "params->stride_width - params->pad_left + 1",
        "",
        "0: CONV_2D",
    ),
    "misaligned read": (
        "ek_conv_2d_s8",
        "ek_pair_of(first[0]",
        "ek_pair_of(misaligned(first)",
        MISALIGNED,
        "0: CONV_2D",
    ),
    "a later step": ("ek_average_pool_2d_s8", "(sum + half)", "(sum + half + 64)", "", "3: AVERAGE_POOL_2D"),
}


@pytest.fixture
def templates(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Return a copy of the firmware templates that edgekit uses from now on."""
    copy = tmp_path / "templates"
    shutil.copytree(resources.firmware_templates(), copy)
    monkeypatch.setenv("EDGEKIT_TEMPLATES", str(copy))
    return copy


def spoil(templates: Path, kernel: str, old: str, new: str, extra: str) -> None:
    path = templates / "runtime" / "src" / "ref" / f"{kernel}.c"
    source = path.read_text("utf-8")
    assert old in source, f"'{old}' is no longer in {kernel}.c"
    assert not extra or INCLUDE in source
    path.write_text(source.replace(old, new).replace(INCLUDE, INCLUDE + extra, 1), "utf-8")


@pytest.mark.parametrize("name", BROKEN)
def test_a_broken_kernel_is_caught_and_its_step_named(
    name: str, cli: Callable, model: Path, templates: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    kernel, old, new, extra, step = BROKEN[name]
    spoil(templates, kernel, old, new, extra)
    done = cli("prove", "--model", model, "--random", "60", "--json")
    assert done.code == 12, done.out
    error = done.json["error"]
    assert error["id"] == "proof"
    assert f"the first differing step is {step}" in error["message"]
    assert error["details"]["step"] == int(step.split(":")[0])
    assert error["details"]["expected"] != error["details"]["got"]


def test_a_board_on_a_port_is_asked_for_a_debug_build(
    cli: Callable, model: Path, templates: Path, host_on_pty: Callable
) -> None:
    spoil(templates, *BROKEN["zero point"][:4])
    with host_on_pty(model) as port:
        done = cli("prove", "--model", model, "--port", port, "--random", "5")
    assert done.code == 12
    assert "--debug" in done.err
    with host_on_pty(model, debug=True) as port:
        done = cli("prove", "--model", model, "--port", port, "--random", "5")
    assert done.code == 12
    assert "the first differing step is 0: CONV_2D" in done.err
