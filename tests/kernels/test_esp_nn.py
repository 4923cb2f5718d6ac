"""The kernels that call ESP-NN: they compile and pass it the right things, and stay within its limits.

What ESP-NN makes of it needs ESP-NN itself: `EDGEKIT_ESP_NN=path/to/esp-nn`. Without it stands C of our own.
docs/reference/kernels.md has the tolerances.
"""

import ctypes
import re
import subprocess
import zlib
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import documents
import generated_c
import numpy as np
import pytest
import small_models
from kernels import esp_nn, models, runner, weightless
from tflite_builder import Node, Value, build, build_graph

from edgekit import board, contract, kernels, ops, resources
from edgekit.codegen.generator import generate
from edgekit.firmware import project
from edgekit.graph import tflite
from edgekit.kernels.esp_nn import ek_conv_2d_s8
from edgekit.ops.step import PORTABLE, Constant
from edgekit.oracle import Oracle

Make = Callable[[np.random.Generator], bytes]
SOURCES = sorted((runner.RUNTIME / "src" / "esp_nn").glob("*.c"))
COMPILERS = {
    "gcc": ["gcc", "-O3"],
    "xtensa": ["xtensa-lx106-elf-gcc", "-O2", "-mlongcalls", "-ffreestanding"],
}
# Operator: models, how many, and by how much how large a share of results may differ from the reference.
CASES: dict[str, tuple[Make, int, int, float]] = {
    "CONV_2D": (models.conv_2d, 200, 0, 0.0),
    "DEPTHWISE_CONV_2D": (models.depthwise_conv_2d, 200, 0, 0.0),
    "FULLY_CONNECTED": (models.fully_connected, 200, 1, 0.01),
    "ADD": (weightless.add, 150, 0, 0.0),
    "MUL": (weightless.mul, 150, 0, 0.0),
    "AVERAGE_POOL_2D": (weightless.average_pool_2d, 100, 0, 0.0),
    "MAX_POOL_2D": (weightless.max_pool_2d, 100, 0, 0.0),
    "SOFTMAX": (weightless.softmax, 150, 0, 0.0),
}


@pytest.fixture(scope="module")
def real(tmp_path_factory: pytest.TempPathFactory) -> runner.Variant:
    return esp_nn.portable(esp_nn.source_folder(), tmp_path_factory.mktemp("esp_nn"))


@pytest.fixture(scope="module")
def stand_in(tmp_path_factory: pytest.TempPathFactory) -> runner.Variant:
    return esp_nn.stand_in(tmp_path_factory.mktemp("stand_in"))


def adapted(kind: str, rng: np.random.Generator, count: int) -> list[runner.Case]:
    """Return random cases that the twin takes."""
    make, cases = CASES[kind][0], []
    for _ in range(60 * count):
        model = make(rng)
        if runner.lower(model, esp_nn.FOLDER).folder == esp_nn.FOLDER:
            cases.append(runner.case(model, rng))
        if len(cases) == count:
            return cases
    raise AssertionError(f"the twin took only {len(cases)} models")


def differences(kind: str, count: int, variant: runner.Variant, folder: Path) -> runner.Array:
    """Return by how much each result of random models differs from the reference's."""
    cases = adapted(kind, np.random.default_rng(zlib.crc32(kind.encode())), count)
    outputs = runner.run(cases, folder, {}, variant=variant)
    pairs = zip(map(runner.reference, cases), outputs, strict=True)
    return np.concatenate([np.abs(right.astype(int) - found.astype(int)).ravel() for right, found in pairs])


@pytest.mark.parametrize("kind", CASES)
def test_esp_nn_equals_the_reference_within_the_stated_tolerance(
    kind: str, real: runner.Variant, tmp_path: Path
) -> None:
    _, count, most, share = CASES[kind]
    found = differences(kind, count, real, tmp_path)
    differing = np.count_nonzero(found) / found.size
    print(f"{kind}: {count} models, {found.size} results, {differing:.2%} differ, by {found.max()} at most")
    assert found.max() <= most
    assert differing <= share


