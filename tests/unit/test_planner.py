"""The memory plan: nothing that lives at the same time overlaps, and it is small."""

from collections.abc import Callable
from itertools import combinations
from pathlib import Path

import pytest
import small_models
from hypothesis import given
from hypothesis import strategies as st

from edgekit import ops
from edgekit.codegen.planner import ALIGNMENT, MemoryPlan, plan
from edgekit.graph import tflite
from edgekit.graph.ir import DType, Graph, Tensor
from edgekit.ops.step import Step


def step(inputs: tuple[int, ...], output: int, *, scratch: int = 0, view: bool = False) -> Step:
    return Step(
        ops=(output,),
        kind="RESHAPE" if view else "CONV_2D",
        kernel=None if view else "ek_conv_2d_s8",
        params_type="",
        params={},
        inputs=inputs,
        output=output,
        scratch_bytes=scratch,
    )


def graph_of(sizes: list[int], outputs: tuple[int, ...]) -> Graph:
    tensors = tuple(Tensor(i, f"t{i}", (1, size), DType.INT8) for i, size in enumerate(sizes))
    return Graph("test", tensors, (), (0,), outputs)


def check(graph: Graph, steps: list[Step], memory: MemoryPlan) -> None:
    """Run the steps on symbolic memory: each byte knows who wrote it last, and is checked when read."""
    arena: list[object] = [None] * memory.arena_bytes

    def span(offset: int, size: int) -> range:
        assert offset % ALIGNMENT == 0
        assert offset >= 0
        assert offset + size <= memory.arena_bytes
        return range(offset, offset + size)

    def tensor_span(index: int) -> range:
        return span(memory.offsets[index], graph.tensor(index).size)

    owner = {index: index for index in graph.inputs}
    for index in graph.inputs:
        for byte in tensor_span(index):
            arena[byte] = index
    for number, current in enumerate(steps):
        if current.kernel is None:
            assert memory.offsets[current.output] == memory.offsets[current.inputs[0]]
            owner[current.output] = owner[current.inputs[0]]
            continue
        read = [tensor_span(index) for index in current.inputs]
        for index, place in zip(current.inputs, read, strict=True):
            assert all(arena[byte] == owner[index] for byte in place), f"step {number} reads garbage"
        written = tensor_span(current.output)
        assert not any(set(written) & set(place) for place in read)
        if current.scratch_bytes:
            scratch = span(memory.scratch_offsets[number], current.scratch_bytes)
            assert not set(scratch) & set(written)
            assert not any(set(scratch) & set(place) for place in read)
            for byte in scratch:
                arena[byte] = "scratch"
        owner[current.output] = current.output
        for byte in written:
            arena[byte] = current.output
    for index in graph.outputs:
        assert all(arena[byte] == owner[index] for byte in tensor_span(index)), "the output is overwritten"


@st.composite
def networks(draw: st.DrawFn) -> tuple[Graph, list[Step]]:
    """Return a random graph in which any step may read anything made before, through views too."""
    count = draw(st.integers(1, 12))
    sizes = [draw(st.integers(1, 100))]
    steps = []
    for number in range(count):
        view = draw(st.integers(0, 4)) == 0
        inputs = tuple(sorted(draw(st.sets(st.integers(0, number), min_size=1, max_size=1 if view else 3))))
        sizes.append(sizes[inputs[0]] if view else draw(st.integers(1, 100)))
        scratch = 0 if view else draw(st.sampled_from((0, 0, 1, 40)))
        steps.append(step(inputs, number + 1, scratch=scratch, view=view))
    outputs = {count} | draw(st.sets(st.integers(1, count), max_size=1))
    return graph_of(sizes, tuple(sorted(outputs))), steps


@given(networks())
def test_nothing_alive_is_overwritten(network: tuple[Graph, list[Step]]) -> None:
    graph, steps = network
    memory = plan(graph, steps)
    check(graph, steps, memory)
    for one, other in combinations(memory.storages, 2):
        if one.first <= other.last and other.first <= one.last:
            assert one.offset + one.size <= other.offset or other.offset + other.size <= one.offset
    assert memory.lower_bound <= memory.arena_bytes
    assert memory.arena_bytes % ALIGNMENT == 0
    assert plan(graph, steps) == memory


def test_a_chain_needs_two_neighbours() -> None:
    graph = graph_of([160, 320, 160, 32], (3,))
    memory = plan(graph, [step((0,), 1), step((1,), 2), step((2,), 3)])
    assert memory.arena_bytes == 480
    assert memory.peak_step == 0
    assert [s.name for s in memory.alive(0)] == ["t1", "t0"]
    assert [memory.live_bytes(i) for i in range(3)] == [480, 480, 192]


def test_a_residual_keeps_its_source() -> None:
    graph = graph_of([16, 64, 64, 64], (3,))
    assert plan(graph, [step((0,), 1), step((1,), 2), step((1, 2), 3)]).arena_bytes == 192


def test_scratch_lives_for_one_step() -> None:
    graph = graph_of([16, 16, 16], (2,))
    memory = plan(graph, [step((0,), 1, scratch=100), step((1,), 2, scratch=50)])
    assert memory.arena_bytes == 16 + 16 + 112
    assert set(memory.scratch_offsets) == {0, 1}


def test_an_output_that_shows_the_input() -> None:
    graph = graph_of([16, 16], (1,))
    memory = plan(graph, [step((0,), 1, view=True)])
    assert (memory.arena_bytes, memory.offsets) == (16, {0: 0, 1: 0})


@pytest.mark.parametrize(
    ("steps", "message"),
    [
        ([step((1,), 2)], "reads tensor 1"),
        ([step((0,), 1), step((1,), 1)], "a second time"),
        ([step((0,), 1)], "output 2"),
    ],
)
def test_steps_that_contradict_themselves(steps: list[Step], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        plan(graph_of([16, 16, 16], (2,)), steps)


def test_small_classifier() -> None:
    graph = tflite.parse(small_models.classifier())
    steps = ops.lower(graph)
    memory = plan(graph, steps)
    check(graph, list(steps), memory)
    assert memory.arena_bytes == memory.lower_bound


@pytest.mark.parametrize(
    ("name", "limit"),
    # Without in-place and overlap. tflite-micro with CMSIS-NN needs 55,028 and 100,772 bytes.
    [("ic01_resnet8_int8", 49_440), ("vww01_mobilenetv1_025_96_int8", 55_296)],
)
def test_public_models(anchor: Callable[[str], Path], name: str, limit: int) -> None:
    graph = tflite.read(anchor(name))
    steps = ops.lower(graph)
    memory = plan(graph, steps)
    check(graph, list(steps), memory)
    assert memory.lower_bound == memory.arena_bytes
    assert memory.arena_bytes <= limit
