"""Targets that read models: their kind, ONNX, PyTorch's weights, and .tflite."""

import io
import pickle
import random
import zipfile
from functools import cache

import model_fuzzer
import small_models

from edgekit import models
from edgekit.contract import METADATA_NAME
from edgekit.convert import checkpoint, from_onnx, model_kind
from edgekit.convert.model_kind import ModelKind
from edgekit.graph import label_metadata, metadata, tflite
from fuzz import changes
from fuzz.target import Target, written


def kind(data: bytes) -> None:
    """What a model file is, and whether it needs trust."""
    model_kind.detect(written("m.bin", data))


def weights(data: bytes) -> None:
    """A PyTorch state dict or a safetensors file, as far as it is read without trust."""
    path = written("w.bin", data)
    found = model_kind.detect(path)
    if found.kind in (ModelKind.STATE_DICT, ModelKind.SAFETENSORS) and not found.danger:
        checkpoint.find_weights(checkpoint.read(path, found.kind), path)


def onnx(data: bytes) -> None:
    """An ONNX model up to where it is converted: shapes, operators, external data, ONNX's own checks."""
    from_onnx.load(written("m.onnx", data))


def model(data: bytes) -> None:
    """A .tflite: reader, operators, planner, contract, C, and the figures of `inspect`."""
    model_fuzzer.run(data)


def attached(data: bytes) -> None:
    """A .tflite to which metadata and labels are attached; what was attached can be read again."""
    once = metadata.attach(data, {METADATA_NAME: b"x"}, {"labels.txt": b"a\n"})
    assert tflite.parse(once).metadata[METADATA_NAME] == b"x"
    assert metadata.attach(once, {METADATA_NAME: b"x"}) == once
    label_metadata.attach_labels(once, ("cat", "dog"))
    models.load_model(written("m.tflite", data))


# Seeds


@cache
def _torch_files() -> tuple[bytes, ...]:
    import safetensors.torch
    import torch

    state = {"conv.weight": torch.zeros(2, 1, 2, 2), "fc.bias": torch.ones(3)}
    zipped, legacy = io.BytesIO(), io.BytesIO()
    torch.save({"state_dict": state, "epoch": 3}, zipped)
    torch.save(state, legacy, _use_new_zipfile_serialization=False)
    return zipped.getvalue(), legacy.getvalue(), safetensors.torch.save(state)


def _onnx() -> list[bytes]:
    from onnx import TensorProto, helper

    def net(channels: int | str, *nodes: object) -> bytes:
        image = helper.make_tensor_value_info("x", TensorProto.FLOAT, ["n", channels, 4, 4])
        scores = helper.make_tensor_value_info("y", TensorProto.FLOAT, ["n", 3])
        stored = [
            helper.make_tensor("w", TensorProto.FLOAT, [3, 3, 4, 4], [0.1] * 144),
            helper.make_tensor("shape", TensorProto.INT64, [2], [0, 3]),
        ]
        graph = helper.make_graph(nodes, "g", [image], [scores], stored)
        made = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 18)], ir_version=9)
        serialised: bytes = made.SerializeToString()
        return serialised

    conv = helper.make_node("Conv", ["x", "w"], ["c"])
    return [
        net(3, conv, helper.make_node("Flatten", ["c"], ["y"])),
        net(3, conv, helper.make_node("Reshape", ["c", "shape"], ["y"])),
        net("c", helper.make_node("LSTM", ["x"], ["y"])),
    ]


def _kinds() -> list[bytes]:
    archives = []
    for members in (
        {
            "m/constants.pkl": b"\x80\x02.",
            "m/code/__torch__.py": b"def forward(self, x):\n  return torch.relu(x)\n",
        },
        {"m/archive_format": b"pt2", "m/version": b"1"},
        {"m/data.pkl": pickle.dumps({"a": [1, 2.5, "x"]}, 2), "m/version": b"3"},
        {"config.json": b"{}", "model.weights.h5": b""},
    ):
        file = io.BytesIO()
        with zipfile.ZipFile(file, "w") as archive:
            for name, content in members.items():
                archive.writestr(name, content)
        archives.append(file.getvalue())
    heads = [b"\x89HDF\r\n\x1a\n", b"\0\0\0\0TFL3", b"\x80\x04.", small_models.fully_connected()[:64]]
    return [*archives, *_torch_files(), *_onnx()[:1], *heads]


def _models() -> list[bytes]:
    return model_fuzzer.seeds()


def _with_metadata() -> list[bytes]:
    plain = small_models.fully_connected()
    labelled = label_metadata.attach_labels(plain, ("a", "b", "c"))
    return [plain, labelled, metadata.attach(labelled, {"other": b"y"})]


# Changes inside


def _change_model(data: bytes, rng: random.Random) -> bytes:
    return model_fuzzer.raw(data, rng) if rng.random() < 0.5 else model_fuzzer.structured(data, rng)


def _change_onnx(data: bytes, rng: random.Random) -> bytes:
    """Change fields of a model that protobuf can read, else any bytes."""
    import onnx as package
    from google.protobuf.message import DecodeError

    if rng.random() < 0.5:
        return changes.raw(data, rng)
    try:
        proto = package.load_model_from_string(data)
    except DecodeError:
        return changes.raw(data, rng)
    graph = proto.graph
    names = [*(tensor.name for tensor in graph.initializer), *(value.name for value in graph.input), "", "y"]
    match rng.randrange(6):
        case 0 if graph.node:
            node = rng.choice(graph.node)
            node.op_type = rng.choice(sorted(from_onnx.onnx_ops.CONVERTIBLE | {"If", "Loop"}))
        case 1 if graph.node:
            rng.choice(graph.node).input.append(rng.choice(names))
        case 2 if graph.initializer:
            tensor = rng.choice(graph.initializer)
            tensor.dims.append(rng.choice((-1, 0, 1, 3, 1 << 40)))
        case 3 if graph.initializer:
            tensor = rng.choice(graph.initializer)
            tensor.data_location = 1
            entry = tensor.external_data.add()
            entry.key = rng.choice(("location", "offset", "length"))
            entry.value = rng.choice(("m.onnx", "../x", "-1", "9" * 30, "\0", "/dev/zero"))
        case 4 if graph.input:
            dims = graph.input[0].type.tensor_type.shape.dim
            if dims:
                rng.choice(dims).dim_value = rng.choice((-1, 0, 1, 3, 5000, 1 << 40))
        case _:
            graph.node.extend(list(graph.node))
    serialised: bytes = proto.SerializeToString()
    return serialised


TARGETS = (
    Target("kind", "a model file of any kind; whether it needs trust", kind, _kinds, changes.in_zip, 8192),
    Target("weights", "PyTorch state dicts and safetensors", weights, _torch_files, changes.in_zip, 8192),
    Target("onnx", "ONNX models, up to their conversion", onnx, _onnx, _change_onnx),
    Target("tflite", "`.tflite` models: reader, planner, generator", model, _models, _change_model, 65536),
    Target("metadata", "metadata and labels of a `.tflite`", attached, _with_metadata, _change_model, 8192),
)
