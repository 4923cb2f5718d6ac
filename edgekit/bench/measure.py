"""Runs a model on a board and takes its figures."""

import hashlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial

import numpy as np
from numpy.typing import NDArray

from edgekit import __version__, pipeline, quality, scratch
from edgekit.answers import Frames
from edgekit.bench.result import Bench, Method, SectionSize, StepCount
from edgekit.board import Board, EmulatorKind, RegionKind, Runtime
from edgekit.codegen.generator import GeneratedModel
from edgekit.emulator import batch, counter, qemu
from edgekit.errors import ToolError, UsageError
from edgekit.files import read_regular
from edgekit.firmware import layout, symbols
from edgekit.firmware.image import FirmwareImage
from edgekit.live.runner import runner
from edgekit.models import Model
from edgekit.percentiles import Percentiles, percentiles

_CALLER = "ek_app_classify"
# What the clock may count that the plugin does not: its own reading, and its interrupts at every overflow.
_READING = 200
_OVERFLOWS = 1e-4


@dataclass(frozen=True, slots=True, eq=False)
class _Run:
    """What running the frames came to."""

    method: Method
    scores: NDArray[np.int8] | None = None
    ticks: tuple[int, ...] = ()
    """Per frame, by the board's own clock."""
    counts: tuple[tuple[int, ...], ...] | None = None
    """Per frame and kernel, by the plugin."""
    stack_bytes: int | None = None
    qemu: str | None = None
    notes: tuple[str, ...] = ()


def measure(
    model: Model,
    board: Board,
    frames: Frames,
    labels: Sequence[int] | None = None,
    *,
    port: str | None = None,
    compiler: str | None = None,
    timeout_s: float = 60.0,
    progress: Callable[[float], None] = lambda _: None,
) -> Bench:
    """Build the firmware, run the frames, and return the figures.

    On a board in QEMU instructions are counted: the same number on every run and machine for the same
    model, frames, compiler and flags. Where the plugin that counts them cannot be built, the board's own
    clock stands in. On other boards the device's clock measures microseconds.

    Args:
        model: what runs.
        board: on what.
        frames: at least one.
        labels: the class of each frame, for the accuracy.
        port: of a real board, which must run this model's firmware.
        compiler: a command to use instead of what would be found.
        timeout_s: how long one frame may take.
        progress: told the fraction done.

    Raises:
        ToolError: no compiler, no QEMU, or one of them failed.
        FaultError: the firmware crashed.
        DeviceError: the device does not answer, or its clock contradicts the count.
    """
    if board.build.runtime is Runtime.TFLM:
        raise UsageError(
            f"the board '{board.id}' runs models in TensorFlow Lite Micro, whose steps cannot be counted",
            "bench it with a board file whose runtime is compiled; `edgekit classify` shows times",
        )
    generated = pipeline.generate_model(model, board)
    image = pipeline.build_image(model, board, compiler=compiler)
    kind = board.emulator.kind if board.emulator is not None and port is None else None
    if kind is EmulatorKind.NONE:
        found = _Run(Method.NONE)
    elif kind is EmulatorKind.QEMU:
        found = _in_qemu(generated, image, board, frames, timeout_s, progress)
    else:
        way = runner(board, model, port=port, image=image, via="serial", timeout_s=timeout_s)
        answers = way.scores(frames, progress=progress)
        found = _Run(Method.DEVICE, answers.scores, answers.invoke_ticks)
    return _result(model, generated, image, board, frames, labels, found)


def places(image: FirmwareImage, generated: GeneratedModel) -> counter.Places:
    """Return where the plugin finds the model in a firmware. Raises ToolError if it does not stand there."""
    functions = symbols.read_functions(read_regular(image.path), str(image.path))
    run = symbols.function(functions, f"{generated.name}_run")
    caller = symbols.function(functions, _CALLER)
    kernels = sorted({step.kernel for step in generated.steps if step.kernel is not None})
    # Code of the machine is not called by a model: if it runs, it has interrupted it.
    skipped = [(item.begin, item.end) for item in functions if item.name.startswith("machine_")]
    skipped += [
        (part.address, part.address + part.bytes) for part in image.sections if part.name == ".vectors"
    ]
    return counter.Places(
        run=(run.begin, run.end),
        caller=(caller.begin, caller.end),
        kernels=tuple(symbols.function(functions, name).begin for name in kernels),
        skipped=tuple((begin, end) for begin, end in skipped if end > begin),
    )


