"""What `edgekit inspect` shows: work, weights and memory of a model, layer by layer, as plain data.

A model that edgekit cannot run (float, unsupported operators) is shown too, without the memory plan, and with
the reason.
"""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

from edgekit import contract
from edgekit.board import Board, Runtime
from edgekit.codegen import budget, runtimes
from edgekit.codegen.budget import Budget
from edgekit.codegen.generator import generate
from edgekit.codegen.planner import MemoryPlan
from edgekit.errors import DoesNotFitError, ModelError
from edgekit.graph import tflite
from edgekit.graph.edges import int8_core
from edgekit.graph.ir import Graph
from edgekit.ops.step import Step


@dataclass(frozen=True, slots=True)
class Layer:
    """One step, or one operator where the model cannot be lowered to steps."""

    index: int
    kind: str
    name: str
    """Name of the tensor that the layer makes."""
    input_shapes: tuple[tuple[int, ...], ...]
    output_shape: tuple[int, ...]
    macs: int
    weight_bytes: int
    live_bytes: int
    """What must be in memory during this layer: everything that is read now or later, and scratch."""
    scratch_bytes: int


@dataclass(frozen=True, slots=True)
class LiveTensor:
    """Something that is in memory at the busiest step."""

    name: str
    bytes: int


@dataclass(frozen=True, slots=True)
class Place:
    """One range of the arena and the layers during which its content matters."""

    name: str
    offset: int
    bytes: int
    first: int
    last: int
    scratch: bool


@dataclass(frozen=True, slots=True)
class Memory:
    """The memory plan: where everything lies, and what it could not go below."""

    arena_bytes: int
    needs: tuple[int, ...]
    """By layer, the least arena that it allows, its output lying over its input as far as it may."""
    bottleneck: int
    """The first layer that needs the most."""
    largest_live_bytes: int
    """The largest sum of all that is alive during one layer, as if nothing could overlap."""
    places: tuple[Place, ...]
    """In the order of their first layer, then of their place."""

    def to_dict(self) -> dict[str, Any]:
        """Return the plain data for JSON."""
        return asdict(self) | {"lower_bound": max(self.needs, default=0)}


@dataclass(frozen=True, slots=True)
class Inspection:
    """A model's figures. `arena_bytes`, `peak_step` and `peak` are None and empty without a memory plan."""

    name: str
    input_shape: tuple[int, ...]
    output_shape: tuple[int, ...]
    input_dtype: str
    output_dtype: str
    layers: tuple[Layer, ...]
    ops: dict[str, int]
    """Number of the graph's operators by kind."""
    macs: int
    weight_bytes: int
    arena_bytes: int | None
    peak_step: int | None
    peak: tuple[LiveTensor, ...]
    """What is in memory at the busiest step, the largest first."""
    memory: Memory | None
    budgets: tuple[Budget, ...]
    tflm: Mapping[str, Mapping[str, Any]]
    """By board, what TensorFlow Lite Micro makes of the model there, or why it cannot: `problem`."""
    problem: str
    """Why edgekit's own C cannot run the model; empty if it can."""

    def to_dict(self) -> dict[str, Any]:
        """Return the plain data for JSON."""
        return {
            "name": self.name,
            "input": {"shape": list(self.input_shape), "dtype": self.input_dtype},
            "output": {"shape": list(self.output_shape), "dtype": self.output_dtype},
            "arena_bytes": self.arena_bytes,
            "weight_bytes": self.weight_bytes,
            "macs": self.macs,
            "ops": self.ops,
            "layers": [_layer_dict(layer) for layer in self.layers],
            "peak": None
            if self.peak_step is None
            else {
                "step": self.peak_step,
                "bytes": sum(live.bytes for live in self.peak),
                "tensors": [asdict(live) for live in self.peak],
            },
            "memory": self.memory.to_dict() if self.memory else None,
            "boards": [need.to_dict() for need in self.budgets],
            "tflm": {board_id: dict(report) for board_id, report in self.tflm.items()},
            "problem": self.problem or None,
        }


def inspect(path: Path, boards: Sequence[Board]) -> Inspection:
    """Return a model's figures, and its needs against each board; a model that cannot run is shown too.

    Raises:
        ModelError: the file is no .tflite that can be read.
    """
    content = tflite.read_bytes(path)
    graph = int8_core(tflite.parse_file(content, path))
    budgets, reports = [], {}
    for board in (one for one in boards if one.build.runtime is Runtime.TFLM):
        try:
            made = runtimes.generate(content, graph, contract.of(graph), board)
        except (ModelError, DoesNotFitError) as error:
            reports[board.id] = {"problem": error.message}
        else:
            reports[board.id] = dict(made.report)
            budgets.append(budget.estimate(made, board))
    try:
        generated = generate(graph, contract.of(graph))
    except ModelError as error:
        return of_operators(graph, error.message, budgets, reports)
    assert generated.plan is not None
    compiled = (one for one in boards if one.build.runtime is Runtime.COMPILED)
    budgets += [budget.estimate(generated, board) for board in compiled]
    return of_steps(graph, generated.steps, generated.plan, budgets, reports)


