"""The straight line, end to end: the first file to read.

    model file -> int8 .tflite -> Graph -> Steps -> MemoryPlan -> GeneratedModel -> FirmwareProject
      -> FirmwareImage -> Device -> Prediction

Each function here is one or two arrows; each stage lives in the module that it is imported from.
"""

import hashlib
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from edgekit import board, contract, inspection, resources
from edgekit.board import Board, Runtime
from edgekit.codegen import budget, runtimes
from edgekit.codegen.budget import Budget
from edgekit.codegen.generator import GeneratedModel, generate
from edgekit.contract import Color, Contract, Resize
from edgekit.convert.recipe import preprocessing
from edgekit.device.client import Device
from edgekit.device.events import Note
from edgekit.device.transport import SocketTransport, Transport
from edgekit.emulator import RunningBoard, check_runnable
from edgekit.errors import DeviceError, DoesNotFitError, ModelError, UsageError
from edgekit.files import check_writable, write_whole
from edgekit.firmware import arduino, build, esp32s3, mlperf_tiny, project
from edgekit.firmware.image import FirmwareImage
from edgekit.flash import process as virtual_flash
from edgekit.graph import tflite
from edgekit.graph.digest import model_digest
from edgekit.graph.edges import int8_core
from edgekit.graph.ir import Graph
from edgekit.inspection import Inspection


@dataclass(frozen=True, slots=True)
class Model:
    """An int8 .tflite, read and checked, with the contract by which it is used."""

    path: Path
    data: bytes = field(repr=False)
    graph: Graph = field(repr=False)
    contract: Contract
    digest: str
    """Of the graph without metadata: what the firmware carries."""

    @property
    def sha256(self) -> str:
        """The SHA-256 of the whole file, as `sha256sum` prints it."""
        return hashlib.sha256(self.data).hexdigest()


@dataclass(frozen=True, slots=True)
class ContractFlags:
    """What the user says about a model's input and labels; None leaves what the model says."""

    labels: tuple[str, ...] | None = None
    color: str | None = None
    resize: str | None = None
    mean: tuple[float, ...] | None = None
    std: tuple[float, ...] | None = None


def load_model(path: Path | str, flags: ContractFlags | None = None) -> Model:
    """Read an int8 .tflite, ours or a third party's.

    Raises:
        ModelError: not an int8 classifier with one input and one output.
        UsageError: the flags contradict the model.
    """
    path = Path(path)
    content = tflite.read_bytes(path)
    graph = int8_core(tflite.parse_file(content, path))
    agreed = _with_flags(graph, contract.of(graph), flags or ContractFlags())
    return Model(path, content, graph, agreed, model_digest(graph))


def _with_flags(graph: Graph, base: Contract, flags: ContractFlags) -> Contract:
    if flags == ContractFlags():
        return base
    preprocess = base.preprocess
    if preprocess is not None:
        preprocess = preprocessing(
            Color(flags.color) if flags.color else preprocess.color,
            resize=Resize(flags.resize) if flags.resize else preprocess.resize,
            mean=preprocess.mean if flags.mean is None else flags.mean,
            std=preprocess.std if flags.std is None else flags.std,
        )
    elif flags.color or flags.mean or flags.std or flags.resize:
        raise UsageError(
            f"the model's input {list(base.input_shape)} is not an image: "
            "--color, --resize, --mean and --std do not apply",
            "leave them out, here and in edgekit.toml",
        )
    made = contract.for_graph(
        graph, preprocess=preprocess, labels=flags.labels or base.labels, oracle=base.oracle
    )
    # Labels that nobody has named are numbers still, and no folder's classes are matched to them.
    made = replace(made, implied=base.implied and flags.labels is None)
    # Colour and resizing do not touch the table. The implied one, pixel - 128, follows from no mean and std:
    # whoever states them, even 0 and 1, means the formula.
    stated = flags.mean is not None or flags.std is not None
    return made if stated else replace(made, table=base.table)


def generate_model(model: Model, target: Board) -> GeneratedModel:
    """Turn a model into C for a board and its runtime.

    Raises:
        UnsupportedOpError: listing every operator that cannot be run.
        DoesNotFitError: saying what is needed, what the board has and the largest tensors.
        MissingExtraError: the runtime is tflm, and tflite-micro or Vela is not installed.
    """
    return _fitting(model, target)[0]


def _fitting(
    model: Model, target: Board, camera: bool = False, mlperf: mlperf_tiny.Identity | None = None
) -> tuple[GeneratedModel, Budget]:
    # Firmware with the MLPerf Tiny protocol has texts of the model's scores: it is for this one alone.
    stored = mlperf is None and esp32s3.wanted(target) and esp32s3.read(target).model_partition
    generated = runtimes.generate(model.data, model.graph, model.contract, target, stored=stored)
    return generated, budget.check(generated, model.graph, target, camera=camera)


def generate_project(
    model: Model,
    target: Board,
    out: Path,
    *,
    debug: bool = False,
    mlperf: mlperf_tiny.Identity | None = None,
    camera: bool = False,
) -> GeneratedModel:
    """Write the firmware of a model for a board into the folder `out`; `camera` with its own camera."""
    generated, found = _fitting(model, target, camera, mlperf)
    made = project.assemble(
        generated, target, debug=debug, mlperf=mlperf, camera=camera, external=found.moved
    )
    project.write(made, out)
    return generated


