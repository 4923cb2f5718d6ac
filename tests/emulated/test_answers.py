"""Every emulated board computes what the oracle and the host compute: over its serial line, and past it."""

import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import public_data
import pytest
from emulated.conftest import ALL, EXECUTED, tensors
from numpy.typing import NDArray

from edgekit import board, connection, models, pipeline, proof, resources
from edgekit.emulator import batch
from edgekit.firmware import build, layout, manifest
from edgekit.firmware.image import FirmwareImage
from edgekit.firmware.options import Firmware
from edgekit.models import Model
from edgekit.oracle import Oracle

Build = Callable[[str], FirmwareImage]
CIFAR_FRAMES = 200


@pytest.mark.parametrize("name", ALL)
def test_every_kernel_compiles_and_links_without_a_warning(name: str, model: Model, tmp_path: Path) -> None:
    target = board.load(name)
    pipeline.generate_project(model, target, tmp_path, Firmware(debug=True))
    # Everything is linked, so that no function of the compiler's own library is missing later.
    flags = ("-Wl,--fatal-warnings" if f == "-Wl,--gc-sections" else f for f in target.build.ldflags)
    whole = replace(target, build=replace(target.build, ldflags=tuple(flags)))
    path = tmp_path / manifest.NAME
    fields = json.loads(path.read_bytes())
    for source in (resources.firmware_templates() / "runtime" / "src" / "ref").iterdir():
        (tmp_path / "runtime" / "src" / "ref" / source.name).write_bytes(source.read_bytes())
        fields["files"][f"runtime/src/ref/{source.name}"] = "0" * 64
    path.write_text(json.dumps(fields))
    build.build(tmp_path, whole)


@pytest.mark.parametrize("name", EXECUTED)
def test_a_small_model_over_the_serial_line(
    name: str, model: Model, image: Build, frames: NDArray[np.uint8], expected: NDArray[np.int8]
) -> None:
    with connection.open_device(board.load(name), model=model, image=image(name)) as device:
        hello = device.hello
        assert (hello.board, hello.unit, hello.exact) == (name, "instructions", False)
        pixels = [answer.scores for answer in device.stream(iter(frames[:8]))]
        quantised = [answer.scores for answer in device.stream(iter(tensors(frames[8:12])))]
        assert np.array_equal([*pixels, *quantised], expected[:12])
        assert device.statistics.retransmissions == 0


@pytest.mark.parametrize("name", EXECUTED)
def test_a_small_model_past_the_serial_line(
    name: str, model: Model, image: Build, frames: NDArray[np.uint8], expected: NDArray[np.int8]
) -> None:
    target = board.load(name)
    told: list[float] = []
    first = batch.run(image(name), target, frames, 3, progress=told.append)
    assert np.array_equal(first.scores, expected)
    assert told[-1] == 1.0
    second = batch.run(image(name), target, tensors(frames), 3, jobs=1)
    assert np.array_equal(second.scores, expected)
    # Where the clock's tick falls is all that may differ.
    difference = np.subtract(first.invoke_ticks, second.invoke_ticks)
    assert np.abs(difference).max() <= 2 * 40
    assert 1000 < min(first.invoke_ticks) <= max(first.invoke_ticks) < 2_000_000
    assert 100 < first.stack_bytes < target.build.stack_reserve_bytes


@pytest.mark.parametrize("name", EXECUTED)
def test_a_batch_is_the_same_every_time(name: str, image: Build, frames: NDArray[np.uint8]) -> None:
    runs = [batch.run(image(name), board.load(name), frames[:10], 3, jobs=1) for _ in range(2)]
    assert np.array_equal(runs[0].invoke_ticks, runs[1].invoke_ticks)
    assert np.array_equal(runs[0].preprocess_ticks, runs[1].preprocess_ticks)
    assert runs[0].stack_bytes == runs[1].stack_bytes


@pytest.mark.parametrize("name", EXECUTED)
def test_a_debug_build_traces_every_step(name: str, model: Model, frames: NDArray[np.uint8]) -> None:
    target = board.load(name)
    debug = pipeline.build_image(model, target, Firmware(debug=True))
    with connection.open_device(target, model=model, image=debug) as device:
        checksums = connection.trace(target, model, frames[0], device=device, port=None)
    assert checksums is not None
    assert proof.first_difference(model, Oracle(model.data), frames[0], checksums) is None


@pytest.mark.parametrize("name", ALL)
def test_the_linkers_sizes_are_kept(name: str, image: Build) -> None:
    target = board.load(name)
    made = image(name)
    sizes = {section.name: section.bytes for section in made.sections}
    assert sizes[".stack"] == target.build.stack_reserve_bytes
    assert sizes[".bss"] > target.build.rx_window_bytes
    assert 4_000 < sizes[".text"] < 24_000
    assert 0 < sizes[".model"] < 4_000
    taken = layout.usage(made.sections, target)
    assert sum(part.used for part in taken) == sum(sizes.values()) + sizes[".data"]
    assert all(part.used <= part.available for part in taken)
    assert FirmwareImage.load(made.path.parent).sections == made.sections


@pytest.fixture(scope="session")
def resnet(public_folder: Path) -> Model:
    return models.load_model(public_data.anchor(public_folder, "ic01_resnet8_int8"))


@pytest.fixture(scope="session")
def photos(public_folder: Path) -> NDArray[np.uint8]:
    return public_data.cifar10(public_folder, "test", CIFAR_FRAMES)[0]


@pytest.fixture(scope="session")
def rows(resnet: Model, photos: NDArray[np.uint8]) -> NDArray[np.int8]:
    """Return what the oracle and the host say of the photos: the same."""
    found = Oracle(resnet.data).run(tensors(photos))
    host = board.load("host")
    with connection.open_device(host, model=resnet, image=pipeline.build_image(resnet, host)) as device:
        assert np.array_equal([answer.scores for answer in device.stream(iter(photos))], found)
    return found


@pytest.mark.parametrize("name", EXECUTED)
def test_the_public_resnet_on_photos(
    name: str, resnet: Model, photos: NDArray[np.uint8], rows: NDArray[np.int8]
) -> None:
    target = board.load(name)
    made = pipeline.build_image(resnet, target)
    assert np.array_equal(batch.run(made, target, photos, 10).scores, rows)
    with connection.open_device(target, model=resnet, image=made) as device:
        answers = [answer.scores for answer in device.stream(iter(photos[:6]))]
    assert np.array_equal(answers, rows[:6])