def of_steps(
    graph: Graph,
    steps: Sequence[Step],
    plan: MemoryPlan,
    budgets: Sequence[Budget] = (),
    tflm: Mapping[str, Mapping[str, Any]] | None = None,
) -> Inspection:
    """Return the figures of a model that has been lowered to `steps` and planned.

    Args:
        graph: the model.
        steps: its kernel calls.
        plan: their memory.
        budgets: needs against boards.
        tflm: reports of the runtime tflm, by board.
    """
    layers = tuple(
        Layer(
            index=number,
            kind=step.kind,
            name=graph.tensor(step.output).name,
            input_shapes=tuple(graph.tensor(index).shape for index in step.inputs),
            output_shape=graph.tensor(step.output).shape,
            macs=step.macs,
            weight_bytes=sum(constant.size for constant in step.constants),
            live_bytes=plan.live_bytes(number),
            scratch_bytes=step.scratch_bytes,
        )
        for number, step in enumerate(steps)
    )
    return replace(
        _without_plan(graph, layers, budgets, tflm),
        arena_bytes=plan.arena_bytes,
        peak_step=plan.peak_step,
        peak=tuple(LiveTensor(s.name, s.size) for s in plan.alive(plan.peak_step)),
        memory=_memory(plan),
    )


def _memory(plan: MemoryPlan) -> Memory:
    return Memory(
        arena_bytes=plan.arena_bytes,
        needs=plan.needs,
        bottleneck=plan.bottleneck_step,
        largest_live_bytes=plan.largest_live,
        places=tuple(
            Place(s.name, s.offset, s.size, s.first, s.last, scratch=not s.tensors) for s in plan.storages
        ),
    )


def of_operators(
    graph: Graph,
    problem: str,
    budgets: Sequence[Budget] = (),
    tflm: Mapping[str, Mapping[str, Any]] | None = None,
) -> Inspection:
    """Return what can be said of a model that edgekit's C cannot run: its operators, shapes and constants.

    Args:
        graph: any readable model.
        problem: why it cannot be run, in a sentence.
        budgets: needs against boards whose runtime can run it.
        tflm: reports of the runtime tflm, by board.
    """
    layers = []
    for op in graph.ops:
        tensors = [graph.tensor(index) for index in op.inputs if index >= 0]
        made = graph.tensor(op.outputs[0]) if op.outputs else None
        layers.append(
            Layer(
                index=op.index,
                kind=op.kind,
                name=made.name if made else "",
                input_shapes=tuple(tensor.shape for tensor in tensors if not tensor.is_constant),
                output_shape=made.shape if made else (),
                macs=0,
                weight_bytes=sum(tensor.size for tensor in tensors if tensor.is_constant),
                live_bytes=0,
                scratch_bytes=0,
            )
        )
    return replace(_without_plan(graph, layers, budgets, tflm), problem=problem)


def _without_plan(
    graph: Graph,
    layers: Sequence[Layer],
    budgets: Sequence[Budget],
    tflm: Mapping[str, Mapping[str, Any]] | None,
) -> Inspection:
    sources = [graph.tensor(index) for index in graph.inputs]
    targets = [graph.tensor(index) for index in graph.outputs]
    return Inspection(
        name=graph.name,
        input_shape=sources[0].shape if sources else (),
        output_shape=targets[0].shape if targets else (),
        input_dtype=sources[0].dtype.value if sources else "",
        output_dtype=targets[0].dtype.value if targets else "",
        layers=tuple(layers),
        ops=dict(sorted(Counter(op.kind for op in graph.ops).items())),
        macs=sum(layer.macs for layer in layers),
        weight_bytes=sum(layer.weight_bytes for layer in layers),
        arena_bytes=None,
        peak_step=None,
        peak=(),
        memory=None,
        budgets=tuple(budgets),
        tflm=tflm or {},
        problem="",
    )


def _layer_dict(layer: Layer) -> dict[str, Any]:
    fields = asdict(layer)
    return fields | {"inputs": list(fields.pop("input_shapes")), "output": list(fields.pop("output_shape"))}