def _in_qemu(
    generated: GeneratedModel,
    image: FirmwareImage,
    board: Board,
    frames: Frames,
    timeout_s: float,
    progress: Callable[[float], None],
) -> _Run:
    version = qemu.find(board.emulator).version
    run = partial(
        batch.run, image, board, frames, generated.contract.classes, timeout_s=timeout_s, progress=progress
    )
    calls = sum(step.kernel is not None for step in generated.steps)
    counts = None
    notes: tuple[str, ...] = ()
    try:
        plugin = counter.build(version)
        with scratch.folder() as folder:
            out = folder / "counts.txt"
            asked = counter.arguments(plugin, places(image, generated), out)
            found = run(jobs=1, arguments=asked)
            counts = counter.read(out, len(frames), calls)
    except ToolError as error:
        notes = (f"instructions are by the board's own clock, not exact: {error.message}",)
        found = run()
    return _Run(
        method=Method.PLUGIN if counts else Method.TIMER,
        scores=found.scores,
        ticks=found.invoke_ticks,
        counts=counts,
        stack_bytes=found.stack_bytes,
        qemu=version,
        notes=notes,
    )


def _result(
    model: Model,
    generated: GeneratedModel,
    image: FirmwareImage,
    board: Board,
    frames: Frames,
    labels: Sequence[int] | None,
    found: _Run,
) -> Bench:
    totals = [sum(row) for row in found.counts] if found.counts else []
    if found.method is Method.TIMER:
        totals = list(found.ticks)
    ordered = sorted(range(len(totals)), key=lambda number: totals[number])
    middle = ordered[(len(ordered) - 1) // 2] if ordered else None
    timer = found.ticks[middle] if found.method is Method.PLUGIN and middle is not None else None
    notes = found.notes
    if timer is not None and middle is not None:
        notes += _cross_check(totals[middle], timer, board)
    row = found.counts[middle] if found.counts and middle is not None else None
    sizes = _sizes(image, board, generated)
    return Bench(
        board=board.id,
        cpu=board.soc.cpu,
        model=model.path.stem,
        model_sha256=model.sha256,
        model_digest=model.digest,
        contract_digest=model.contract.digest(),
        frames=len(frames),
        frames_sha256=hashlib.sha256(np.ascontiguousarray(frames).data).hexdigest(),
        method=found.method,
        resolution=1.0 if found.method is Method.PLUGIN else board.ticks.resolution,
        instructions_per_invoke=None if middle is None else totals[middle],
        instructions_lowest=min(totals) if totals else None,
        instructions_highest=max(totals) if totals else None,
        timer_instructions=timer,
        per_op=_per_op(model, generated, row),
        wall_us=_wall(found),
        macs=sum(step.macs for step in generated.steps),
        arena_bytes=generated.arena_bytes,
        stack_bytes=found.stack_bytes,
        engine_bytes=sizes.engine,
        model_bytes=sizes.model,
        flash_bytes=sizes.flash,
        ram_bytes=sizes.ram,
        sections=sizes.sections,
        accuracy=None if found.scores is None else quality.top_k(found.scores, labels),
        outputs_sha256="" if found.scores is None else hashlib.sha256(found.scores.tobytes()).hexdigest(),
        compiler=image.compiler,
        cflags=board.build.cflags,
        qemu=found.qemu,
        edgekit=__version__,
        notes=notes,
    )


def _cross_check(counted: int, timer: int, board: Board) -> tuple[str, ...]:
    allowed = _READING + 2 * board.ticks.resolution + _OVERFLOWS * counted
    if abs(timer - counted) <= allowed:
        return ()
    return (
        f"the clock of '{board.id}' says {timer:,} instructions where {counted:,} were counted, "
        f"more apart than its resolution of {board.ticks.resolution:g} explains",
    )


def _per_op(model: Model, generated: GeneratedModel, row: Sequence[int] | None) -> tuple[StepCount, ...]:
    steps = []
    counts = iter(row or ())
    for number, step in enumerate(generated.steps):
        shape = "x".join(map(str, model.graph.tensor(step.output).shape))
        count = None if row is None else (next(counts) if step.kernel is not None else 0)
        steps.append(StepCount(number, step.kind, shape, step.macs, count))
    return tuple(steps)


def _wall(found: _Run) -> Percentiles | None:
    return percentiles(found.ticks) if found.method is Method.DEVICE else None


@dataclass(frozen=True, slots=True)
class _Sizes:
    engine: int | None
    model: int
    flash: int | None
    ram: int | None
    sections: tuple[SectionSize, ...]


def _sizes(image: FirmwareImage, board: Board, generated: GeneratedModel) -> _Sizes:
    """Return what the linker made; without regions in the board file only the model's constants are known."""
    if not image.sections:
        return _Sizes(None, generated.weight_bytes + generated.table_bytes, None, None, ())
    functions = symbols.read_functions(read_regular(image.path), str(image.path))
    run = symbols.function(functions, f"{generated.name}_run")
    model = run.end - run.begin + sum(part.bytes for part in image.sections if part.name == ".model")
    used = layout.usage(image.sections, board)
    flash, ram = (
        sum(item.used for item in used if item.kind is kind) for kind in (RegionKind.FLASH, RegionKind.RAM)
    )
    sections = tuple(
        SectionSize(
            part.name,
            part.bytes,
            ", ".join(sorted(item.kind for item in layout.usage([part], board) if item.used)),
        )
        for part in image.sections
        if part.bytes
    )
    return _Sizes(flash - model, model, flash, ram, sections)
