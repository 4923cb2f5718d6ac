"""The memory plan: nothing that lives at the same time overlaps, and it is small."""

import random
from collections.abc import Callable, Sequence
from itertools import combinations, permutations
from pathlib import Path

import pytest
import small_models
from hypothesis import given
from hypothesis import strategies as st

from edgekit import ops
from edgekit.codegen import _placement, planner
from edgekit.codegen.planner import ALIGNMENT, MemoryPlan, plan
from edgekit.graph import tflite
from edgekit.graph.ir import DType, Graph, Tensor
from edgekit.ops.step import Step


def step(
    inputs: tuple[int, ...],
    output: int,
    *,
    scratch: int = 0,
    view: bool = False,
    overlaps: tuple[int | None, ...] = (),
) -> Step:
    return Step(
        ops=(output,),
        kind="RESHAPE" if view else "CONV_2D",
        kernel=None if view else "ek_conv_2d_s8",
        params_type="",
        params={},
        inputs=inputs,
        output=output,
        scratch_bytes=scratch,
        overlaps=overlaps,
    )


def graph_of(sizes: list[int], outputs: tuple[int, ...]) -> Graph:
    tensors = tuple(Tensor(i, f"t{i}", (1, size), DType.INT8) for i, size in enumerate(sizes))
    return Graph("test", tensors, (), (0,), outputs)


def check_overlaps(current: Step, written: range, read: list[range]) -> None:
    for place, distance in zip(read, current.overlaps or (None,) * len(read), strict=True):
        if set(written) & set(place):
            assert distance is not None
            assert place.start >= written.start + distance


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
        check_overlaps(current, written, read)
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
        inputs *= 1 if view else draw(st.sampled_from((1, 1, 1, 2)))
        claim = st.one_of(st.none(), st.just(0), st.integers(-120, 120))
        overlaps = tuple(draw(claim) for _ in inputs) if not view and draw(st.booleans()) else ()
        steps.append(step(inputs, number + 1, scratch=scratch, view=view, overlaps=overlaps))
    outputs = {count} | draw(st.sets(st.integers(1, count), max_size=1))
    return graph_of(sizes, tuple(sorted(outputs))), steps


@given(networks())
def test_nothing_alive_is_overwritten(network: tuple[Graph, list[Step]]) -> None:
    graph, steps = network
    memory = plan(graph, steps)
    check(graph, steps, memory)
    for one, other in combinations(memory.storages, 2):
        meet = one.last == other.first or other.last == one.first  # perhaps a step's input and output
        if one.first <= other.last and other.first <= one.last and not meet:
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


def test_an_element_wise_chain_needs_one_place() -> None:
    graph = graph_of([160, 160, 160], (2,))
    memory = plan(graph, [step((0,), 1, overlaps=(0,)), step((1,), 2, overlaps=(0,))])
    assert (memory.arena_bytes, memory.lower_bound, memory.largest_live) == (160, 160, 320)


def test_an_output_grows_behind_what_is_read() -> None:
    """An output of 320 over an input of 160 that must begin 176 behind it: 336 bytes hold both."""
    graph = graph_of([160, 320, 16], (2,))
    memory = plan(graph, [step((0,), 1, overlaps=(170,)), step((1,), 2)])
    assert (memory.arena_bytes, memory.lower_bound, memory.bottleneck_step) == (336, 336, 0)
    assert memory.offsets[0] - memory.offsets[1] == 176


def test_what_is_read_again_is_not_overwritten() -> None:
    graph = graph_of([160, 160, 160], (2,))
    memory = plan(graph, [step((0,), 1, overlaps=(0,)), step((0, 1), 2, overlaps=(None, None))])
    assert memory.arena_bytes == 480


def test_a_view_that_is_read_again_is_not_overwritten() -> None:
    graph = graph_of([160, 160, 160, 160], (3,))
    steps = [step((0,), 1, view=True), step((0,), 2, overlaps=(0,)), step((1, 2), 3, overlaps=(0, 0))]
    memory = plan(graph, steps)
    check(graph, steps, memory)
    assert memory.arena_bytes == 320


def test_an_input_that_is_a_result_is_not_overwritten() -> None:
    graph = graph_of([160, 160, 160], (1, 2))
    memory = plan(graph, [step((0,), 1, overlaps=(0,)), step((1,), 2, overlaps=(0,))])
    assert memory.arena_bytes == 320


