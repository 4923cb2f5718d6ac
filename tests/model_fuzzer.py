"""Hostile .tflite files, made from sound ones: bytes changed anywhere, or fields where they mean something.

    python -m model_fuzzer 20000 [seed]      from tests/, a long run by hand

Every file goes the way of a model: reader, edges, lowering, planner, contract, C. What may come out is a
ModelError or another deliberate error. Anything else, five seconds of processor time, or memory beyond the
limit is a finding.
"""

import random
import resource
import signal
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import small_models
from kernels import models, movement, unary, weightless

from edgekit import contract, ops
from edgekit.codegen import planner
from edgekit.codegen.generator import render
from edgekit.errors import EdgekitError
from edgekit.graph import tflite
from edgekit.graph.edges import int8_core

CPU_SECONDS = 5
EXTRA_MEMORY = 2 << 30
_ODD = (-(1 << 31), -(1 << 16), -129, -2, -1, 0, 1, 2, 3, 7, 255, 1 << 15, 1 << 20, (1 << 31) - 1)
_ODD_FLOATS = (0.0, -1.0, 1e-38, 1e38, float("inf"), float("nan"), 1.0, 0.5)


class TooSlowError(Exception):
    """A file took more processor time than any file may."""


def seeds() -> list[bytes]:
    """Return sound models, one of nearly every operator among them."""
    makers: list[Callable[[np.random.Generator], bytes]] = [
        models.conv_2d,
        models.depthwise_conv_2d,
        models.fully_connected,
        weightless.add,
        weightless.mul,
        weightless.mean,
        weightless.average_pool_2d,
        weightless.pad,
        weightless.softmax,
        unary.leaky_relu,
        movement.batch_matmul,
        movement.concatenation,
        movement.gather,
        movement.resize_bilinear,
        movement.split_v,
        movement.strided_slice,
        movement.transpose,
    ]
    rng = np.random.default_rng(3)
    return [small_models.classifier(), small_models.fully_connected(), *(make(rng) for make in makers)]


def mutants(count: int, seed: int) -> Iterator[bytes]:
    """Return hostile files, the same ones for the same seed."""
    rng = random.Random(seed)
    sound = seeds()
    for number in range(count):
        base = rng.choice(sound)
        yield _raw(base, rng) if number % 2 else _structured(base, rng)


def run(content: bytes) -> str:
    """Put a file through everything that reads it; return how it ended. Raises on a finding."""
    signal.signal(signal.SIGVTALRM, _too_slow)
    signal.setitimer(signal.ITIMER_VIRTUAL, CPU_SECONDS)
    end = "read"
    try:
        graph = int8_core(tflite.parse(content))
        steps = ops.lower(graph)
        planner.plan(graph, steps)
        end = "planned"
        render(graph, contract.of(graph), steps)
        end = "generated"
    except EdgekitError as error:
        assert error.message, "an error without words"
        return type(error).__name__ if end == "read" else end
    finally:
        signal.setitimer(signal.ITIMER_VIRTUAL, 0)
    return end


def limit_memory() -> None:
    """Let the process take no more than a fixed amount beyond what it has."""
    used = int(Path("/proc/self/statm").read_text("ascii").split()[0]) * resource.getpagesize()
    resource.setrlimit(resource.RLIMIT_AS, (used + EXTRA_MEMORY, resource.RLIM_INFINITY))


def _too_slow(*_: object) -> None:
    raise TooSlowError(f"more than {CPU_SECONDS} s of processor time")


def _raw(base: bytes, rng: random.Random) -> bytes:
    """Return the bytes with a few of them changed, cut off, doubled or moved."""
    content = bytearray(base)
    for _ in range(rng.randrange(1, 6)):
        at = rng.randrange(len(content))
        match rng.randrange(5):
            case 0:
                content[at] = rng.randrange(256)
            case 1:
                content[at : at + 4] = rng.choice(_ODD).to_bytes(4, "little", signed=True)
            case 2:
                del content[at : at + rng.randrange(1, 9)]
            case 3:
                content[at:at] = content[at : at + rng.randrange(1, 33)]
            case 4:
                content[at] ^= 1 << rng.randrange(8)
        if len(content) < 16:
            break
    return bytes(content)


