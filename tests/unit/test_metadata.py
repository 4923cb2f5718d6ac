"""Metadata: what is attached comes back, the old bytes stay, and real interpreters load the result."""

import io
import struct
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import small_models
from numpy.typing import NDArray

from edgekit.errors import ModelError, UsageError
from edgekit.graph import tflite
from edgekit.graph.flatbuffer import FlatBuffer
from edgekit.graph.label_metadata import attach_labels, label_metadata, labels_file
from edgekit.graph.metadata import attach

CONTRACT = "edgekit.contract"


def litert(model: bytes, frame: NDArray[np.int8]) -> bytes:
    from ai_edge_litert.interpreter import Interpreter, OpResolverType

    interpreter = Interpreter(model_content=model, experimental_op_resolver_type=OpResolverType.BUILTIN_REF)
    interpreter.allocate_tensors()
    interpreter.set_tensor(interpreter.get_input_details()[0]["index"], frame)
    interpreter.invoke()
    return bytes(interpreter.get_tensor(interpreter.get_output_details()[0]["index"]).tobytes())


def tflite_micro(model: bytes, frame: NDArray[np.int8]) -> bytes:
    from tflite_micro import runtime

    interpreter = runtime.Interpreter.from_bytes(model)
    interpreter.set_input(frame, 0)
    interpreter.invoke()
    return bytes(interpreter.get_output(0).tobytes())


def frame_of(model: bytes) -> NDArray[np.int8]:
    graph = tflite.parse(model)
    return np.random.default_rng(0).integers(-128, 128, graph.tensor(graph.inputs[0]).shape, dtype=np.int8)


def test_entries_come_back_and_the_old_file_stays() -> None:
    model = small_models.classifier(metadata={"other": b"kept"})
    result = attach(model, {CONTRACT: b"{}", "empty": b""})
    assert tflite.parse(result).metadata == {"other": b"kept", CONTRACT: b"{}", "empty": b""}
    assert result.endswith(model)
    assert (len(result) - len(model)) % 16 == 0
    before, after = tflite.parse(model), tflite.parse(result)
    assert (before.tensors, before.ops) == (after.tensors, after.ops)


def test_replacing_does_not_grow_the_file() -> None:
    model = small_models.classifier()
    once = attach(model, {CONTRACT: b"first"})
    twice = attach(once, {CONTRACT: b"other"})
    assert len(once) == len(twice)
    assert tflite.parse(twice).metadata == {CONTRACT: b"other"}
    assert attach(twice, {CONTRACT: b"first"}) == once
    assert attach(once, {}) == once


def test_one_call_or_several_give_the_same_bytes() -> None:
    model = small_models.classifier(metadata={"other": b"kept"})
    together = attach(model, {"a": b"1", "b": b"2"}, {"f": b"3"})
    assert attach(attach(attach(model, {"b": b"2"}), {}, {"f": b"3"}), {"a": b"1"}) == together
    assert attach(model, {}) == model


def test_an_entry_of_the_file_itself_is_replaced_and_may_come_back() -> None:
    model = small_models.classifier(metadata={"x": b"old", "y": b"kept"})
    assert tflite.parse(attach(model, {"x": b"new"})).metadata == {"x": b"new", "y": b"kept"}
    assert tflite.parse(attach(attach(model, {"x": b"new"}), {"x": b"old"})).metadata["x"] == b"old"


def test_the_marker_alone_is_not_believed() -> None:
    """A file that claims to be ours but holds another model inside is taken as it is."""
    inner = small_models.fully_connected()
    outer = attach(small_models.classifier(), {"a": b"b"})
    front = struct.unpack_from("<I", outer, 16)[0]
    forged = bytearray(outer + bytes(-len(outer) % 16) + inner)
    struct.pack_into("<II", forged, 16, len(forged) - len(inner), len(inner))
    assert front
    result = attach(bytes(forged), {"c": b"d"})
    assert len(tflite.parse(result).ops) == 7
    assert tflite.parse(result).metadata == {"a": b"b", "c": b"d"}


