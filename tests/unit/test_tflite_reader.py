"""The reader against files from the schema's own code, against public models, and against hostile files."""

import random
import struct
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import small_models
from tflite_builder import OPTIONS_OF, Node, Value, build, build_graph

from edgekit.errors import ModelError
from edgekit.graph import schema, tflite
from edgekit.graph.flatbuffer import FlatBuffer
from edgekit.graph.ir import DType, Quantization

Edit = Callable[[Any], None]


def edited(edit: Edit, data: bytes | None = None) -> bytes:
    """Return the small classifier after `edit` has changed the schema's own objects."""
    import flatbuffers
    from ai_edge_litert import schema_py_generated as generated

    model = generated.ModelT.InitFromObj(generated.Model.GetRootAs(data or small_models.classifier()))
    edit(model)
    builder = flatbuffers.Builder(1024)
    builder.Finish(model.Pack(builder), b"TFL3")
    return bytes(builder.Output())


def refused(data: bytes) -> str:
    with pytest.raises(ModelError) as caught:
        tflite.parse(data)
    return caught.value.message


def test_reads_a_classifier() -> None:
    graph = tflite.parse(small_models.classifier(), "small")
    assert graph.name == "small"
    kinds = ["CONV_2D", "CONV_2D", "ADD", "AVERAGE_POOL_2D", "RESHAPE", "FULLY_CONNECTED", "SOFTMAX"]
    assert [op.kind for op in graph.ops] == kinds
    assert (graph.inputs, graph.outputs) == ((0,), (14,))
    image = graph.tensor(0)
    assert (image.name, image.shape, image.dtype, image.is_constant) == (
        "image",
        (1, 8, 8, 3),
        DType.INT8,
        False,
    )
    assert image.quantization == Quantization((float(np.float32(1 / 255)),), (-128,))
    weights = graph.tensor(1)
    assert weights.quantization is not None
    assert weights.quantization.per_channel
    assert weights.array().shape == (4, 3, 3, 3)
    bias = graph.tensor(2).array()
    assert bias.dtype == np.int32
    assert graph.ops[0].options == {
        "padding": "SAME",
        "stride_w": 1,
        "stride_h": 1,
        "fused_activation_function": "RELU",
        "dilation_w_factor": 1,
        "dilation_h_factor": 1,
        "quantized_bias_type": "FLOAT32",
    }
    assert graph.ops[4].options == {"new_shape": (1, 4)}
    assert graph.ops[6].options == {"beta": 1.0}


def test_schema_names_equal_litert() -> None:
    from ai_edge_litert import schema_py_generated as generated

    def names(table: Any) -> dict[str, int]:
        return {k: v for k, v in vars(table).items() if not k.startswith("_")}

    assert names(generated.BuiltinOperator) == {name: i for i, name in enumerate(schema.BUILTINS)}
    assert names(generated.TensorType) == {name: i for i, name in enumerate(schema.TENSOR_TYPES)}
    assert names(generated.Padding) == {name: i for i, name in enumerate(schema.PADDINGS)}
    assert names(generated.ActivationFunctionType) == {n: i for i, n in enumerate(schema.ACTIVATIONS)}
    union = names(generated.BuiltinOptions)
    for kind, table in OPTIONS_OF.items():
        if kind in schema.OPTIONS:
            assert schema.OPTIONS[kind].number == union[table], kind


@pytest.mark.parametrize("kind", sorted(schema.OPTIONS))
def test_options_round_trip(kind: str) -> None:
    """Every field of every option table comes back under its schema name, with a value not its default."""
    from ai_edge_litert import schema_py_generated as generated

    numbers = {v: k for k, v in vars(generated.BuiltinOptions).items() if not k.startswith("_")}
    options = getattr(generated, f"{numbers[schema.OPTIONS[kind].number]}T")()
    expected: dict[str, Any] = {}
    for option in schema.OPTIONS[kind].fields:
        first, *rest = option.name.split("_")
        name = first + "".join(part.capitalize() for part in rest)
        assert hasattr(options, name), option.name
        match option.kind:
            case schema.Kind.BOOL:
                value: Any = not option.default
            case schema.Kind.INT:
                value = option.slot + 3
            case schema.Kind.FLOAT:
                value = option.slot + 0.5
            case schema.Kind.INTS:
                value = (2, 3)
            case schema.Kind.ENUM:
                value = 1
        setattr(options, name, list(value) if isinstance(value, tuple) else value)
        expected[option.name] = option.choices[value] if option.kind is schema.Kind.ENUM else value

    def edit(model: Any) -> None:
        model.operatorCodes[0].builtinCode = schema.BUILTINS.index(kind)
        model.operatorCodes[0].deprecatedBuiltinCode = min(schema.BUILTINS.index(kind), 127)
        operator = model.subgraphs[0].operators[0]
        operator.builtinOptionsType = schema.OPTIONS[kind].number
        operator.builtinOptions = options

    op = tflite.parse(edited(edit, small_models.fully_connected())).ops[0]
    assert op.kind == kind
    assert op.options == expected


