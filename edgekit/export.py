"""Hands a model to another build system: as an Arduino library."""

from collections.abc import Mapping
from pathlib import Path

from edgekit import board, pipeline
from edgekit.codegen.generator import GeneratedModel
from edgekit.files import check_writable, write_whole
from edgekit.firmware import arduino
from edgekit.models import Model


def export_arduino(model: Model, path: Path, *, name: str) -> tuple[GeneratedModel, Mapping[str, bytes]]:
    """Write a model as an Arduino library to the .zip `path`; return its C and the library's files.

    Raises:
        UsageError: the name cannot be a library's.
        UnsupportedOpError: listing every operator that cannot be run.
        OutputError: the file cannot be written.
    """
    arduino.check_name(name)
    check_writable(path)
    generated, project = pipeline.make_project(model, board.load(arduino.BOARD))
    files = arduino.library(generated, project, name)
    write_whole(path, arduino.pack(files, name))
    return generated, files