def test_not_a_model() -> None:
    with pytest.raises(ModelError):
        attach(b"not a model", {"a": b"b"})


def test_blobs_are_aligned() -> None:
    result = attach(small_models.classifier(), {"one": b"x" * 5, "two": b"y" * 7})
    for content in (b"x" * 5, b"y" * 7):
        assert result.index(content) % 16 == 0
    root = FlatBuffer(result).root()
    for slot in range(1, 8):
        assert root.target(slot) % 4 == 0


def test_labels_are_readable_by_zipfile() -> None:
    model = attach(small_models.classifier(), {CONTRACT: b"{}" * 500})
    result = attach_labels(model, ("cat", "dog", "Eichhörnchen"))
    with zipfile.ZipFile(io.BytesIO(result)) as archive:
        assert archive.testzip() is None
        assert archive.read("labels.txt").decode() == "cat\ndog\nEichhörnchen\n"
        assert archive.infolist()[0].date_time == (1980, 1, 1, 0, 0, 0)
        # Offsets count from the start of the whole file, as strict readers expect.
        place = archive.infolist()[0].header_offset
        assert result[place : place + 4] == b"PK\3\4"
    assert tflite.parse(result).metadata["TFLITE_METADATA"] == label_metadata()
    assert attach_labels(result, ("cat", "dog", "Eichhörnchen")) == result
    shorter = attach(result, {CONTRACT: b"{}"})
    with zipfile.ZipFile(io.BytesIO(shorter)) as archive:
        assert archive.read("labels.txt").decode() == "cat\ndog\nEichhörnchen\n"
        assert archive.infolist()[0].header_offset == shorter.index(b"PK\3\4")


def test_label_metadata_by_the_flatbuffers_package() -> None:
    """The package's own table reader finds name, type and nesting where the schema has them."""
    from flatbuffers import encode, number_types, packer
    from flatbuffers.table import Table

    data = label_metadata()
    assert data[4:8] == b"M001"

    def vector_entry(table: Any, slot: int) -> Any:
        start = table.Vector(table.Offset(4 + 2 * slot))
        return Table(table.Bytes, table.Indirect(start))

    root = Table(data, encode.Get(packer.uoffset, data, 0))
    assert root.String(root.Pos + root.Offset(4 + 2 * 7)) == b"1.0.0"
    subgraph = vector_entry(root, 3)
    assert subgraph.VectorLen(subgraph.Offset(4 + 2 * 2)) == 1
    output = vector_entry(subgraph, 3)
    file = vector_entry(output, 6)
    assert file.String(file.Pos + file.Offset(4)) == b"labels.txt"
    assert file.Get(number_types.Int8Flags, file.Pos + file.Offset(4 + 2 * 2)) == 2


def test_labels_of_several_lines_are_refused() -> None:
    for label in ("a\nb", "a\r", "a\u2028b"):
        with pytest.raises(UsageError, match="line break"):
            labels_file(("ok", label))


@pytest.mark.parametrize("run", [litert, tflite_micro])
def test_interpreters_load_the_result(run: Callable[[bytes, NDArray[np.int8]], bytes]) -> None:
    model = small_models.classifier(metadata={"other": b"kept"})
    result = attach_labels(attach(model, {CONTRACT: b"{}" * 333}), small_models.LABELS)
    frame = frame_of(model)
    assert run(result, frame) == run(model, frame)
    assert run(attach(result, {CONTRACT: b""}), frame) == run(model, frame)


@pytest.mark.parametrize("run", [litert, tflite_micro])
@pytest.mark.parametrize("name", ["ic01_resnet8_int8", "vww01_mobilenetv1_025_96_int8"])
def test_interpreters_load_public_models(
    anchor: Callable[[str], Path], name: str, run: Callable[[bytes, NDArray[np.int8]], bytes]
) -> None:
    model = anchor(name).read_bytes()
    result = attach_labels(attach(model, {CONTRACT: b"{}" * 333}), small_models.LABELS)
    frame = frame_of(model)
    assert run(result, frame) == run(model, frame)
