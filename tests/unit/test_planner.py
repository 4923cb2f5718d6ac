"""The memory plan: nothing that lives at the same time overlaps, and it is small."""

import random
from collections.abc import Callable, Sequence
from dataclasses import replace
from itertools import chain, combinations, permutations
from pathlib import Path

import pytest
import small_models
from hypothesis import given, settings
from hypothesis import strategies as st

from edgekit import ops
from edgekit.codegen import _placement, planner, views
from edgekit.codegen.planner import ALIGNMENT, MemoryPlan, plan
from edgekit.codegen.storage import lifetimes
from edgekit.codegen.views import without_copies
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


def check(graph: Graph, steps: Sequence[Step], memory: MemoryPlan, copies: Sequence[Step] = ()) -> None:
    """Run the steps on symbolic memory: each byte knows who wrote it last, and is checked when read.

    With `copies`, the same steps before copies were made free, each output must be what those make of it.
    """
    arena: list[object] = [None] * memory.arena_bytes
    contents: dict[int, list[object]] = {}
    assert all(s.offset % ALIGNMENT == 0 for s in memory.storages)

    def span(offset: int, size: int) -> range:
        assert offset >= 0
        assert offset + size <= memory.arena_bytes
        return range(offset, offset + size)

    def tensor_span(index: int) -> range:
        return span(memory.offsets[index], graph.tensor(index).size)

    def write(index: int, values: list[object]) -> None:
        contents[index] = values
        for byte, value in zip(tensor_span(index), values, strict=True):
            arena[byte] = value

    def expect(index: int, problem: str) -> None:
        assert [arena[byte] for byte in tensor_span(index)] == contents[index], problem

    for index in graph.inputs:
        write(index, [(index, byte) for byte in range(graph.tensor(index).size)])
    for number, (current, copy) in enumerate(zip(steps, copies or steps, strict=True)):
        read = [tensor_span(index) for index in current.inputs]
        for index in current.inputs:
            expect(index, f"step {number} reads garbage")
        written = tensor_span(current.output)
        made = copied(graph, copy, contents)
        if current.kernel is None:
            assert made is not None
            contents[current.output] = made
            expect(current.output, f"step {number} shows something else")
            continue
        check_overlaps(current, written, read)
        if current.scratch_bytes:
            scratch = span(memory.scratch_offsets[number], current.scratch_bytes)
            assert not set(scratch) & set(chain(written, *read))
            arena[scratch.start : scratch.stop] = ["scratch"] * len(scratch)
        write(current.output, made or [(current.output, byte) for byte in range(len(written))])
    for index in graph.outputs:
        expect(index, "the output is overwritten")


def copied(graph: Graph, copy: Step, contents: dict[int, list[object]]) -> list[object] | None:
    """Return the bytes that a view, slice or concatenation makes of its inputs'; None if it computes."""
    if copy.kernel == "ek_strided_copy_s8":
        start = copy.params["start"]
        assert isinstance(start, int)
        return contents[copy.inputs[0]][start : start + graph.tensor(copy.output).size]
    if copy.kernel in (None, "ek_concatenation_s8"):
        return [value for index in copy.inputs for value in contents[index]]
    return None


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


def run_of_bytes(source: int, output: int, start: int, size: int) -> Step:
    """Return the copy of a slice, as the operators lower it."""
    params = {"start": start, "size": (1, 1, 1, 1, 1, size), "stride": (0, 0, 0, 0, 0, 1)}
    copy = replace(step((source,), output, overlaps=(-start,)), kind="SLICE", kernel="ek_strided_copy_s8")
    return replace(copy, params=params)


def concatenation(inputs: tuple[int, ...], output: int) -> Step:
    """Return the copy of several tensors into one, as the operator lowers it."""
    params = {"outer": 1, "constants": 0}
    copy = replace(step(inputs, output), kind="CONCATENATION", kernel="ek_concatenation_s8", params=params)
    return replace(copy, gathered=True)


