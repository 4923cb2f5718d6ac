"""Pipes and devices where files are expected are refused at once: a pipe may never have another end."""

import json
import os
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from edgekit import resources
from edgekit.models import ContractFlags, load_model

pytestmark = pytest.mark.timeout(120)
DIGITS = resources.examples() / "digits" / "digits.onnx"
COMMANDS = {
    "generate pipe": 4,
    "inspect pipe": 4,
    "export pipe": 4,
    "bench pipe": 4,
    "flash --model pipe": 4,
    "flash pipe": 7,
    "flash --model-only --model pipe --board grove_vision_ai_v2 --port /dev/nowhere": 4,
    "flash --merged pipe --board xiao_esp32s3 --port /dev/nowhere": 9,
    "prove --model pipe --random 1": 4,
    "emulate --model pipe": 4,
    "quantize pipe --calibration test.npz -o q.tflite": 4,
    f"quantize {DIGITS} --calibration pipe -o q.tflite": 3,
    f"quantize {DIGITS} --calibration test.npz --allow-random-calibration --eval pipe -o q.tflite": 3,
    "prove --model model.tflite --data pipe": 3,
    "bench model.tflite --data pipe": 3,
    "classify --model model.tflite --input pipe --output y.npy": 3,
    "classify --model model.tflite --input x.npy --output pipe": 7,
    "generate model.tflite -o pipe": 7,
}


@pytest.mark.parametrize("command", COMMANDS)
def test_a_pipe_in_the_place_of_a_file_is_an_error(
    cli: Callable, command: str, model: Path, labelled: Path
) -> None:
    os.mkfifo("pipe")
    done = cli(*command.split())
    assert done.code == COMMANDS[command], done.out + done.err
    assert "pipe" in done.err
    assert Path("pipe").is_fifo()


@pytest.mark.parametrize("name", ["test_batch.bin", "t10k-images-idx3-ubyte", "labels", "0.png"])
def test_pipes_in_a_folder_of_data_are_not_waited_for(cli: Callable, model: Path, name: str) -> None:
    folder = Path("data")
    folder.mkdir()
    if name == "labels":
        head = bytes((0, 0, 8, 3, 0, 0, 0, 1, 0, 0, 0, 8, 0, 0, 0, 8))
        (folder / "t10k-images-idx3-ubyte").write_bytes(head + bytes(64))
        name = "t10k-labels-idx1-ubyte"
    os.mkfifo(folder / name)
    done = cli("prove", "--model", model, "--data", folder)
    # A pipe is no labels file, and the images beside it are read without.
    assert done.code == (0 if "labels" in name else 3), done.out + done.err


@pytest.mark.parametrize("target", ["pipe", "/dev/zero", "../outside", "link"])
def test_external_weights_are_read_from_files_of_the_models_folder_only(
    cli: Callable, labelled: Path, target: str
) -> None:
    import onnx

    home = Path("home")
    home.mkdir()
    Path("outside").write_bytes(bytes(1 << 20))
    os.mkfifo(home / "pipe")
    (home / "link").symlink_to("/dev/zero")
    proto = onnx.load(DIGITS)
    for tensor in proto.graph.initializer:
        onnx.external_data_helper.set_external_data(tensor, target)
        tensor.data_location = onnx.TensorProto.EXTERNAL
        tensor.ClearField("raw_data")
    (home / "m.onnx").write_bytes(proto.SerializeToString())
    done = cli("quantize", home / "m.onnx", "--calibration", labelled, "-o", "q.tflite")
    assert done.code == 4, done.out + done.err
    assert ("a pipe or a device" if target == "pipe" else "outside its own folder") in done.err


def test_external_weights_beyond_what_fits_a_model_are_not_read(cli: Callable, labelled: Path) -> None:
    import onnx

    with Path("sparse").open("wb") as file:
        file.truncate(1 << 31)
    proto = onnx.load(DIGITS)
    for tensor in proto.graph.initializer:
        onnx.external_data_helper.set_external_data(tensor, "sparse")
        tensor.data_location = onnx.TensorProto.EXTERNAL
        tensor.ClearField("raw_data")
    Path("m.onnx").write_bytes(proto.SerializeToString())
    done = cli("quantize", "m.onnx", "--calibration", labelled, "-o", "q.tflite")
    assert done.code == 4, done.out + done.err
    assert "more than 2 GiB of weights" in done.err


def test_pipes_in_a_project_are_not_waited_for(cli: Callable, model: Path) -> None:
    assert cli("flash", "--model", model).code == 0
    project = Path("build/host")
    source = next((project / "runtime").rglob("*.c"))
    header = next((project / "runtime").rglob("*.h"))
    for path, code in ((source, 7), (header, 7), (next((project / "obj").glob("*.key")), 0)):
        kept = path.read_bytes()
        path.unlink()
        os.mkfifo(path)
        done = cli("build", project)
        assert done.code == code, done.err
        path.unlink()
        path.write_bytes(kept)
        assert cli("build", project).code == 0


def test_a_picture_that_becomes_a_pipe_is_an_error(tmp_path: Path) -> None:
    from PIL import Image

    from edgekit import data
    from edgekit.errors import DataError

    for number in range(2):
        Image.new("RGB", (8, 8)).save(tmp_path / f"{number}.bmp")
    found = data.load(tmp_path)
    (tmp_path / "0.bmp").unlink()
    os.mkfifo(tmp_path / "0.bmp")
    with pytest.raises(DataError, match="a pipe or a device"):
        found.images[0]
    assert np.asarray(found.images[1]).shape == (8, 8, 3)


@pytest.mark.parametrize("much", [False, True])
def test_labels_come_from_a_pipe_that_the_user_types(cli: Callable, model: Path, much: bool) -> None:
    labels = tuple(f"label {number}" for number in range(len(load_model(model).contract.labels)))
    reading, writing = os.pipe()
    with os.fdopen(writing, "wb") as file:
        file.write("\n".join(labels).encode())
    name = "/dev/zero" if much else f"/dev/fd/{reading}"
    done = cli("generate", model, "-o", "out", "--labels", name)
    os.close(reading)
    if much:
        assert (done.code, "larger than 16,777,216 bytes" in done.err) == (2, True)
    else:
        assert done.code == 0, done.err
        agreed = load_model(model, ContractFlags(labels=labels)).contract
        assert json.loads(Path("out/edgekit.json").read_text())["contract_digest"] == agreed.digest()
