"""`edgekit prove` catches kernels that are broken on purpose and names the first step that differs."""

import json
import shutil
from collections.abc import Callable
from pathlib import Path

import numpy as np
import oracle_models
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


# What makes a kernel wrong but for debug builds, and wrong but for the second time.
ONLY_OPTIMISED = """
#ifdef EK_TRACE
#define WRONG 0
#else
#define WRONG 1
#endif
"""
ONLY_ONCE = """
static int calls;
#define WRONG (calls++ < 1)
"""


def spoil_softmax(templates: Path, wrong: str) -> None:
    spoil(templates, "ek_softmax_s8", "result += ek_rounding", "result += WRONG + ek_rounding", wrong)


def test_what_is_right_in_a_debug_build_is_not_blamed_on_one_cause(
    cli: Callable, model: Path, templates: Path
) -> None:
    spoil_softmax(templates, ONLY_OPTIMISED)
    done = cli("prove", "--model", model, "--random", "5")
    assert done.code == 12
    assert "no step differs in a debug build" in done.err
    assert "cflags" in done.err


def test_what_is_right_the_second_time_is_not_blamed_on_the_compiler(
    cli: Callable, model: Path, templates: Path, host_on_pty: Callable
) -> None:
    spoil_softmax(templates, ONLY_ONCE)
    with host_on_pty(model, debug=True) as port:
        done = cli("prove", "--model", model, "--port", port, "--random", "5")
    assert done.code == 12
    assert "no step differs when the frame is run again" in done.err
    assert "right the second time" in done.err
    assert "build with" not in done.err


# --- where it is the reference that fails


def saved(tmp_path: Path, name: str, pixels: np.ndarray) -> tuple[Path, Path]:
    """Write a model of `oracle_models` and images for it; return both paths."""
    path, images = tmp_path / f"{name}.tflite", tmp_path / f"{name}.npy"
    path.write_bytes(getattr(oracle_models, name)())
    np.save(images, pixels.astype(np.uint8))
    return path, images


def test_a_frame_of_which_the_reference_crashes_is_named(cli: Callable, tmp_path: Path) -> None:
    pixels = np.zeros((4, 1, 513, 1))
    pixels[:2, 0, :9] = 255
    model, images = saved(tmp_path, "flat", pixels)
    done = cli("prove", "--model", model, "--data", images, "--json")
    assert done.code == 7, done.err
    error = done.json["error"]
    assert error["id"] == "oracle"
    assert error["details"] == {"frame": 2}
    assert "crashes (SIGABRT) on frame 2, at operator 1 SOFTMAX 'shares'" in error["message"]
    assert cli("prove", "--model", model, "--random", "3").code == 0


def test_a_frame_that_the_reference_refuses_is_named(cli: Callable, tmp_path: Path) -> None:
    pixels = np.full((3, 4, 4, 3), 200)
    pixels[1] = 100
    model, images = saved(tmp_path, "root", pixels)
    done = cli("prove", "--model", model, "--data", images)
    assert done.code == 7
    assert "on frame 1, at operator 0 RSQRT" in done.err
    assert "bug in edgekit" not in done.err


def test_a_reference_that_contradicts_itself_is_said_so(cli: Callable, tmp_path: Path) -> None:
    pixels = np.random.default_rng(2).integers(0, 256, (6, 7, 7, 3))
    model, images = saved(tmp_path, "shared", pixels)
    done = cli("prove", "--model", model, "--data", images, "-o", "certificate.json", "--json")
    assert done.code == 0, done.err
    (note,) = done.json["certificate"]["notes"]
    assert "without experimental_preserve_all_tensors it gives other scores for 4 of 4 frames" in note
    assert note in done.json["warnings"]
    assert note in json.loads(Path("certificate.json").read_text())["notes"]


def test_a_device_that_differs_hears_that_the_reference_does_too(
    cli: Callable, tmp_path: Path, templates: Path
) -> None:
    spoil(templates, "ek_concatenation_s8", "output += size;", "output += size; output[-1]++;", "")
    model, images = saved(tmp_path, "shared", np.zeros((2, 7, 7, 3)))
    done = cli("prove", "--model", model, "--data", images)
    assert done.code == 12
    assert "contradicts itself" in done.err
