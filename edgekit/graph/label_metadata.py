"""TensorFlow Lite's own label metadata, so that other tools find the labels too.

The standard form (schema ModelMetadata, file identifier M001) is a second FlatBuffer, stored as the metadata
entry TFLITE_METADATA, which says that the file labels.txt names the entries of the output's last axis; that
file is in a zip archive appended to the model.
"""

from collections.abc import Sequence

from edgekit.errors import UsageError
from edgekit.graph.flatbuffer_writer import NewTable, NewVector, Number, write
from edgekit.graph.metadata import attach

METADATA_NAME = "TFLITE_METADATA"
FILE_NAME = "labels.txt"
_IDENTIFIER = b"M001"
_PARSER_VERSION = "1.0.0"
_TENSOR_AXIS_LABELS = 2


def attach_labels(model: bytes, labels: Sequence[str]) -> bytes:
    """Return the model with standard label metadata and labels.txt, one label per line in output order.

    Raises:
        UsageError: a label holds a line break.
        ModelError: the model is not a readable .tflite.
    """
    return attach(model, {METADATA_NAME: label_metadata()}, {FILE_NAME: labels_file(labels)})


def labels_file(labels: Sequence[str]) -> bytes:
    """Return the content of labels.txt. Raises UsageError if a label holds a line break."""
    for label in labels:
        if len(label.splitlines()) > 1 or label.endswith(("\n", "\r")):
            raise UsageError(f"the label {label!r} holds a line break", "give labels of one line each")
    return "".join(f"{label}\n" for label in labels).encode("utf-8", "replace")


def label_metadata() -> bytes:
    """Return the ModelMetadata FlatBuffer that ties labels.txt to the one output."""
    labels = NewTable({0: FILE_NAME, 1: "Names of the classes.", 2: Number("b", _TENSOR_AXIS_LABELS)})
    source = NewTable({0: "input"})
    scores = NewTable({0: "scores", 6: NewVector([labels])})
    subgraph = NewTable({2: NewVector([source]), 3: NewVector([scores])})
    return write(NewTable({3: NewVector([subgraph]), 7: _PARSER_VERSION}), _IDENTIFIER)
