"""`edgekit init`: write an edgekit.toml whose comments teach."""

import shlex
from pathlib import Path

import click

from edgekit.cli._app import command as make_command
from edgekit.cli._options import board, load_board
from edgekit.cli._output import Output
from edgekit.errors import ProjectError

_TEMPLATE = """\
# edgekit's project file. With it, bare commands do the whole line in this folder:
#
#   edgekit quantize                  model.source -> model.output (int8 .tflite)
#   edgekit generate                  model.output -> C and firmware under build.out/<board>
#   edgekit build                     firmware -> image
#   edgekit flash                     image -> board
#   edgekit monitor                   stream frames, watch predictions
#
# Precedence: flag > EDGEKIT_* variable > this file > board file > default.
schema = 1

[model]
source = "model.onnx"        # .onnx, a PyTorch state dict (with builder), TorchScript or torch.export
output = "model.tflite"      # the int8 model that quantize writes and everything else reads
# builder = "mypackage.models:make_classifier"   # for a state dict: a callable that returns the module
# labels = "labels.txt"      # one a line, in the order of the model's outputs; or ["cat", "dog"]

[input]
# How a pixel becomes the model's input: (pixel / 255 - mean) / std. These must be the values that the
# model was trained with: a wrong mean or a wrong colour order is the commonest cause of bad accuracy.
# size = "32x32"             # height x width; taken from an ONNX model
# color = "rgb"              # rgb, bgr or gray
# resize = "squash"          # squash (ignore the aspect ratio), crop (centre) or pad (black bars)
# mean = [0.485, 0.456, 0.406]
# std = [0.229, 0.224, 0.225]

[data]
calibration = "calibration"  # 100 to 500 real images: a folder, .npz, MNIST idx or CIFAR-10 batches
# eval = "test"              # labelled images that were not trained on: accuracy float against int8
# source = "test"            # what `monitor` streams

[accuracy]
# max_drop = 1.0             # points of top-1 that int8 may lose before quantize fails (exit code 5)

[board]
id = "{board}"
# port = "auto"              # found by the board's USB ids; a virtual board needs none

[build]
out = "build"
"""


@make_command(short_help="Write an edgekit.toml for this folder, with comments that teach.")
@board
@click.option("--force", is_flag=True, help="Replace an edgekit.toml that is already there.")
@click.argument("folder", type=click.Path(path_type=Path, file_okay=False), default=".")
def command(output: Output, board: str, force: bool, folder: Path) -> None:
    """Write FOLDER/edgekit.toml (default: this folder).

    \b
    Example: edgekit init --board host
    """
    from edgekit import settings
    from edgekit.files import write_whole

    load_board(board)
    path = folder / settings.FILE_NAME
    if path.exists() and not force:
        raise ProjectError(f"'{path}' exists already", "edit it, or replace it with --force")
    # A TOML basic string takes JSON's escapes: a board may be a path with quotes in it.
    import json

    write_whole(path, _TEMPLATE.format(board=json.dumps(board)[1:-1]).encode())
    output.text(f"wrote {path}: put your model and images beside it")
    there = "" if folder == Path() else f"cd {shlex.quote(str(folder))} && "
    output.text(f"next: {there}edgekit quantize")
    output.result({"path": str(path)})