def test_defaults_where_there_is_no_option_table() -> None:
    graph = tflite.parse(build("RESHAPE", [Value((1, 4))], [Value((4, 1))]))
    assert graph.ops[0].options == {"new_shape": ()}

    def edit(model: Any) -> None:
        model.subgraphs[0].operators[0].builtinOptions = None
        model.subgraphs[0].operators[0].builtinOptionsType = 0

    options = tflite.parse(edited(edit)).ops[0].options
    assert (options["stride_w"], options["dilation_w_factor"], options["padding"]) == (0, 1, "SAME")


@pytest.mark.parametrize(
    ("deprecated", "code", "kind"),
    [(9, 0, "FULLY_CONNECTED"), (0, 9, "FULLY_CONNECTED"), (127, 150, "GELU"), (9, 9, "FULLY_CONNECTED")],
)
def test_old_and_new_operator_codes(deprecated: int, code: int, kind: str) -> None:
    def edit(model: Any) -> None:
        model.operatorCodes[0].deprecatedBuiltinCode = deprecated
        model.operatorCodes[0].builtinCode = code
        model.subgraphs[0].operators[0].builtinOptions = None
        model.subgraphs[0].operators[0].builtinOptionsType = 0

    assert tflite.parse(edited(edit, small_models.fully_connected())).ops[0].kind == kind


def test_custom_operators() -> None:
    values = [Value((1, 4)), Value((1, 4))]
    node = Node("CUSTOM", (0,), (1,), custom_code='ethos-u*/ "x"')
    graph = tflite.parse(build_graph(values, [node], [0], [1]))
    assert graph.ops[0].kind == "CUSTOM:ethos-u____x_"


def test_names_hold_no_control_characters() -> None:
    graph = tflite.parse(small_models.classifier(name="a\x1b[2J\nb\u202ec ü"))
    assert graph.tensor(3).name == "a?[2J?b?c ü"


def test_absent_input() -> None:
    assert tflite.parse(small_models.fully_connected()).ops[0].inputs == (0, 1, -1)


def test_metadata() -> None:
    graph = tflite.parse(small_models.classifier(metadata={"edgekit.contract": b"{}", "other": b"\0\1"}))
    assert graph.metadata == {"edgekit.contract": b"{}", "other": b"\0\1"}


@pytest.mark.parametrize("name", ["ic01_resnet8_int8", "vww01_mobilenetv1_025_96_int8"])
def test_public_models_equal_the_schemas_own_reader(anchor: Callable[[str], Path], name: str) -> None:
    from ai_edge_litert import schema_py_generated as generated

    path = anchor(name)
    graph = tflite.read(path)
    assert graph.name == name
    model = generated.ModelT.InitFromObj(generated.Model.GetRootAs(path.read_bytes()))
    subgraph = model.subgraphs[0]
    assert len(graph.tensors) == len(subgraph.tensors)
    for tensor, reference in zip(graph.tensors, subgraph.tensors, strict=True):
        assert tensor.name == reference.name.decode()
        assert tensor.shape == tuple(reference.shape)
        data = model.buffers[reference.buffer].data
        assert tensor.data == (None if data is None else bytes(data))
        if tensor.quantization is not None:
            assert tensor.quantization.scales == tuple(reference.quantization.scale.astype(float))
            assert tensor.quantization.zero_points == tuple(reference.quantization.zeroPoint)
    for op, operator in zip(graph.ops, subgraph.operators, strict=True):
        assert schema.BUILTINS.index(op.kind) == model.operatorCodes[operator.opcodeIndex].builtinCode
        assert op.inputs == tuple(operator.inputs)
        assert op.outputs == tuple(operator.outputs)


# What is not a .tflite.


@pytest.mark.parametrize(
    ("data", "what"),
    [
        (b"", "an empty file"),
        (b"PK\x03\x04" + bytes(40), "a zip archive"),
        (b"\x08\x08\x12\x07pytorch" + bytes(40), "an ONNX model"),
        (b"\x89HDF\r\n\x1a\n", "an HDF5 file"),
        (b"\x80\x02}q\x00.", "a Python pickle"),
        (b'\x10\0\0\0\0\0\0\0{"a": {}}      ', "a safetensors file"),
        (b"\x1c\0\0\0ET12" + bytes(9), "an ExecuTorch program"),
        (b"hello, this is a text\n", "a text file"),
        (b"version https://git-lfs.github.com/spec/v1\noid sha256:ab\n", "a Git LFS pointer"),
        (b"\n<!DOCTYPE html><html>", "a web page"),
        (b"\x89PNG\r\n", "a PNG image"),
        (bytes(100), "no kind of model"),
        (b"\xff\xfe\x00", "no kind of model"),
    ],
)
def test_other_files_are_named(data: bytes, what: str) -> None:
    assert f"is not a .tflite model; it looks like {what}" in refused(data)


