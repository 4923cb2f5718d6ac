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
from itertools import chain
from pathlib import Path
from typing import Any

import numpy as np
import random_graphs
import small_models
from kernels import models, movement, unary, weightless
from tflite_builder import Node, Value, build, build_graph

from edgekit import contract, ops
from edgekit.codegen import planner
from edgekit.codegen.generator import render
from edgekit.codegen.views import without_copies
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
    """Return sound models: whole networks, and one of nearly every operator."""
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
        weightless.sub,
        unary.leaky_relu,
        movement.batch_matmul,
        movement.concatenation,
        movement.gather,
        movement.prelu,
        movement.resize_nearest_neighbor,
        movement.slice_,
        movement.split,
        movement.resize_bilinear,
        movement.split_v,
        movement.strided_slice,
        movement.transpose,
    ]
    rng = np.random.default_rng(3)
    whole = [small_models.classifier(), small_models.fully_connected(), *map(random_graphs.graph, range(12))]
    return [*whole, *(make(rng) for make in makers)]


def giants() -> dict[str, bytes]:
    """Return small files that ask for much work or memory, by what they have too much of."""
    act: dict[str, Any] = {"scales": [0.5], "zero_points": [0]}
    many, large = 5000, 1 << 20
    row, whole = Value((1, 8), **act), Value((1, large), **act)
    indices = Value((large,), "int32", data=np.zeros(large, np.int32))
    shape = Value((2,), "int32", data=np.array((1, large), np.int32))
    order = Value((2,), "int32", data=np.array((1, 0), np.int32))
    size = Value((2,), "int32", data=np.array((1 << 25, 1), np.int32))
    pixel = Value((1, 1, 1, 1), **act)
    edges = [Value((1, 8), "float32"), *[row] * 1000, Value((1, 8), "float32")]
    between = [Node("RELU", [i], [i + 1], version=1) for i in range(1, 1000)]
    return {
        "operators": build_graph(
            [Value((1, 8), scales=[0.5 + 1e-5 * i], zero_points=[0]) for i in range(many + 1)],
            [Node("RSQRT", [i], [i + 1], version=1) for i in range(many)],
            [0],
            [many],
        ),
        "copies of a constant": build_graph(
            [row, Value((1, large), **act, data=np.zeros(large, np.int8)), shape, *[whole] * 4000],
            [Node("RESHAPE", [i + 2 if i else 1, 2], [i + 3]) for i in range(4000)],
            [0],
            [4002],
        ),
        "indices": build_graph(
            [row, indices, *[whole] * 2000],
            [Node("GATHER", [0, 1], [i + 2], {"axis": 1}) for i in range(2000)],
            [0],
            [2001],
        ),
        "elements that move": build_graph(
            [Value((1 << 10, 1 << 10), **act), order, *[Value((1 << 10, 1 << 10), **act)] * 3000],
            [Node("TRANSPOSE", [0, 1], [i + 2]) for i in range(3000)],
            [0],
            [3001],
        ),
        "copies that could be free": _copies(300),
        "rows": build("RESIZE_BILINEAR", [pixel, size], [Value((1, 1 << 25, 1, 1), **act)]),
        "means": build(
            "MEAN",
            [Value((1 << 12, 2, 1 << 12, 2), **act), Value((2,), "int32", data=np.array((1, 3), np.int32))],
            [Value((1 << 12, 1 << 12), **act)],
        ),
        "outputs": build_graph(
            edges,
            [Node("QUANTIZE", [0], [1], version=1), *between, Node("DEQUANTIZE", [1000], [1001])],
            [0],
            [1001] * 200_000,
        ),
    }


def _copies(count: int) -> bytes:
    """Return a model with as many slices, of tensors of all sizes, that are joined in another order."""
    act: dict[str, Any] = {"scales": [0.5], "zero_points": [0]}
    rng = np.random.default_rng(1)
    values = [Value((1, 64), **act), *(Value((2,), "int32", data=np.array(v)) for v in ((0, 0), (1, 16)))]
    nodes, source = [], 0
    for _ in range(count):
        size = 16 * int(rng.integers(1, 60))
        at = len(values)
        values += [
            Value((size,), "int32", data=np.zeros(size)),
            Value((1, size), **act),
            Value((1, 16), **act),
        ]
        nodes.append(Node("GATHER", [source, at], [at + 1], {"axis": 1}))
        nodes.append(Node("SLICE", [at + 1, 1, 2], [at + 2]))
        source = at + 1
    parts = [3 * int(i) + 5 for i in rng.permutation(count)]
    nodes.append(Node("CONCATENATION", parts, [len(values)], {"axis": 1}))
    return build_graph([*values, Value((1, 16 * count), **act)], nodes, [0], [len(values)])


def mutants(count: int, seed: int) -> Iterator[bytes]:
    """Return hostile files, the same ones for the same seed."""
    rng = random.Random(seed)
    sound = seeds()
    for number in range(count):
        base = rng.choice(sound)
        yield raw(base, rng) if number % 2 else structured(base, rng)


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
        render(graph, contract.of(graph), without_copies(graph, steps))
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


def raw(base: bytes, rng: random.Random) -> bytes:
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


def structured(base: bytes, rng: random.Random) -> bytes:
    """Return the model with a few fields changed, written anew as a sound FlatBuffer."""
    import flatbuffers
    from ai_edge_litert import schema_py_generated as schema

    builder = flatbuffers.Builder(1024)
    try:
        model = schema.ModelT.InitFromPackedBuf(base, 0)
        for _ in range(rng.randrange(1, 4)):
            _change(model, rng)
        builder.Finish(model.Pack(builder), b"TFL3")
    except Exception:  # it is not sound any more, or the writer refuses some nonsense itself
        return raw(base, rng)
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
    large = giants()
    limit_memory()
    ends: dict[str, int] = {}
    for name, content in chain(large.items(), ((f"file {i}", m) for i, m in enumerate(mutants(count, seed)))):
        try:
            end = run(content)
        except Exception as error:
            print(f"finding: {name} of seed {seed}: {type(error).__name__}: {error}")
            raise
        ends[end] = ends.get(end, 0) + 1
    print(", ".join(f"{end} {times:,}" for end, times in sorted(ends.items())))
    return 0


if __name__ == "__main__":
    sys.exit(main())
