"""What the operators refuse: models they cannot run, and files that contradict themselves."""

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from kernels import models, weightless
from tflite_builder import Node, Value, build, build_graph

from edgekit import ops
from edgekit.errors import ModelError, UnsupportedOpError
from edgekit.graph import tflite
from edgekit.graph.ir import Graph, Op
from edgekit.graph.rewrites import padding, rewritten
from edgekit.ops.step import Step

ACT: dict[str, Any] = {"scales": [0.5], "zero_points": [0]}
CONV = {"padding": "VALID", "stride_h": 1, "stride_w": 1, "fused_activation_function": "NONE"}


def steps(data: bytes) -> tuple[Step, ...]:
    """Lower a model."""
    return ops.lower(tflite.parse(data))


def conv(
    *,
    source: Value | None = None,
    weights: Value | None = None,
    bias: Value | None = None,
    target: Value | None = None,
    options: Mapping[str, Any] | None = None,
    kind: str = "CONV_2D",
) -> bytes:
    """Return a small convolution, 1x5x5x2 to 1x3x3x4, with parts exchanged."""
    shape = (4, 3, 3, 2) if kind == "CONV_2D" else (1, 3, 3, 4)
    return build(
        kind,
        [
            source or Value((1, 5, 5, 2), **ACT),
            weights or Value(shape, scales=[0.1], zero_points=[0], data=np.ones(shape)),
            bias or Value((4,), "int32", data=np.zeros(4)),
        ],
        [target or Value((1, 3, 3, 4), **ACT)],
        {**CONV, **(options or {})},
    )


def test_a_sound_convolution_passes() -> None:
    for kind in ("CONV_2D", "DEPTHWISE_CONV_2D"):
        (step,) = steps(conv(kind=kind))
        assert step.macs == 36 * (18 if kind == "CONV_2D" else 9)


def test_macs_and_scratch_of_a_convolution() -> None:
    (step,) = steps(conv())
    assert (step.macs, step.scratch_bytes) == (9 * 4 * 18, 4 * 18)
    (pointwise,) = steps(
        conv(
            weights=Value((4, 1, 1, 2), scales=[0.1], zero_points=[0], data=np.ones(8)),
            target=Value((1, 5, 5, 4), **ACT),
        )
    )
    assert pointwise.scratch_bytes == 4 * 2


def test_an_absent_bias_is_zero() -> None:
    weights = Value((4, 3, 3, 2), scales=[0.1], zero_points=[0], data=np.ones(72))
    bare = build("CONV_2D", [Value((1, 5, 5, 2), **ACT), weights], [Value((1, 3, 3, 4), **ACT)], CONV)
    (with_zeros,), (without,) = steps(conv()), steps(bare)
    assert without.params["bias"].values.tolist() == with_zeros.params["bias"].values.tolist()  # type: ignore[union-attr]


@pytest.mark.parametrize(
    ("parts", "reason"),
    [
        ({"source": Value((1, 5, 5, 2), "int16", **ACT)}, "int16"),
        ({"source": Value((1, 5, 5, 2), "float32")}, "float32"),
        ({"source": Value((1, 5, 5, 2))}, "quantisation"),
        ({"source": Value((1, 5, 5, 2), scales=[0.5, 0.5], zero_points=[0, 0], axis=3)}, "per-tensor"),
        ({"weights": Value((4, 3, 3, 2), scales=[0.1], zero_points=[0])}, "not a constant"),
        ({"weights": Value((4, 3, 3, 2), "int16", [0.1], [0], data=np.ones(72))}, "int16"),
        ({"weights": Value((4, 3, 3, 2), scales=[0.1], zero_points=[3], data=np.ones(72))}, "zero point"),
        ({"weights": Value((4, 3, 3, 2), data=np.ones(72))}, "not quantised"),
        ({"bias": Value((4,), "int64", data=np.zeros(4))}, "int64"),
        ({"bias": Value((4,), "int32", data=np.full(4, 2**31 - 1))}, "overflow"),
        ({"options": {"fused_activation_function": "TANH"}}, "TANH"),
        ({"target": Value((1, 3, 3, 4), scales=[1e-38], zero_points=[0])}, "out of range"),
    ],
)
def test_unsupported_convolutions(parts: dict[str, Any], reason: str) -> None:
    with pytest.raises(UnsupportedOpError, match=reason):
        steps(conv(**parts))