def test_unreadable_paths(tmp_path: Path) -> None:
    with pytest.raises(ModelError, match="cannot read the model"):
        tflite.read(tmp_path / "absent.tflite")
    with pytest.raises(ModelError, match="is a folder"):
        tflite.read(tmp_path)
    with pytest.raises(ModelError, match="cannot read the model"):
        tflite.read(tmp_path / "a\0b")


# What is a .tflite, but not one that edgekit takes.


def _tensor(**fields: Any) -> Edit:
    def edit(model: Any) -> None:
        for key, value in fields.items():
            setattr(model.subgraphs[0].tensors[3], key, value)

    return edit


def _quantization(index: int, **fields: Any) -> Edit:
    def edit(model: Any) -> None:
        for key, value in fields.items():
            old = getattr(model.subgraphs[0].tensors[index].quantization, key)
            new = np.asarray(value, old.dtype) if isinstance(old, np.ndarray) else value
            setattr(model.subgraphs[0].tensors[index].quantization, key, new)

    return edit


def _external(model: Any) -> None:
    model.buffers[1].offset, model.buffers[1].size = 4096, 64


def _sparse(model: Any) -> None:
    from ai_edge_litert import schema_py_generated as generated

    model.subgraphs[0].tensors[1].sparsity = generated.SparsityParametersT()


def _swap(model: Any) -> None:
    operators = model.subgraphs[0].operators
    operators[0], operators[1] = operators[1], operators[0]


def _cycle(model: Any) -> None:
    model.subgraphs[0].operators[0].inputs = [7, 1, 2]


def _dynamic_batch(model: Any) -> None:
    for tensor in model.subgraphs[0].tensors:
        if tensor.shape is not None and len(tensor.shape) and tensor.shape[0] == 1:
            tensor.shapeSignature = [-1, *tensor.shape[1:]]


@pytest.mark.parametrize(
    ("edit", "message"),
    [
        (lambda m: m.subgraphs.append(m.subgraphs[0]), "has 2 subgraphs"),
        (lambda m: m.subgraphs.clear(), "has 0 subgraphs"),
        (lambda m: setattr(m, "version", 2), "schema version 2"),
        (lambda m: m.subgraphs[0].operators.clear(), "has no operators"),
        (lambda m: setattr(m.subgraphs[0].operators[1], "opcodeIndex", 99), "operator code 99 of"),
        (lambda m: setattr(m.operatorCodes[0], "builtinCode", 4000), "operator number 4000"),
        (lambda m: setattr(m.subgraphs[0].operators[1], "inputs", [3, 99, 5]), "tensor 99 of 15"),
        (lambda m: setattr(m.subgraphs[0].operators[1], "inputs", [-2, 4, 5]), "tensor -2 of 15"),
        (lambda m: setattr(m.subgraphs[0].operators[1], "outputs", [-1]), "tensor -1 of 15"),
        (lambda m: setattr(m.subgraphs[0], "inputs", [77]), "tensor 77 of 15"),
        (lambda m: setattr(m.subgraphs[0], "outputs", [1]), "no operator makes the model's output 'w0'"),
        (lambda m: setattr(m.subgraphs[0], "inputs", [0, 0]), "a second time"),
        (lambda m: setattr(m.subgraphs[0].operators[1], "outputs", [3]), "a second time"),
        (lambda m: setattr(m.subgraphs[0].operators[1], "outputs", [1]), "writes to the constant"),
        (_swap, "before it is made"),
        (_cycle, "before it is made"),
        (_tensor(shape=[1, -1, 8, 4]), "dynamic shape [1, -1, 8, 4]"),
        (_tensor(shapeSignature=[1, -1, 8, 4]), "dynamic shape [1, -1, 8, 4]"),
        (_tensor(shape=[2, 8, 8, 4], shapeSignature=[-1, 8, 8, 4]), "dynamic shape [-1, 8, 8, 4]"),
        (_tensor(shape=[1, 0, 8, 4]), "has no elements"),
        (_tensor(shape=[1] * 9), "9 dimensions"),
        (_tensor(shape=[1, 65536, 65536, 4]), "the limit is 2147483647"),
        (_tensor(type=5), "element type STRING"),
        (_tensor(type=17), "element type INT4"),
        (_tensor(type=99), "element type number 99"),
        (_tensor(buffer=999), "buffer 999 of"),
        (_tensor(buffer=1), "108 bytes of data, its shape [1, 8, 8, 4] needs 256"),
        (_tensor(isVariable=True), "is a variable"),
        (_tensor(externalBuffer=1), "in another file"),
        (_sparse, "is sparse"),
        (_external, "outside the FlatBuffer"),
        (_quantization(0, scale=[np.nan]), "the scale nan"),
        (_quantization(0, scale=[np.inf]), "the scale inf"),
        (_quantization(0, scale=[0.0]), "the scale 0.0"),
        (_quantization(0, scale=[-1.0]), "the scale -1.0"),
        (_quantization(0, scale=[1.0, 1.0]), "2 scales and 1 zero points"),
        (_quantization(1, scale=[1.0] * 3, zeroPoint=[0] * 3), "3 scales along dimension 0"),
        (_quantization(1, quantizedDimension=7), "4 scales along dimension 7"),
        (_quantization(0, zeroPoint=[-129]), "zero point -129"),
        (_quantization(0, zeroPoint=[1 << 40]), "zero point 1099511627776"),
        (_quantization(0, detailsType=1), "custom quantisation"),
        (lambda m: setattr(m.subgraphs[0].operators[0].builtinOptions, "padding", 7), "padding 7"),
        (lambda m: setattr(m.subgraphs[0].operators[6].builtinOptions, "beta", np.nan), "beta nan"),
        (lambda m: setattr(m.subgraphs[0].operators[0], "builtinOptionsType", 9), "options of another"),
    ],
)
def test_refused(edit: Edit, message: str) -> None:
    assert message in refused(edited(edit))