@pytest.mark.parametrize("compiler", COMPILERS)
def test_the_kernels_compile_cleanly(compiler: str, tmp_path: Path) -> None:
    include = [f"-I{runner.RUNTIME / 'include'}", f"-I{esp_nn.DECLARATIONS}"]
    if compiler == "xtensa":
        include.append(f"-I{resources.firmware_templates() / 'bare_metal' / 'libc'}")
    for source in SOURCES:
        command = [*COMPILERS[compiler], "-c", *runner.WARNINGS, *include, str(source)]
        done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True)
        assert done.returncode == 0, done.stderr[:3000]


@pytest.mark.parametrize("chip", [(), ("-DCONFIG_NN_OPTIMIZED=1", "-DCONFIG_IDF_TARGET_ESP32S3=1")])
def test_the_kernels_compile_with_esp_nns_own_header(chip: tuple[str, ...], tmp_path: Path) -> None:
    include = [f"-I{runner.RUNTIME / 'include'}", f"-isystem{esp_nn.source_folder() / 'include'}"]
    for source in SOURCES:
        command = ["gcc", "-c", *runner.WARNINGS, *include, *chip, str(source)]
        done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True)
        assert done.returncode == 0, done.stderr[:3000]


def test_each_kernel_has_its_twin_and_its_portable_one() -> None:
    twins = {p.stem for p in (Path(kernels.__file__).parent / "esp_nn").glob("ek_*.py")}
    assert {source.stem.removesuffix("_esp_nn") for source in SOURCES} == twins
    assert twins <= {path.stem for path in (runner.RUNTIME / "src" / PORTABLE).glob("*.c")}


@pytest.mark.parametrize("name", ["xiao_esp32s3", "xiao_esp32s3_sense", "esp32s3_devkitc", "esp32s3_eye"])
def test_boards_use_it_only_when_asked(name: str) -> None:
    found = board.load(name)
    assert found.build.kernels == (PORTABLE,)
    assert found.build.optional_kernels == ("esp_nn",)
    assert found.build.facts["esp_nn"] == ">=1.1.2,<1.2.0"
    assert board.choose(found, kernels="esp_nn").build.kernels == ("esp_nn", PORTABLE)


def test_a_firmware_project_compiles_for_the_chip(tmp_path: Path) -> None:
    graph = tflite.parse(small_models.classifier())
    target = board.choose(board.load("xiao_esp32s3"), kernels="esp_nn")
    made = generate(graph, contract.of(graph), folders=target.build.kernels)
    assert {step.folder for step in made.steps if step.kernel} == {"esp_nn"}
    files = project.assemble(made, target).files
    assert "runtime/src/esp_nn/ek_esp_nn.h" in files
    for name, content in files.items():
        path = tmp_path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content)
    libc = resources.firmware_templates() / "bare_metal" / "libc"
    include = [f"-I{tmp_path / folder}" for folder in project.include_folders(files)]
    include += [f"-I{esp_nn.DECLARATIONS}", f"-I{libc}"]
    for name in files:
        if name.endswith(".c") and name.startswith(("model/", "runtime/", "app/")):
            command = [*COMPILERS["xtensa"], "-c", *runner.WARNINGS, *include, name, "-o", "out.o"]
            done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True)
            assert done.returncode == 0, done.stderr[:3000]


def both_kinds() -> bytes:
    """Return a network whose second convolution and MEAN are portable, and the rest ESP-NN's."""
    rng = np.random.default_rng(6)

    def weights(shape: tuple[int, ...]) -> Value:
        return Value(shape, scales=[0.01], zero_points=[0], data=rng.integers(-127, 128, shape))

    def bias(count: int) -> Value:
        return Value((count,), "int32", data=rng.integers(-1000, 1000, count))

    values = [
        Value((1, 16, 16, 3), scales=[0.02], zero_points=[-128]),
        *(weights((8, 3, 3, 3)), bias(8), Value((1, 16, 16, 8), scales=[0.05], zero_points=[-20])),
        *(weights((8, 3, 3, 4)), bias(8), Value((1, 8, 8, 8), scales=[0.1], zero_points=[4])),
        *(weights((1, 3, 3, 8)), bias(8), Value((1, 8, 8, 8), scales=[0.1], zero_points=[9])),
        Value((1, 8, 8, 8), scales=[0.15], zero_points=[-3]),
        *(Value((2,), "int32", data=np.array([1, 2])), Value((1, 8), scales=[0.1], zero_points=[-3])),
    ]
    same = {"padding": "SAME", "stride_h": 1, "stride_w": 1}
    nodes = [
        Node("CONV_2D", [0, 1, 2], [3], same),
        Node("CONV_2D", [3, 4, 5], [6], same | {"stride_h": 2, "stride_w": 2}),  # two groups
        Node("DEPTHWISE_CONV_2D", [6, 7, 8], [9], same | {"depth_multiplier": 1}),
        Node("ADD", [6, 9], [10]),
        Node("MEAN", [10, 11], [12], {"keep_dims": False}),
    ]
    return build_graph(values, nodes, inputs=[0], outputs=[12])