@pytest.mark.parametrize("kind", ["CONV_2D", "DEPTHWISE_CONV_2D"])
@pytest.mark.parametrize(
    "parts",
    [
        {"target": Value((1, 4, 3, 4), **ACT)},
        {"target": Value((1, 3, 3, 5), **ACT)},
        {"target": Value((2, 3, 3, 4), **ACT)},
        {"target": Value((1, 3, 12), **ACT)},
        {"target": Value((1, 0, 3, 4), **ACT)},
        {"source": Value((1, 5, 5, 3), **ACT)},
        {"source": Value((1, 2, 2, 2), **ACT)},
        {"source": Value((1, 5, 10), **ACT)},
        {"source": Value((1, 5, 5, 2), scales=[-1.0], zero_points=[0])},
        {"source": Value((1, 5, 5, 2), scales=[float("nan")], zero_points=[0])},
        {"source": Value((1, 5, 5, 2), scales=[0.5], zero_points=[200])},
        {"bias": Value((3,), "int32", data=np.zeros(3))},
        {"options": {"stride_h": 0}},
        {"options": {"stride_w": -1}},
        {"options": {"dilation_w_factor": 0}},
        {"options": {"dilation_h_factor": 1 << 30}},
        {"weights": Value((4, 3, 3, 2), scales=[0.1] * 3, zero_points=[0] * 3, data=np.ones(72))},
        {"weights": Value((1, 3, 3, 4), scales=[0.1] * 3, zero_points=[0] * 3, axis=3, data=np.ones(36))},
        {"weights": Value((4, 3, 3, 2), scales=[0.1], zero_points=[0], data=b"\1" * 71)},
        {"weights": Value((1, 3, 3, 4), scales=[0.1], zero_points=[0], data=b"\1" * 37)},
    ],
)
def test_contradictory_convolutions(parts: dict[str, Any], kind: str) -> None:
    with pytest.raises(ModelError):
        steps(conv(kind=kind, **parts))


def test_sizes_that_overflow_32_bits_are_refused() -> None:
    far = {"padding": "SAME", "dilation_h_factor": 1 << 16, "stride_h": 1}
    weights = Value((1, 1 << 12, 1, 1), scales=[0.1], zero_points=[0], data=np.ones(1 << 12))
    parts: dict[str, Any] = {
        "source": Value((1, 4, 1, 1), **ACT),
        "bias": Value((1,), "int32", data=np.zeros(1)),
    }
    with pytest.raises(ModelError, match="too large"):
        steps(conv(weights=weights, options=far, target=Value((1, 4, 1, 1), **ACT), **parts))
    huge = np.array([[0, 0], [1 << 30, 0], [0, 0], [0, 0]])
    options = {**CONV, "stride_h": 1 << 16}
    rows = ((4 + (1 << 30)) - 1) // (1 << 16) + 1
    values = [
        Value((1, 4, 1, 1), **ACT),
        Value((4, 2), "int32", data=huge),
        Value((1, 4 + (1 << 30), 1, 1), **ACT),
        Value((1, 1, 1, 1), scales=[0.1], zero_points=[0], data=np.ones(1)),
        Value((1, rows, 1, 1), **ACT),
    ]
    nodes = [Node("PAD", [0, 1], [2]), Node("CONV_2D", [2, 3], [4], options)]
    with pytest.raises(ModelError, match="too large"):
        steps(build_graph(values, nodes, [0], [4]))


def test_per_channel_weights_of_a_depthwise_lie_along_the_last_dimension() -> None:
    weights = Value((1, 3, 3, 4), scales=[0.1] * 3, zero_points=[0] * 3, axis=1, data=np.ones(36))
    with pytest.raises(ModelError, match="dimension 3"):
        steps(conv(kind="DEPTHWISE_CONV_2D", weights=weights))