def test_a_dynamic_batch_that_runs_at_one_is_read() -> None:
    assert tflite.parse(edited(_dynamic_batch)).tensor(0).shape == (1, 8, 8, 3)


def test_metadata_that_points_nowhere() -> None:
    def edit(model: Any) -> None:
        model.metadata[0].buffer = 500

    assert "metadata 'a' refers to buffer 500" in refused(
        edited(edit, small_models.classifier(metadata={"a": b"b"}))
    )


# Damaged and hostile files: a ModelError or a Graph, never anything else, and never for long.


def survives(data: bytes) -> None:
    start = time.process_time()
    try:
        tflite.parse(data)
    except ModelError as error:
        assert error.message
    assert time.process_time() - start < 1.0


def test_cut_at_every_length() -> None:
    data = small_models.classifier(metadata={"edgekit.contract": b"{}" * 20})
    for length in range(len(data)):
        survives(data[:length])


def test_random_changes() -> None:
    data = small_models.classifier(metadata={"edgekit.contract": b"{}" * 20})
    randomness = random.Random(1)
    interesting = (0, 1, 0x7F, 0x80, 0xFF, 4, 16)
    for _ in range(2000):
        mutant = bytearray(data)
        for _ in range(randomness.choice((1, 1, 2, 8))):
            at = randomness.randrange(len(mutant))
            match randomness.randrange(3):
                case 0:
                    mutant[at] ^= 1 << randomness.randrange(8)
                case 1:
                    mutant[at] = randomness.choice(interesting)
                case 2:
                    word = randomness.choice((0, 1, 0x7FFFFFFF, 0x80000000, 0xFFFFFFFF, len(data), at))
                    mutant[at : at + 4] = struct.pack("<I", word)
        survives(bytes(mutant))


def test_random_words_behind_the_identifier() -> None:
    randomness = random.Random(2)
    for _ in range(500):
        words = [randomness.choice((0, 4, 8, 12, 16, randomness.randrange(1 << 32))) for _ in range(64)]
        survives(struct.pack("<I", randomness.randrange(256)) + b"TFL3" + struct.pack("<64I", *words))


def test_a_list_that_refers_to_one_table_many_times() -> None:
    """100,000 entries that all point at one table with 400,000 bytes are not read in full (40 GB)."""
    count, size = 100_000, 400_000
    root = struct.pack("<I4sHHHHiI", 16, b"TFL3", 6, 8, 4, 0, 8, 4)
    entry = struct.pack("<HHHHiII", 6, 8, 4, 0, 8, 4, size) + bytes(size)
    offsets = b"".join(struct.pack("<I", 4 * (count - i) + 8) for i in range(count))
    buffer = FlatBuffer(root + struct.pack("<I", count) + offsets + entry)
    assert len(buffer.root().targets(0)) == count
    start = time.process_time()
    with pytest.raises(ModelError, match="over and over"):
        for table in buffer.root().tables(0):
            table.blob(0)
    assert time.process_time() - start < 2.0