def _structured(base: bytes, rng: random.Random) -> bytes:
    """Return the model with a few fields changed, written anew as a sound FlatBuffer."""
    import flatbuffers
    from ai_edge_litert import schema_py_generated as schema

    model = schema.ModelT.InitFromPackedBuf(base, 0)
    for _ in range(rng.randrange(1, 4)):
        _change(model, rng)
    builder = flatbuffers.Builder(1024)
    try:
        builder.Finish(model.Pack(builder), b"TFL3")
    except Exception:  # the writer refuses some nonsense itself
        return _raw(base, rng)
    return bytes(builder.Output())


def _change(model: Any, rng: random.Random) -> None:
    graph = rng.choice(model.subgraphs or [model])
    if graph is model:
        return
    choice = rng.randrange(10)
    tensor = rng.choice(graph.tensors)
    op = rng.choice(graph.operators)
    if choice == 0:
        tensor.shape = _integers(tensor.shape, rng)
    elif choice == 1:
        tensor.type = rng.randrange(0, 24)
    elif choice == 2:
        tensor.buffer = rng.choice((0, 1, len(model.buffers) - 1, len(model.buffers), 1 << 31))
    elif choice == 3 and tensor.quantization is not None:
        _change_quantization(tensor.quantization, rng)
    elif choice == 4:
        op.inputs = _integers(op.inputs, rng)
    elif choice == 5:
        op.outputs = _integers(op.outputs, rng)
    elif choice == 6 and op.builtinOptions is not None:
        _change_options(op.builtinOptions, rng)
    elif choice == 7:
        rng.shuffle(graph.operators)
        graph.operators.append(op)  # twice: its outputs are made a second time
    elif choice == 8:
        graph.inputs, graph.outputs = graph.outputs, graph.inputs
    else:
        code = rng.choice(model.operatorCodes)
        code.builtinCode = rng.randrange(0, 210)
        code.deprecatedBuiltinCode = min(code.builtinCode, 127)


def _integers(values: Any, rng: random.Random) -> list[int]:
    changed = [int(value) for value in (values if values is not None else [])]
    match rng.randrange(3):
        case 0 if changed:
            changed[rng.randrange(len(changed))] = rng.choice(_ODD)
        case 1 if changed:
            del changed[rng.randrange(len(changed))]
        case _:
            changed += [rng.choice(_ODD)] * rng.choice((1, 1, 2, 9))
    return changed


def _change_quantization(quantization: Any, rng: random.Random) -> None:
    match rng.randrange(4):
        case 0:
            quantization.scale = [rng.choice(_ODD_FLOATS)] * rng.choice((0, 1, 2, 5))
        case 1:
            quantization.zeroPoint = [rng.choice(_ODD)] * rng.choice((0, 1, 2, 5))
        case 2:
            quantization.quantizedDimension = rng.choice(_ODD)
        case 3:
            quantization.scale, quantization.zeroPoint = None, None


def _change_options(options: Any, rng: random.Random) -> None:
    name = rng.choice(sorted(vars(options)) or ["padding"])
    value = getattr(options, name, None)
    if isinstance(value, bool):
        setattr(options, name, not value)
    elif isinstance(value, int):
        setattr(options, name, rng.choice(_ODD))
    elif isinstance(value, float):
        setattr(options, name, rng.choice(_ODD_FLOATS))


def main() -> int:
    """Run as many files as asked for and count how they ended."""
    count = int(sys.argv[1]) if len(sys.argv) > 1 else 20_000
    seed = int(sys.argv[2]) if len(sys.argv) > 2 else 0
    limit_memory()
    ends: dict[str, int] = {}
    for number, content in enumerate(mutants(count, seed)):
        try:
            end = run(content)
        except Exception as error:
            print(f"finding: file {number} of seed {seed}: {type(error).__name__}: {error}")
            raise
        ends[end] = ends.get(end, 0) + 1
    print(", ".join(f"{end} {times:,}" for end, times in sorted(ends.items())))
    return 0


if __name__ == "__main__":
    sys.exit(main())
