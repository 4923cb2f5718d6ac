"""Compares a device with the oracle, row by row, and names the first step that computes something else."""

import hashlib
import zlib
from collections.abc import Callable
from contextlib import closing
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from edgekit import __version__, ops
from edgekit.answers import Frames, Runner
from edgekit.board import Runtime
from edgekit.contract import Contract
from edgekit.device.client import Device
from edgekit.errors import EdgekitError, OracleError, ProofError, UsageError
from edgekit.models import Model
from edgekit.oracle import Oracle
from edgekit.reference import rows, to_tensors
from edgekit.tflite_micro import TfliteMicro

_MAX_BYTES = 1 << 31
_HELD_AGAINST_ITSELF = 4
"""Frames on which the reference also runs in its other mode: what that overwrites does not depend on them."""


@dataclass(frozen=True, slots=True)
class Certificate:
    """What was compared, and by what: all rows were equal, else there is none."""

    board: str
    frames: int
    rows_equal: int
    unit: str
    model_sha256: str
    model_digest: str
    contract_digest: str
    frames_sha256: str
    outputs_sha256: str
    oracle: str
    edgekit: str
    firmware: str
    runtime: str
    notes: tuple[str, ...] = ()
    """What is to be known of the reference on these frames."""


def random_frames(contract: Contract, count: int, seed: int) -> Frames:
    """Return uniformly random frames: pixels if the model takes pixels, else int8 tensors.

    Raises UsageError if they would take more than 2 GiB.
    """
    if count * contract.input_bytes > _MAX_BYTES:
        most = _MAX_BYTES // contract.input_bytes
        raise UsageError(f"{count} random frames are too many at once", f"prove on at most {most:,}")
    generator = np.random.default_rng(seed)
    shape = (count, *contract.frame_shape)
    if contract.table is not None:
        return generator.integers(0, 256, shape, np.uint8)
    return generator.integers(-128, 128, shape, np.int8)


def oracle_of(runtime: str, model: Model) -> Oracle | TfliteMicro:
    """Return the reference for what a device says of its runtime.

    LiteRT's reference kernels for edgekit's own C; tflite-micro's for TensorFlow Lite Micro, whose
    FULLY_CONNECTED rounds twice where LiteRT's rounds once.

    Raises:
        MissingExtraError: the reference is not installed.
        ModelError: it cannot run the model.
    """
    if runtime == Runtime.TFLM:
        return TfliteMicro(model.data, model.graph)
    return Oracle(model.data)


def prove(
    device: Device,
    model: Model,
    frames: Frames,
    *,
    traced: Callable[[NDArray[np.generic]], tuple[int, ...] | None] = lambda _: None,
    runner: Runner | None = None,
    progress: Callable[[float], None] = lambda _: None,
) -> Certificate:
    """Run every frame on the device and on the oracle of its runtime and compare the rows.

    Args:
        device: open, its contract checked.
        model: what both run.
        frames: uint8 pixels or int8 tensors [N, ...frame shape].
        traced: runs one frame in a debug build and returns the CRC-32 of each step's output, or None
            where there is no debug build; asked only after a difference.
        runner: another way to the device's firmware than over its line.
        progress: told the fraction done.

    Raises:
        ProofError: names the first differing frame, the values, and the first differing step if traced.
        OracleError: names the first frame that the oracle has no answer for, and its operator.
    """
    expected_digest = hashlib.sha256()
    first: list[NDArray[np.int8]] = []
    with closing(oracle_of(device.hello.runtime, model)) as oracle:
        rights = rows(oracle, frames, model.contract)

        def compare(number: int, scores: NDArray[np.int8]) -> None:
            expected = next(rights)
            if isinstance(expected, OracleError):
                raise expected
            if not np.array_equal(expected, scores):
                raise _difference(model, oracle, device, frames, number, expected, scores, traced)
            expected_digest.update(expected.tobytes())
            if len(first) < _HELD_AGAINST_ITSELF:
                first.append(expected)
            progress((number + 1) / len(frames))

        (runner or device).scores(frames, each=compare)
        notes = _other_mode(oracle, frames, first, model.contract)
    hello = device.hello
    return Certificate(
        board=hello.board,
        frames=len(frames),
        rows_equal=len(frames),
        unit=hello.unit,
        model_sha256=model.sha256,
        model_digest=model.digest,
        contract_digest=model.contract.digest(),
        frames_sha256=hashlib.sha256(frames.tobytes()).hexdigest(),
        outputs_sha256=expected_digest.hexdigest(),
        oracle=oracle.version,
        edgekit=__version__,
        firmware=hello.firmware,
        runtime=hello.runtime,
        notes=notes,
    )