@st.composite
def copying_networks(draw: st.DrawFn) -> tuple[Graph, list[Step]]:
    """Return a random graph of kernels, views, slices and concatenations of anything made before."""
    sizes = [draw(st.integers(1, 60))]
    steps: list[Step] = []

    def add(size: int, made: Step) -> None:
        sizes.append(size)
        steps.append(made)

    def before() -> int:
        newest = len(sizes) - 1
        return draw(st.integers(max(0, newest - 2), newest) | st.integers(0, newest))

    def kernel() -> None:
        inputs = tuple(sorted({before() for _ in range(draw(st.integers(1, 2)))}))
        claims = tuple(draw(st.none() | st.integers(-60, 60)) for _ in inputs)
        scratch = draw(st.sampled_from((0, 0, 40)))
        size = draw(st.integers(1, 60))
        add(size, step(inputs, len(sizes), scratch=scratch, overlaps=claims))

    def cut() -> None:
        source = before()
        start = draw(st.integers(0, sizes[source] - 1))
        size = draw(st.integers(1, sizes[source] - start))
        add(size, run_of_bytes(source, len(sizes), start, size))

    def join(parts: tuple[int, ...]) -> None:
        add(sum(sizes[part] for part in parts), concatenation(parts, len(sizes)))

    for _ in range(draw(st.integers(1, 6))):
        match draw(st.sampled_from(("kernel", "view", "cut", "join", "heads", "heads"))):
            case "kernel":
                kernel()
            case "view":
                source = before()
                add(sizes[source], step((source,), len(sizes), view=True))
            case "cut":
                cut()
            case "join":
                join(tuple(before() for _ in range(draw(st.integers(1, 3)))))
            case _:
                first, count = len(sizes), draw(st.integers(2, 4))
                for _ in range(count):
                    (kernel if draw(st.integers(0, 4)) else cut)()
                join(tuple(draw(st.permutations(range(first, first + count)))[: draw(st.integers(2, count))]))
                kernel()
    count = len(steps)
    outputs = {count} | draw(st.sets(st.integers(1, count), max_size=1))
    return graph_of(sizes, tuple(sorted(outputs))), steps


@settings(max_examples=400, deadline=None)
@given(copying_networks(), st.data())
def test_free_copies_show_what_the_copies_made(
    network: tuple[Graph, list[Step]], data: st.DataObject
) -> None:
    graph, copies = network
    aligned = data.draw(st.sets(st.integers(0, len(copies) - 1), max_size=3))
    copies = [replace(step, alignment=ALIGNMENT if n in aligned else 1) for n, step in enumerate(copies)]
    steps = without_copies(graph, copies)
    memory = plan(graph, steps)
    assert memory.arena_bytes <= plan(graph, copies).arena_bytes
    check(graph, steps, memory, copies)
    every = tuple(copies)
    for number, copy in enumerate(copies):
        if copy.kind in ("SLICE", "CONCATENATION"):
            every = views._freed(graph, every, number)
    memory = plan(graph, every)  # however much memory it takes
    assert memory.lower_bound <= memory.arena_bytes
    check(graph, every, memory, copies)
    for number in aligned:
        if every[number].kernel is not None:
            touched = (*every[number].inputs, every[number].output)
            assert all(memory.offsets[index] % ALIGNMENT == 0 for index in touched)


def free(graph: Graph, copies: list[Step], aligned: tuple[int, ...] = ()) -> list[int]:
    """Return the numbers of the copies that are made free, where some steps want aligned bytes."""
    copies = [replace(step, alignment=ALIGNMENT if n in aligned else 1) for n, step in enumerate(copies)]
    steps = without_copies(graph, copies)
    check(graph, steps, plan(graph, steps), copies)
    return [number for number, (old, new) in enumerate(zip(copies, steps, strict=True)) if old != new]