def plain(kind: str, source: tuple[int, ...], target: tuple[int, ...], **options: Any) -> bytes:
    """Return a model of an operator with one activation and perhaps an int32 constant."""
    constant = options.pop("constant", None)
    out = options.pop("out", ACT)
    extra = [] if constant is None else [Value(np.shape(constant), "int32", data=np.array(constant))]
    return build(kind, [Value(source, **ACT), *extra], [Value(target, **out)], options)


def ints(*values: int) -> Value:
    return Value((len(values),), "int32", data=np.array(values))


POOL = {"padding": "VALID", "stride_h": 1, "stride_w": 1, "filter_height": 2, "filter_width": 2}
OTHER = {"scales": [0.25], "zero_points": [0]}
IMAGE = (1, 4, 4, 2)
UNSUPPORTED, BROKEN = UnsupportedOpError, ModelError


@pytest.mark.parametrize(
    ("data", "error", "reason"),
    [
        (plain("MEAN", IMAGE, (1, 2), constant=[1, 4]), BROKEN, "axis 4"),
        (plain("MEAN", IMAGE, (1, 3), constant=[1, 2]), BROKEN, "shape"),
        (plain("MEAN", IMAGE, (1, 2)), BROKEN, "input 1"),
        (
            plain("MAX_POOL_2D", IMAGE, (1, 3, 3, 2), out=OTHER, **POOL),
            UnsupportedOpError,
            "equal",
        ),
        (plain("AVERAGE_POOL_2D", IMAGE, (1, 3, 3, 1), **POOL), BROKEN, "shape"),
        (plain("MAX_POOL_2D", IMAGE, IMAGE, **POOL), BROKEN, "shape"),
        (plain("MAX_POOL_2D", (1, 1, 4, 2), (1, 0, 3, 2), **POOL), BROKEN, "no elements"),
        (
            plain("MAX_POOL_2D", IMAGE, (1, 3, 3, 2), **{**POOL, "stride_w": 0}),
            ModelError,
            "stride_w",
        ),
        (plain("PAD", (2, 2), (3, 2), constant=[[0, 1], [0, 0], [0, 0]]), BROKEN, "shape"),
        (plain("PAD", (2, 2), (1, 2), constant=[[0, -1], [0, 0]]), BROKEN, "pads by"),
        (plain("PAD", (2, 2), (2, 2), constant=[[0, 1], [0, 0]]), BROKEN, "shape"),
        (
            plain("PAD", (2,) * 5, (2,) * 5, constant=[[0, 0]] * 5),
            UnsupportedOpError,
            "5 dimensions",
        ),
        (plain("SOFTMAX", (1, 10), (1, 10), beta=1.0), UNSUPPORTED, "1/256"),
        (plain("RESHAPE", (1, 10), (1, 9), constant=[1, 9]), BROKEN, "cannot become"),
        (plain("RESHAPE", (1, 10), (10,), constant=[10], out=OTHER), UNSUPPORTED, "equal"),
        # TFLite makes the shape that the operator states, whatever the file says of the output.
        (plain("RESHAPE", (1, 10), (1, 10), constant=[2, 5]), BROKEN, "shape"),
        (plain("RESHAPE", (1, 10), (1, 10), constant=[-1, 5]), BROKEN, "shape"),
        (plain("RESHAPE", (1, 10), (1, 10), new_shape=[2, 5]), BROKEN, "shape"),
        (plain("RESHAPE", (1, 10), (1, 10), constant=[-1, -1]), BROKEN, "cannot become"),
        (plain("RESHAPE", (1, 10), (1, 10), constant=[-1, 3]), BROKEN, "cannot become"),
        (plain("RESHAPE", (1, 10), (1, 10), constant=[0, -1]), BROKEN, "cannot become"),
        (plain("RESHAPE", (1, 10), (1, 10), constant=[-2, -5]), BROKEN, "cannot become"),
        (plain("RESHAPE", (1, 10), (1, 10)), BROKEN, "cannot become"),
        (plain("SQUEEZE", (1, 1, 10), (1, 10), squeeze_dims=[2]), BROKEN, "drops"),
        (plain("SQUEEZE", (1, 1, 10), (1, 10), squeeze_dims=[3]), BROKEN, "drops"),
        (plain("SQUEEZE", (1, 1, 10), (1, 10)), BROKEN, "shape"),
        (plain("EXPAND_DIMS", (1, 10), (1, 10, 1), constant=1), BROKEN, "shape"),
        (plain("EXPAND_DIMS", (1, 10), (1, 10, 1), constant=3), BROKEN, "axes"),
        (plain("EXPAND_DIMS", (1, 10), (1, 10, 1)), BROKEN, "input 1"),
        (plain("ELU", (1, 10), (1, 10)), UNSUPPORTED, "no kernel"),
        (plain("LOGISTIC", (1, 10), (1, 10)), UNSUPPORTED, "1/256"),
        (plain("TRANSPOSE", (1, 10), (10, 1), constant=[1, 1]), BROKEN, "no order"),
        (plain("TRANSPOSE", (1, 10), (10, 2), constant=[1, 0]), BROKEN, "shape"),
        (plain("GATHER", (1, 10), (1,), constant=1), BROKEN, "outside dimension 0"),
        (build("SPLIT", [ints(1, 1), Value((1, 4), **ACT)], [Value((1, 2), **ACT)] * 2), BROKEN, "one axis"),
        (plain("RESIZE_NEAREST_NEIGHBOR", (1, 4, 4, 3), (1, 4, 3), constant=[4]), BROKEN, "height and width"),
        (plain("RESIZE_BILINEAR", IMAGE, (1, 4, 4, 4, 2), constant=[4, 4, 4]), BROKEN, "height and width"),
        (
            build("CONCATENATION", [Value((1, 1), **ACT)] * 300, [Value((1, 300), **ACT)], {"axis": 1}),
            UNSUPPORTED,
            "joins 300 tensors",
        ),
        # The step from row to row is rounded to 1/1024, and LiteRT itself then reads past the last one.
        (plain("RESIZE_BILINEAR", (1, 1, 1, 1), (1, 1500, 1, 1), constant=[1500, 1]), UNSUPPORTED, "past"),
        (plain("RESIZE_BILINEAR", (1, 1, 1, 1), (1, 1, 1500, 1), constant=[1, 1500]), UNSUPPORTED, "past"),
    ],
)
def test_refused_operators(data: bytes, error: type[ModelError], reason: str) -> None:
    with pytest.raises(error, match=reason):
        steps(data)