def test_a_network_of_both_kinds_computes_what_the_reference_does(tmp_path: Path) -> None:
    model = both_kinds()
    graph = tflite.parse(model)
    made = generate(graph, contract.of(graph), folders=("esp_nn", PORTABLE))
    assert [step.folder for step in made.steps] == ["esp_nn", PORTABLE, "esp_nn", "esp_nn", PORTABLE]
    extra = (f"-I{runner.RUNTIME / 'src' / 'esp_nn'}", f"-I{esp_nn.DECLARATIONS}")
    library = generated_c.build(made, tmp_path, (*extra, str(esp_nn.DECLARATIONS / "esp_nn.c"), "-lm"))
    frames = np.random.default_rng(7).integers(-128, 128, (20, 16, 16, 3), np.int8)
    for frame, expected in zip(frames, Oracle(model).run(frames), strict=True):
        scores, _ = generated_c.run(library, made, graph, frame)
        assert scores == expected.tobytes()


def padded(rng: np.random.Generator) -> bytes:
    """Return a PAD of up to 9 pixels on each side and a CONV_2D of any stride, which become one step."""
    size, channels, stride = rng.integers(2, 6, 2).tolist(), int(rng.integers(1, 5)), int(rng.integers(1, 17))
    amounts = np.zeros((4, 2), np.int32)
    amounts[1:3] = rng.integers(0, 10, (2, 2)) * (rng.random((2, 2)) < 0.7)
    grown = [max(3, s + int(a.sum())) for s, a in zip(size, amounts[1:3], strict=True)]
    amounts[1:3, 1] += [g - s - int(a.sum()) for g, s, a in zip(grown, size, amounts[1:3], strict=True)]
    output = [(g - 3) // stride + 1 for g in grown]
    zero_point = [models.zero_point(rng)]
    values = [
        Value((1, *size, channels), scales=[0.1], zero_points=zero_point),
        Value((4, 2), "int32", data=amounts),
        Value((1, *grown, channels), scales=[0.1], zero_points=zero_point),
        Value(
            (4, 3, 3, channels),
            scales=[0.01],
            zero_points=[0],
            data=rng.integers(-127, 128, (4, 3, 3, channels)),
        ),
        Value((4,), "int32", data=rng.integers(-1000, 1000, 4)),
        Value((1, *output, 4), scales=[0.4], zero_points=[models.zero_point(rng)]),
    ]
    options = {"padding": "VALID", "stride_h": stride, "stride_w": stride}
    nodes = [Node("PAD", [0, 1], [2]), Node("CONV_2D", [2, 3, 4], [5], options)]
    return build_graph(values, nodes, inputs=[0], outputs=[5])


def test_any_padding_is_ours(stand_in: runner.Variant, tmp_path: Path) -> None:
    rng = np.random.default_rng(13)
    cases = [runner.case(padded(rng), rng) for _ in range(100)]
    steps = [runner.lower(case.model, "esp_nn") for case in cases]
    assert {(len(step.ops), step.folder) for step in steps} == {(2, "esp_nn")}
    for case, found in zip(cases, runner.run(cases, tmp_path, {}, variant=stand_in), strict=True):
        assert np.array_equal(found, runner.reference(case))


BROKEN = {
    "conv pads with zeros": ("CONV_2D", "padded, params->input_zero_point", "padded, 0"),
    "conv pads left too little": ("CONV_2D", "width + params->pad_left) *", "width) *"),
    "depthwise takes the wrong sign": ("DEPTHWISE_CONV_2D", "-params->input_zero", "params->input_zero"),
    "conv forgets its shifts": ("CONV_2D", "wide[i] = shift[i]", "wide[i] = shift[0]"),
    "depthwise takes the multiplier for 1": ("DEPTHWISE_CONV_2D", "= params->depth_multiplier", "= 1"),
    "fully connected takes one shift for all": ("FULLY_CONNECTED", "params->channel_step != 0", "0"),
    "add swaps its operands": ("ADD", "input1, input2, -", "input2, input1, -"),
    "mul forgets an operand's zero point": ("MUL", "-params->input2_zero_point", "0"),
    "mul shifts the other way": ("MUL", "params->output_shift", "-params->output_shift"),
    "average forgets its padding": ("AVERAGE_POOL_2D", "(uint16_t)params->pad_top", "0"),
    "max swaps its strides": ("MAX_POOL_2D", "params->stride_width", "params->stride_height + 1"),
    "softmax is one bit off": ("SOFTMAX", "params->shift", "params->shift - 1"),
}


@pytest.mark.parametrize("name", BROKEN)
def test_a_broken_kernel_is_caught(name: str, stand_in: runner.Variant, tmp_path: Path) -> None:
    kind, old, new = BROKEN[name]
    cases = adapted(kind, np.random.default_rng(1), 40)
    kernel = str(runner.lower(cases[0].model, "esp_nn").kernel)
    # One file of the header and the kernel, so that what they share can be broken too.
    header = (runner.RUNTIME / "src" / "esp_nn" / "ek_esp_nn.h").read_text()
    source = (runner.RUNTIME / "src" / "esp_nn" / f"{kernel}.c").read_text()
    whole = source.replace('#include "ek_esp_nn.h"\n', header)
    assert old in whole, f"'{old}' is no longer in {kernel}.c"
    try:
        outputs = runner.run(cases, tmp_path, {kernel: whole.replace(old, new)}, variant=stand_in)
    except AssertionError as error:
        # A sanitizer or the stand-in has stopped the program while it ran, not the compiler before.
        assert re.search(r"case \d+ frame \d+", str(error)), error
        return
    pairs = zip(map(runner.reference, cases), outputs, strict=True)
    assert max(np.abs(right.astype(int) - found.astype(int)).max() for right, found in pairs) > 1


def test_without_the_folder_nothing_changes() -> None:
    graph = tflite.parse(small_models.classifier())
    steps = ops.lower(graph)
    assert kernels.adapt(graph, steps, (PORTABLE,)) == steps
    assert kernels.adapt(graph, steps, (PORTABLE, "esp_nn")) == steps
    plain, other = (generate(graph, contract.of(graph), folders=f) for f in (("ref",), ("ref", "esp_nn")))
    assert plain.files == other.files


def test_a_variant_makes_no_claim_to_overlap() -> None:
    graph = tflite.parse(small_models.classifier())
    steps = tuple(replace(step, overlaps=(0,) * len(step.inputs)) for step in ops.lower(graph))
    for step in kernels.adapt(graph, steps, ("esp_nn", PORTABLE)):
        assert step.overlaps == (() if step.folder == "esp_nn" else (0,) * len(step.inputs))


def test_a_kernel_of_the_same_name_replaces_the_portable_one(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    fast = tmp_path / "runtime" / "src" / "fast"
    fast.mkdir(parents=True)
    (fast / "ek_add_s8.c").touch()
    monkeypatch.setenv("EDGEKIT_TEMPLATES", str(tmp_path))
    graph = tflite.parse(small_models.classifier())
    steps = tuple(replace(step, overlaps=(0,) * len(step.inputs)) for step in ops.lower(graph))
    for old, new in zip(steps, kernels.adapt(graph, steps, ("fast", PORTABLE)), strict=True):
        assert new == (replace(old, folder="fast") if old.kernel == "ek_add_s8" else old)
    assert any(step.kernel == "ek_add_s8" for step in steps)
    assert kernels.adapt(graph, steps, (PORTABLE, "fast")) == steps


def convolution(
    kind: str, size: tuple[int, int], window: int, stride: int, padding: str, channels: int, dilation: int = 1
) -> bytes:
    """Return one convolution of `channels` to as many."""
    rng = np.random.default_rng(5)
    reach = (window - 1) * dilation + 1
    out = [-(-s // stride) if padding == "SAME" else (s - reach) // stride + 1 for s in size]
    shape = (channels, window, window, channels) if kind == "CONV_2D" else (1, window, window, channels)
    options = {"padding": padding, "stride_h": stride, "stride_w": stride}
    options |= {"dilation_h_factor": dilation, "dilation_w_factor": dilation}
    if kind != "CONV_2D":
        options["depth_multiplier"] = 1
    return build(
        kind,
        [
            Value((1, *size, channels), scales=[0.1], zero_points=[-7]),
            Value(shape, scales=[0.01], zero_points=[0], data=rng.integers(-127, 128, shape)),
            Value((channels,), "int32", data=rng.integers(-1000, 1000, channels)),
        ],
        [Value((1, *out, channels), scales=[0.4], zero_points=[3])],
        options,
    )


def test_the_zero_point_leaves_the_bias_only_where_the_image_ends() -> None:
    for padding, stride, zero_point in (("VALID", 1, 0), ("VALID", 2, 0), ("SAME", 1, -7)):
        model = convolution("DEPTHWISE_CONV_2D", (9, 9), 3, stride, padding, 4)
        portable, fast = runner.lower(model), runner.lower(model, "esp_nn")
        assert fast.params["input_zero_point"] == zero_point
        old, new = portable.params["bias"], fast.params["bias"]
        assert isinstance(old, Constant)
        assert isinstance(new, Constant)
        weights = portable.params["weights"]
        assert isinstance(weights, Constant)
        sums = weights.values.astype(int).sum(axis=(0, 1, 2))
        assert np.array_equal(new.values, old.values + zero_point * sums)


@pytest.mark.parametrize(
    ("kind", "size", "window", "stride", "padding", "dilation", "taken"),
    [
        ("CONV_2D", (8, 8), 3, 1, "SAME", 1, True),
        ("CONV_2D", (9, 9), 3, 2, "SAME", 1, True),
        ("CONV_2D", (8, 8), 3, 2, "SAME", 1, True),
        ("CONV_2D", (8, 8), 4, 1, "SAME", 1, True),
        ("CONV_2D", (8, 8), 4, 1, "VALID", 1, True),
        ("CONV_2D", (9, 9), 3, 1, "VALID", 2, False),
        ("DEPTHWISE_CONV_2D", (8, 8), 3, 1, "SAME", 1, True),
        ("DEPTHWISE_CONV_2D", (8, 8), 3, 2, "SAME", 1, True),  # padding behind alone
        ("DEPTHWISE_CONV_2D", (8, 9), 3, 2, "SAME", 1, False),  # none above, one left
        ("DEPTHWISE_CONV_2D", (8, 8), 4, 1, "SAME", 1, False),
        ("DEPTHWISE_CONV_2D", (9, 9), 3, 1, "VALID", 2, False),
    ],
)
def test_what_esp_nn_gets_wrong_stays_portable(
    kind: str, size: tuple[int, int], window: int, stride: int, padding: str, dilation: int, taken: bool
) -> None:
    model = convolution(kind, size, window, stride, padding, 16, dilation)
    assert (runner.lower(model, "esp_nn").folder == "esp_nn") is taken


@pytest.mark.parametrize(
    ("first", "second", "constant", "taken"),
    [
        ((1, 2, 3, 4), (1, 2, 3, 4), False, True),
        ((1, 8), (1, 8), False, True),
        ((1, 3, 3, 1), (1, 3, 3, 1), False, False),  # 9: one behind the vector loop
        ((1, 4), (1, 4), False, False),  # no turn of the vector loop
        ((1, 2, 3, 8), (1, 1, 1, 8), False, False),
        ((1, 2, 3, 8), (1, 2, 3, 8), True, False),
    ],
)
def test_mul_is_taken_as_whole_turns_of_the_vector_loop(
    first: tuple[int, ...], second: tuple[int, ...], constant: bool, taken: bool
) -> None:
    data = np.arange(np.prod(second)).reshape(second) % 99 if constant else None
    model = build(
        "MUL",
        [
            Value(first, scales=[0.1], zero_points=[1]),
            Value(second, scales=[0.1], zero_points=[2], data=data),
        ],
        [Value(first, scales=[0.2], zero_points=[3])],
        {},
    )
    assert (runner.lower(model, "esp_nn").folder == "esp_nn") is taken


class Dims(ctypes.Structure):
    """ESP-NN's data_dims_t."""

    _fields_ = [(name, ctypes.c_int32) for name in ("width", "height", "channels", "extra")]


class ConvParams(ctypes.Structure):
    """ESP-NN's conv_params_t, and dw_conv_params_t with `ch_mult` between the offsets and the rest."""

    _fields_ = [(f"word{i}", ctypes.c_int32) for i in range(11)]


def test_scratch_is_what_esp_nn_asks_for(tmp_path: Path) -> None:
    folder = esp_nn.source_folder()
    if not esp_nn.is_pinned(folder):
        pytest.skip("the sums are those of ESP-NN 1.1.2, which the boards pin")
    library = esp_nn.esp32s3_sizes(folder, tmp_path)
    rng = np.random.default_rng(8)
    seen = 0
    for _ in range(1500):
        kind = models.pick(rng, ("CONV_2D", "DEPTHWISE_CONV_2D"))
        size = (int(rng.integers(4, 30)), int(rng.integers(4, 30)))
        channels = int(models.pick(rng, (1, 3, 4, 8, 12, 16, 24, 32)))
        window, stride = int(rng.integers(1, 5)), int(rng.integers(1, 4))
        model = convolution(kind, size, window, stride, str(models.pick(rng, ("SAME", "VALID"))), channels)
        step = runner.lower(model, "esp_nn")
        if step.folder != "esp_nn":
            continue
        p = {name: value for name, value in step.params.items() if isinstance(value, int)}
        assert step.geometry is not None
        height, width = p["input_height"], p["input_width"]
        ours = step.scratch_bytes - -(-4 * channels // 16) * 16
        if kind == "CONV_2D":
            height, width = ek_conv_2d_s8.image_size(step.geometry)
            if step.geometry.leaves_image:
                ours -= -(-height * width * channels // 16) * 16
                p |= {"pad_top": 0, "pad_left": 0}
        dims = [
            Dims(width, height, channels, 1),
            Dims(p["filter_width"], p["filter_height"], channels, 1),
            Dims(p["output_width"], p["output_height"], channels, 1),
        ]
        words = [p["stride_width"], p["stride_height"], p["pad_left"], p["pad_top"], 1, 1, -128, 127]
        head = [0, 0] if kind == "CONV_2D" else [0, 0, 1]
        ask = "conv" if kind == "CONV_2D" else "depthwise_conv"
        ask_for = getattr(library, f"esp_nn_get_{ask}_scratch_size_esp32s3")
        asked = ask_for(*map(ctypes.byref, dims), ctypes.byref(ConvParams(*head, *words)))
        assert ours == asked if kind == "CONV_2D" else ours >= asked, (kind, p)
        seen += 1
    assert seen > 500


def test_the_page_states_the_tolerances_that_are_tested() -> None:
    text = (documents.ROOT / "docs" / "reference" / "kernels.md").read_text("utf-8")
    for kind, (_, _, most, share) in CASES.items():
        allowed = f"by {most}, at most {share:.0%} of results" if most else "none"
        assert f"| {kind} | {allowed} |" in text


def test_sizes_beyond_16_bits_stay_portable() -> None:
    for width, folder in ((65535, "esp_nn"), (65536, PORTABLE)):
        model = build(
            "MAX_POOL_2D",
            [Value((1, 1, width, 4), scales=[0.1], zero_points=[0])],
            [Value((1, 1, width, 4), scales=[0.1], zero_points=[0])],
            {"padding": "VALID", "stride_w": 1, "stride_h": 1, "filter_width": 1, "filter_height": 1},
        )
        assert runner.lower(model, "esp_nn").folder == folder