def test_a_tensor_read_twice_must_allow_it_twice() -> None:
    graph = graph_of([160, 160], (1,))
    assert plan(graph, [step((0, 0), 1, overlaps=(0, 0))]).arena_bytes == 160
    assert plan(graph, [step((0, 0), 1, overlaps=(0, None))]).arena_bytes == 320
    assert plan(graph, [step((0, 0), 1, overlaps=(0, 32))]).arena_bytes == 192


def test_a_plan_of_500_steps_is_bounded_work(monkeypatch: pytest.MonkeyPatch) -> None:
    """Effort is counted in rules looked at: time would differ from machine to machine."""
    chance = random.Random(3)
    sizes = [chance.randint(100, 20_000) for _ in range(501)]
    steps = []
    for number in range(500):
        inputs = {number, max(0, number - chance.randint(0, 12))}
        overlaps = tuple(chance.choice((None, 0, 512)) for _ in inputs)
        steps.append(step(tuple(sorted(inputs)), number + 1, scratch=number % 3 * 100, overlaps=overlaps))
    looked_at = 0
    first_fit = _placement._first_fit

    def counted(problem: _placement.Problem, order: Sequence[int]) -> tuple[list[int], int]:
        nonlocal looked_at
        starts, spent = first_fit(problem, order)
        looked_at += spent
        return starts, spent

    monkeypatch.setattr(_placement, "_first_fit", counted)
    graph = graph_of(sizes, (500,))
    memory = plan(graph, steps)
    check(graph, steps, memory)
    assert looked_at < 1_000_000
    assert memory.arena_bytes <= 1.1 * memory.lower_bound


def test_a_chain_goes_down_like_stairs() -> None:
    """Each output must begin 528 bytes before its input: eight steps need eight times that."""
    count = 8
    graph = graph_of([16_384] * (count + 1), (count,))
    memory = plan(graph, [step((i,), i + 1, overlaps=(528,)) for i in range(count)])
    assert memory.arena_bytes == 16_384 + count * 528


@pytest.mark.parametrize("seed", range(40))
def test_small_plans_are_as_good_as_any_order_of_first_fit(seed: int) -> None:
    chance = random.Random(seed)
    count = 5
    steps = []
    for number in range(count):
        inputs = tuple(sorted({number, max(0, number - chance.randint(0, 3))}))
        overlaps = tuple(chance.choice((None, 0, 16, 48, -32)) for _ in inputs)
        steps.append(step(inputs, number + 1, overlaps=overlaps))
    graph = graph_of([16 * chance.randint(1, 12) for _ in range(count + 1)], (count,))
    storages = planner._lifetimes(graph, steps)
    problem = planner._problem(storages, planner._overlaps(graph, steps, storages))
    assert problem is not None
    best = 1 << 30
    for order in permutations(range(count + 1)):
        for turned in (problem, _placement._mirror(problem)):
            starts, _ = _placement._first_fit(turned, order)
            best = min(best, max(s + size for s, size in zip(starts, problem.sizes, strict=True)))
    assert plan(graph, steps).arena_bytes <= best


def test_a_graph_with_too_much_alive_shares_nothing() -> None:
    """A hostile graph of many steps, each of whose outputs is read at the end, is planned in no time."""
    count = 1500
    graph = graph_of([16] * (count + 1), (count,))
    steps = [step((i,), i + 1, overlaps=(0,)) for i in range(count - 1)]
    steps.append(step(tuple(range(count)), count))
    memory = plan(graph, steps)
    check(graph, steps, memory)
    assert memory.arena_bytes == 16 * (count + 1)


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
    # tflite-micro with CMSIS-NN needs 55,028 and 100,772 bytes.
    [("ic01_resnet8_int8", 34_000), ("vww01_mobilenetv1_025_96_int8", 37_500)],
)
def test_public_models(anchor: Callable[[str], Path], name: str, limit: int) -> None:
    graph = tflite.read(anchor(name))
    steps = ops.lower(graph)
    memory = plan(graph, steps)
    check(graph, list(steps), memory)
    assert memory.lower_bound == memory.arena_bytes
    assert memory.arena_bytes <= limit