def test_parts_are_written_into_their_whole() -> None:
    graph = graph_of([10, 20, 30, 50, 1], (4,))
    copies = [step((0,), 1), step((0,), 2), concatenation((1, 2), 3), step((3,), 4)]
    assert free(graph, copies) == [2]
    memory = plan(graph, without_copies(graph, copies))
    assert memory.offsets[2] == memory.offsets[1] + 20
    assert memory.arena_bytes == 16 + 64  # 96 + 64 with the copy
    assert [s.name for s in memory.alive(0)] == ["t3", "t0"]


def test_a_part_of_a_part_is_written_into_the_whole() -> None:
    graph = graph_of([10, 20, 30, 50, 7, 57, 1], (6,))
    copies = [step((0,), 1), step((0,), 2), concatenation((1, 2), 3), step((0,), 4)]
    copies += [concatenation((4, 3), 5), step((5,), 6)]
    assert free(graph, copies) == [2, 4]


def test_an_aligned_kernel_gets_aligned_bytes() -> None:
    graph = graph_of([10, 20, 30, 50, 1], (4,))
    copies = [step((0,), 1), step((0,), 2), concatenation((1, 2), 3), step((3,), 4)]
    assert free(graph, copies, aligned=(0, 3)) == [2]
    assert free(graph, copies, aligned=(1,)) == []
    slices = [run_of_bytes(0, 1, 3, 5), step((1,), 2)]
    assert free(graph_of([10, 5, 1], (2,)), slices) == [0]
    assert free(graph_of([10, 5, 1], (2,)), slices, aligned=(1,)) == []


@pytest.mark.parametrize(
    ("parts", "outputs"),
    [
        ((1, 1), (4,)),  # one tensor at two places
        ((0, 1), (4,)),  # the model's input
        ((1, 2), (1, 4)),  # a result of the model
    ],
)
def test_some_concatenations_stay_copies(parts: tuple[int, ...], outputs: tuple[int, ...]) -> None:
    graph = graph_of([16, 16, 16, 32, 1], outputs)
    copies = [step((0,), 1), step((0,), 2), concatenation(parts, 3), step((3,), 4)]
    assert free(graph, copies) == []


def test_a_tensor_is_part_of_one_whole_only() -> None:
    graph = graph_of([16, 16, 16, 32, 32, 1], (5,))
    copies = [step((0,), 1), step((0,), 2), concatenation((1, 2), 3), concatenation((2, 1), 4)]
    assert free(graph, [*copies, step((3, 4), 5)]) == [2]


def test_half_of_a_tensor_is_no_part() -> None:
    graph = graph_of([16, 32, 16, 16, 32, 1], (5,))
    copies = [step((0,), 1), run_of_bytes(1, 2, 0, 16), run_of_bytes(1, 3, 16, 16)]
    assert 3 not in free(graph, [*copies, concatenation((3, 2), 4), step((4,), 5)])


def test_a_slice_of_much_that_waits_stays_a_copy() -> None:
    """As a view it would keep 1600 bytes while the branch needs another 1600."""
    graph = graph_of([16, 1600, 16, 16, 1600, 16], (5,))
    copies = [step((0,), 1), run_of_bytes(1, 2, 0, 16), step((0,), 3), step((3,), 4), step((2, 4), 5)]
    assert free(graph, copies) == []
    # What else there is to free is freed.
    graph = graph_of([16, 1600, 16, 16, 1600, 16, 8], (6,))
    assert free(graph, [*copies, run_of_bytes(5, 6, 4, 8)]) == [5]


def test_what_reads_a_part_may_be_overwritten_from_there() -> None:
    graph = graph_of([64, 160, 32, 160], (3,))
    copies = [step((0,), 1), run_of_bytes(1, 2, 96, 32), step((2,), 3, overlaps=(96,))]
    assert free(graph, copies) == [1]
    steps = without_copies(graph, copies)
    assert plan(graph, steps).arena_bytes == 64 + 160
    for distance, apart in ((96, 0), (97, 16), (0, -96), (160, 64)):
        steps = (*steps[:2], replace(steps[2], overlaps=(distance,)))
        assert planner._overlaps(graph, steps, lifetimes(graph, steps))[1, 2] == apart


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
    storages = lifetimes(graph, steps)
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