def export_arduino(model: Model, path: Path, *, name: str) -> tuple[GeneratedModel, Mapping[str, bytes]]:
    """Write a model as an Arduino library to the .zip `path`; return its C and the library's files.

    Raises:
        UsageError: the name cannot be a library's.
        UnsupportedOpError: listing every operator that cannot be run.
        OutputError: the file cannot be written.
    """
    arduino.check_name(name)
    check_writable(path)
    target = board.load(arduino.BOARD)
    generated = generate_model(model, target)
    files = arduino.library(generated, project.assemble(generated, target), name)
    write_whole(path, arduino.pack(files, name))
    return generated, files


def build_image(
    model: Model,
    target: Board,
    *,
    debug: bool = False,
    mlperf: mlperf_tiny.Identity | None = None,
    camera: bool = False,
    compiler: str | None = None,
) -> FirmwareImage:
    """Return the built firmware of a model, from the cache if the very same was built before."""
    generated, found = _fitting(model, target, camera, mlperf)
    made = project.assemble(
        generated, target, debug=debug, mlperf=mlperf, camera=camera, external=found.moved
    )
    key = hashlib.sha256(made.manifest)
    key.update("\0".join((*target.build.cflags, *target.build.ldflags, compiler or "")).encode())
    folder = resources.cache() / "builds" / f"{target.id}-{key.hexdigest()[:24]}"
    project.write(made, folder)
    return build.build(folder, target, compiler=compiler)


def inspect(path: Path, boards: Sequence[Board]) -> Inspection:
    """Return a model's figures, and its needs against each board; a model that cannot run is shown too.

    Raises:
        ModelError: the file is no .tflite that can be read.
    """
    content = tflite.read_bytes(path)
    graph = int8_core(tflite.parse_file(content, path))
    budgets, reports = [], {}
    for target in (one for one in boards if one.build.runtime is Runtime.TFLM):
        try:
            made = runtimes.generate(content, graph, contract.of(graph), target)
        except (ModelError, DoesNotFitError) as error:
            reports[target.id] = {"problem": error.message}
        else:
            reports[target.id] = dict(made.report)
            budgets.append(budget.estimate(made, target))
    try:
        generated = generate(graph, contract.of(graph))
    except ModelError as error:
        return inspection.inspect_unsupported(graph, error.message, budgets, reports)
    assert generated.plan is not None
    compiled = (one for one in boards if one.build.runtime is Runtime.COMPILED)
    budgets += [budget.estimate(generated, target) for target in compiled]
    return inspection.inspect(graph, generated.steps, generated.plan, budgets, reports)


@contextmanager
def open_device(
    target: Board,
    *,
    port: str | None = None,
    model: Model | None = None,
    image: FirmwareImage | None = None,
    timeout_s: float = 10.0,
    on_note: Callable[[Note], None] | None = None,
) -> Iterator[Device]:
    """Open a board: the one at `port`, or, without one, a virtual board that runs `image`.

    Without a port and an image, a virtual board runs what was flashed to it last. With a `model`, firmware
    built for another one is refused with a ContractMismatchError.
    """
    agreed = None if model is None else model.contract
    digest = None if model is None else model.digest
    with (
        open_line(target, port=port, image=image, protocol=project.Protocol.EDGEKIT) as line,
        Device.open(
            line,
            contract=agreed,
            model_digest=digest,
            serial=target.serial,
            timeout_s=timeout_s,
            on_note=on_note,
        ) as device,
    ):
        yield device


def installed_image(target: Board, protocol: str) -> FirmwareImage:
    """Return what was flashed to a virtual board last.

    Raises:
        FlashError: nothing was.
        UsageError: it speaks another protocol.
    """
    image = virtual_flash.installed(target)
    _check_protocol(image, protocol)
    return image


def _check_protocol(image: FirmwareImage, protocol: str) -> None:
    if image.protocol != protocol:
        raise UsageError(
            f"the firmware on '{image.board_id}' speaks the protocol '{image.protocol}', not '{protocol}'",
            f"pass --protocol {image.protocol} where the command has it, or flash the board again",
        )


@contextmanager
def open_line(
    target: Board, *, port: str | None, image: FirmwareImage | None, protocol: project.Protocol
) -> Iterator[str | Callable[[], Transport]]:
    """Yield where a board is reached: its port, or a way to turn a virtual one on, which ends with the block.

    Raises:
        UsageError: the firmware of the virtual board speaks another protocol.
    """
    if port is not None or target.emulator is None:
        yield port or "auto"
        return
    check_runnable(target)
    if image is None:
        image = installed_image(target, protocol)
    _check_protocol(image, protocol)
    running = RunningBoard(image, target)
    try:
        yield lambda: SocketTransport(running.connect(), target.id)
    except DeviceError as error:
        if not running.last_words():
            raise
        raise DeviceError(
            f"{error.message}; the firmware's last words:\n{running.last_words()}", error.hint
        ) from error
    finally:
        running.close()


def trace(
    target: Board, model: Model, frame: NDArray[np.generic], *, device: Device, port: str | None
) -> tuple[int, ...] | None:
    """Run a frame in a debug build and return the CRC-32 of each step's output.

    A virtual board is built anew for it; another board must run a debug build, else None.
    """
    if device.hello.has_trace:
        device.classify(frame)
        return tuple(device.trace())
    if port is not None or target.emulator is None:
        return None
    image = build_image(model, target, debug=True)
    with open_device(target, model=model, image=image) as debug:
        debug.classify(frame)
        return debug.trace()