@pytest.mark.parametrize(
    "data",
    [
        plain("RESHAPE", (1, 10), (10,), constant=[10]),
        plain("RESHAPE", (1, 10), (2, 5), constant=[2, -1]),
        plain("RESHAPE", (1, 10), (2, 5), new_shape=[-1, 5]),
        # TFLite ignores an operand that is no vector.
        plain("RESHAPE", (1, 10), (2, 5), constant=[[5, 2]], new_shape=[2, 5]),
        plain("SQUEEZE", (1, 10, 1), (10,)),
        plain("SQUEEZE", (1, 10, 1), (1, 10), squeeze_dims=[-1]),
        plain("EXPAND_DIMS", (1, 10), (1, 1, 10), constant=1),
        plain("EXPAND_DIMS", (1, 10), (1, 10, 1), constant=[-1]),
    ],
)
def test_views_are_free(data: bytes) -> None:
    (step,) = steps(data)
    assert (step.kernel, step.macs, step.scratch_bytes) == (None, 0, 0)


@pytest.mark.parametrize(
    ("first", "second", "target"),
    [((2, 3), (2, 3), (2, 4)), ((2, 3), (3, 3), (3, 3)), ((2, 3), (2, 3), (3,))],
)
def test_add_refuses_shapes_that_do_not_add_up(
    first: tuple[int, ...], second: tuple[int, ...], target: tuple[int, ...]
) -> None:
    with pytest.raises(ModelError):
        steps(build("ADD", [Value(first, **ACT), Value(second, **ACT)], [Value(target, **ACT)]))