def _other_mode(
    oracle: Oracle | TfliteMicro, frames: Frames, rows: list[NDArray[np.int8]], contract: Contract
) -> tuple[str, ...]:
    """Return a note if LiteRT's kernels, where they reuse memory, contradict the rows of the first frames."""
    if isinstance(oracle, TfliteMicro) or not rows:
        return ()
    mode = "LiteRT's BUILTIN_REF contradicts itself: without experimental_preserve_all_tensors"
    try:
        others = oracle.run(to_tensors(frames[: len(rows)], contract), reuse=True)
    except EdgekitError as error:
        return (f"{mode} it fails where it has an answer with it: {error.message}",)
    found = int((others != np.stack(rows)).any(axis=1).sum())
    if not found:
        return ()
    return (
        f"{mode} it gives other scores for {found} of {len(rows)} frames, as it reuses memory that is "
        "read again; edgekit compares with the mode that keeps all tensors",
    )


def _difference(
    model: Model,
    oracle: Oracle | TfliteMicro,
    device: Device,
    frames: Frames,
    number: int,
    expected: NDArray[np.int8],
    got: NDArray[np.int8],
    traced: Callable[[NDArray[np.generic]], tuple[int, ...] | None],
) -> ProofError:
    where = int(np.flatnonzero(expected != got)[0])
    details = {"frame": number, "output": where, "expected": expected.tolist(), "got": got.tolist()}
    message = (
        f"frame {number} of {len(frames)} differs: output {where} is {got[where]} on the device, "
        f"{expected[where]} in the oracle ({int((expected != got).sum())} of {expected.size} outputs differ)"
    )
    if isinstance(oracle, TfliteMicro):
        hint = (
            "TensorFlow Lite Micro's kernels for this board compute something else than its reference "
            "kernels; `edgekit flash --runtime compiled` is bit-exact where edgekit has kernels"
        )
        return ProofError(message, hint, details)
    message = "; ".join((message, *_other_mode(oracle, frames[number:], [expected], model.contract)))
    checksums = traced(frames[number])
    if checksums is None:
        hint = (
            "flash a debug build (`edgekit flash --debug`) and prove again: it names the first differing step"
        )
        return ProofError(message, hint, details)
    step = first_difference(model, oracle, frames[number], checksums)
    if step is None and device.hello.has_trace:
        hint = "the same firmware was right the second time: suspect its memory (stack, DMA, interrupts)"
        return ProofError(f"{message}; no step differs when the frame is run again", hint, details)
    if step is None:
        hint = (
            "the same sources are right in a debug build, whose code and places in memory differ: build with "
            "other cflags in a copy of the board file; if that is right too, suspect memory (stack, DMA)"
        )
        return ProofError(f"{message}; no step differs in a debug build", hint, details)
    index, name = step
    hint = f"compare that kernel's source and flags; the steps before step {index} are equal"
    return ProofError(f"{message}; the first differing step is {name}", hint, details | {"step": index})


def first_difference(
    model: Model, oracle: Oracle, frame: NDArray[np.generic], checksums: tuple[int, ...]
) -> tuple[int, str] | None:
    """Return (index, description) of the first step whose output differs from the oracle's, or None."""
    tensors = oracle.tensors(to_tensors(frame[None], model.contract)[0])
    for index, (step, checksum) in enumerate(zip(ops.lower(model.graph), checksums, strict=True)):
        expected = tensors.get(step.output)
        if expected is not None and zlib.crc32(expected.tobytes()) != checksum:
            tensor = model.graph.tensor(step.output)
            return index, f"{index}: {step.kind} '{tensor.name}' {'x'.join(map(str, tensor.shape))}"
    return None
