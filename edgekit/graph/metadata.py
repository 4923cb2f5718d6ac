"""Attaches metadata to a .tflite without touching a byte of it.

A new root stands in front of the old file: a Model table that refers to the old operator codes, subgraph
and buffers, and to new lists of buffers and metadata entries. The old file follows unchanged; files that go
with it (labels) are appended as a zip archive, as TensorFlow Lite's own metadata tools do. The new front
names itself by a marker, so attaching again replaces it instead of growing the file.
"""

import io
import struct
import zipfile
from collections.abc import Mapping

from edgekit.errors import ModelError
from edgekit.graph import schema, tflite
from edgekit.graph.flatbuffer import FlatBuffer
from edgekit.graph.flatbuffer_writer import (
    Blob,
    Existing,
    NewTable,
    NewVector,
    Number,
    Reference,
    Value,
    write,
)

_MARKER = struct.Struct("<8sII")
_MAGIC = b"edgekit\x01"
_HEADER_BYTES = 8
_LOCAL_FILE = struct.Struct("<4sHHHHHIIIHH")


def attach(model: bytes, entries: Mapping[str, bytes], files: Mapping[str, bytes] | None = None) -> bytes:
    """Return the model with metadata entries, and files in a zip archive at its end.

    Entries of the same name are replaced, others are kept; attaching in several calls or in one gives the
    same bytes. The old file stands unchanged inside the result.

    Args:
        model: a whole .tflite file.
        entries: content by name. A name must not be empty.
        files: content by file name; None keeps those of an earlier call.

    Raises:
        ModelError: the model is not a readable .tflite.
    """
    graph = tflite.parse(model)
    base, kept_files = _split(model)
    kept: dict[str, bytes] = {}
    if base is not model:
        original = tflite.parse(base)
        kept = {k: v for k, v in graph.metadata.items() if original.metadata.get(k) != v}
    merged = dict(sorted({**kept, **entries}.items()))
    content = _with_entries(base, merged) if merged else base
    return _with_files(content, dict(sorted((kept_files if files is None else files).items())))


def _split(model: bytes) -> tuple[bytes, dict[str, bytes]]:
    """Return the file as it was before edgekit attached anything (`model` itself if so), and our files."""
    if len(model) < _HEADER_BYTES + _MARKER.size:
        return model, {}
    magic, start, size = _MARKER.unpack_from(model, _HEADER_BYTES)
    base = model[start : start + size]
    if magic != _MAGIC or len(base) != size or base[4:8] != schema.IDENTIFIER:
        return model, {}
    try:
        ours, original = tflite.parse(model), tflite.parse(base)
    except ModelError:
        return model, {}
    if (ours.tensors, ours.ops, ours.inputs, ours.outputs) != (
        original.tensors,
        original.ops,
        original.inputs,
        original.outputs,
    ):
        return model, {}
    return base, _stored_files(model[start + size :])


def _with_entries(base: bytes, entries: Mapping[str, bytes]) -> bytes:
    model = FlatBuffer(base).root()
    buffers: list[Reference] = [Existing(at) for at in model.targets(schema.ModelSlot.BUFFERS)]
    metadata: list[Reference] = []
    for at in model.targets(schema.ModelSlot.METADATA):
        if model.buffer.table(at).string(schema.MetadataSlot.NAME) not in entries:
            metadata.append(Existing(at))
    for name, content in entries.items():
        metadata.append(
            NewTable({schema.MetadataSlot.NAME: name, schema.MetadataSlot.BUFFER: Number("I", len(buffers))})
        )
        buffers.append(NewTable({schema.BufferSlot.DATA: Blob(content)}))
    root: dict[int, Value] = {
        schema.ModelSlot.VERSION: Number("I", schema.VERSION),
        schema.ModelSlot.BUFFERS: NewVector(buffers),
        schema.ModelSlot.METADATA: NewVector(metadata),
    }
    for slot in schema.ModelSlot:
        if slot not in root and model.place(slot):
            root[slot] = Existing(model.target(slot))
    # The marker holds the length of the front, which does not depend on the marker's content.
    front = len(_front(root, 0, 0))
    return _front(root, front, len(base)) + base


def _front(root: Mapping[int, Value], start: int, size: int) -> bytes:
    return write(NewTable(root), schema.IDENTIFIER, marker=_MARKER.pack(_MAGIC, start, size))


def _with_files(model: bytes, files: Mapping[str, bytes]) -> bytes:
    if not files:
        return model
    out = io.BytesIO()
    out.write(model)
    # Mode "w" begins where the stream stands, and offsets count from the start of the whole file.
    with zipfile.ZipFile(out, "w", zipfile.ZIP_STORED) as archive:
        for name, content in files.items():
            info = zipfile.ZipInfo(name)
            info.create_system = 3
            info.external_attr = 0o644 << 16
            archive.writestr(info, content)
    return out.getvalue()


def _stored_files(tail: bytes) -> dict[str, bytes]:
    """Return the files of an archive that `_with_files` wrote."""
    found: dict[str, bytes] = {}
    at = 0
    while tail[at : at + 4] == b"PK\x03\x04" and at + _LOCAL_FILE.size <= len(tail):
        _, _, _, method, _, _, _, packed, size, name_size, extra = _LOCAL_FILE.unpack_from(tail, at)
        first = at + _LOCAL_FILE.size + name_size + extra
        if method != zipfile.ZIP_STORED or packed != size or first + size > len(tail):
            break
        name = tail[at + _LOCAL_FILE.size : at + _LOCAL_FILE.size + name_size].decode("utf-8", "replace")
        found[name] = tail[first : first + size]
        at = first + size
    return found