def fully_connected(
    weights: Value, target: tuple[int, ...] = (1, 3), source: tuple[int, ...] = (1, 4), *, keep: bool = False
) -> bytes:
    """Return a FULLY_CONNECTED without bias."""
    values = [Value(source, **ACT), weights, None]
    return build("FULLY_CONNECTED", values, [Value(target, **ACT)], {"keep_num_dims": keep})


def test_fully_connected_refusals() -> None:
    good = Value((3, 4), scales=[0.1], zero_points=[0], data=np.ones(12))
    assert steps(fully_connected(good))[0].macs == 12
    with pytest.raises(UnsupportedOpError, match="not a constant"):
        steps(fully_connected(Value((3, 4), scales=[0.1], zero_points=[0])))
    with pytest.raises(ModelError):
        steps(fully_connected(good, target=(1, 4)))
    with pytest.raises(ModelError):
        steps(fully_connected(good, target=(2, 3)))
    with pytest.raises(ModelError):
        steps(fully_connected(good, source=(1, 5)))


def test_fully_connected_shapes() -> None:
    """The file's output shape must be the one that TFLite computes: later operators see that one."""
    good = Value((3, 4), scales=[0.1], zero_points=[0], data=np.ones(12))
    cube, kept, rows = (1, 2, 4), (1, 2, 3), (2, 3)
    assert steps(fully_connected(good, rows, cube))[0].params["batches"] == 2
    assert steps(fully_connected(good, kept, cube, keep=True))[0].params["batches"] == 2
    for target, source, keep in ((kept, cube, False), (rows, cube, True), ((1, 1, 3), (1, 2, 2), True)):
        with pytest.raises(ModelError):
            steps(fully_connected(good, target, source, keep=keep))


def test_multipliers_that_leave_no_shift_are_refused() -> None:
    """Weights of zero never overflow, but C cannot round by a shift of 0."""
    zeros = Value((3, 4), scales=[2.0**24], zero_points=[0], data=np.zeros(12))
    tiny = Value((1, 3), scales=[2.0**-7], zero_points=[0])
    with pytest.raises(UnsupportedOpError, match="2\\*\\*30"):
        steps(build("FULLY_CONNECTED", [Value((1, 4), **ACT), zeros, None], [tiny]))


def test_all_unsupported_operators_are_listed_at_once() -> None:
    values = [Value((1, 4), **ACT, name=f"t{i}") for i in range(4)]
    nodes = [
        Node("ELU", [0], [1]),
        Node("RESHAPE", [1], [2], {"new_shape": [1, 4]}),
        Node("SUM", [2], [3]),
    ]
    with pytest.raises(UnsupportedOpError) as caught:
        steps(build_graph(values, nodes, [0], [3]))
    for text in ("2 of the model's 3", "ELU 't1'", "SUM 't3'"):
        assert text in caught.value.message
    assert "SUM by MEAN" in caught.value.hint


def test_a_kind_cannot_name_another_module() -> None:
    graph = tflite.parse(plain("RESHAPE", (1, 4), (4,)))
    for kind in ("STEP", "_checks", "_CHECKS", "reshape", "../os", ""):
        hostile = type(graph.ops[0])(0, kind, 1, (0,), (1,))
        with pytest.raises(UnsupportedOpError, match="no kernel"):
            ops.lower(type(graph)("g", graph.tensors, (hostile,), graph.inputs, graph.outputs))


def test_supported_is_the_folder_listing() -> None:
    assert "CONV_2D" in ops.supported()
    assert "STEP" not in ops.supported()


def test_lowering_survives_random_models() -> None:
    rng = np.random.default_rng(0)
    for make in (models.conv_2d, models.fully_connected, weightless.add, weightless.mean):
        for _ in range(20):
            (step,) = steps(make(rng))
            assert all(-(1 << 31) <= v < 1 << 31 for v in step.params.values() if isinstance(v, int))


def pad_and_conv(*, amounts: Any, readers: int = 1, pad_out: dict[str, Any] | None = None) -> bytes:
    """Return PAD and one or two convolutions that read it."""
    amounts = np.array(amounts, np.int32)
    padded = tuple(int(v) for v in np.array((1, 4, 4, 2)) + amounts.sum(axis=1))
    channels = padded[3]
    values = [
        Value((1, 4, 4, 2), **ACT),
        Value((4, 2), "int32", data=amounts),
        Value(padded, **(pad_out or ACT)),
        Value((1, 1, 1, channels), scales=[0.1], zero_points=[0], data=np.ones(channels)),
        Value((*padded[:3], 1), **ACT),
        Value((*padded[:3], 1), **ACT),
        Value((*padded[:3], 1), **ACT),
    ]
    nodes = [Node("PAD", [0, 1], [2]), Node("CONV_2D", [2, 3], [4], CONV)]
    if readers == 2:
        nodes += [Node("CONV_2D", [2, 3], [5], CONV), Node("ADD", [4, 5], [6])]
    return build_graph(values, nodes, [0], [6 if readers == 2 else 4])


def test_padding_of_height_and_width_is_folded() -> None:
    (step,) = steps(pad_and_conv(amounts=[[0, 0], [1, 2], [3, 0], [0, 0]]))
    assert (step.ops, step.inputs, step.kind) == ((0, 1), (0,), "CONV_2D")
    assert (step.params["pad_top"], step.params["pad_left"]) == (1, 3)
    assert step.scratch_bytes > 0, "a pixel outside the image is not in the input"


@pytest.mark.parametrize(
    "parts",
    [
        {"amounts": [[0, 0], [1, 1], [1, 1], [0, 1]]},
        {"amounts": [[1, 0], [1, 1], [1, 1], [0, 0]]},
        {"amounts": [[0, 0], [1, 1], [1, 1], [0, 0]], "readers": 2},
    ],
)
def test_other_padding_stays(parts: dict[str, Any]) -> None:
    assert [step.kind for step in steps(pad_and_conv(**parts))][:2] == ["PAD", "CONV_2D"]


def test_padding_that_rescales_is_refused() -> None:
    with pytest.raises(UnsupportedOpError, match="equal"):
        steps(pad_and_conv(amounts=[[0, 0], [1, 1], [1, 1], [0, 0]], pad_out=OTHER))


def test_many_paddings_take_no_longer_each_than_one() -> None:
    """A hostile file has as many as it likes; comparing each with each would take minutes."""
    count = 40_000
    image = tflite.parse(plain("PAD", (2,), (2,), constant=[[0, 0]]))
    source, amounts, _ = (image.tensor(i) for i in (0, 1, 2))
    tensors = (amounts, *(replace(source, index=i + 1) for i in range(count + 1)))
    pads = tuple(Op(i, "PAD", 1, (i + 1, 0), (i + 2,)) for i in range(count))
    graph = Graph("g", tensors, pads, (1,), (count + 1,))
    assert padding.rewrite(graph).ops == pads


def test_more_than_any_microcontroller_runs_is_refused_at_once() -> None:
    image = tflite.parse(plain("RELU", (1, 8), (1, 8)))
    source = image.tensor(0)
    chain = Graph(
        "g",
        tuple(replace(source, index=i) for i in range(5001)),
        tuple(Op(i, "RELU", 1, (i,), (i + 1,)) for i in range(5000)),
        (0,),
        (5000,),
    )
    with pytest.raises(UnsupportedOpError, match="5,000 operators"):
        ops.lower(chain)
    with pytest.raises(UnsupportedOpError, match="images of 65537 x 1"):
        steps(plain("RESIZE_BILINEAR", (1, 1, 1, 1), (1, 65537, 1, 1), constant=[65537, 1]))


def test_constants_that_share_a_buffer_are_not_copied_without_end() -> None:
    size, count = 1 << 20, 200
    values = [
        Value((1, size), **ACT),
        Value((1, size), **ACT, data=np.zeros(size)),
        ints(1, size),
        *[Value((1, size), **ACT)] * count,
    ]
    nodes = [Node("RESHAPE", [i + 2 if i else 1, 2], [i + 3]) for i in range(count)]
    folded = rewritten(tflite.parse(build_graph(values, nodes, [0], [count + 2])))
    assert len(folded.ops) == count - 64, "64 MiB of copies"
