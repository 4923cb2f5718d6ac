"""Every folder of kernels, where it can run, against LiteRT's reference and at what its steps claim.

A folder of runtime/src takes part by itself. It runs on this machine under the sanitizers if it is portable,
or if tests/sdk/<folder>/ has functions of our own in the place of a vendor's library; and on each emulated
board whose file names it.
"""

import re
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from kernels import esp_nn, runner
from kernels.cases import CASES, KINDS, SPLITS, case, rng_of

from edgekit import board, contract, ops
from edgekit.codegen.generator import generate
from edgekit.emulator import ending
from edgekit.graph import tflite
from edgekit.ops.step import PORTABLE, Step

FOLDERS = sorted(path.name for path in (runner.RUNTIME / "src").iterdir() if path.is_dir())
EMULATED = [name for name in board.list_ids() if ending.in_qemu(board.load(name))]
TOLERANCES = {("esp_nn", "SOFTMAX"): 1, ("esp_nn", "FULLY_CONNECTED"): 1}
"""By how much a folder's results may differ: docs/reference/kernels.md says why."""
HOSTED = 50
"""Models of an operator on this machine; of the portable kernels, as many as CASES says."""
ON_BOARD = 6
DISTANT = 100
FRAMES = 4
ARENAS = {"ic01_resnet8_int8": 33_872, "vww01_mobilenetv1_025_96_int8": 37_120}


def claims(step: Step) -> list[tuple[int, int]]:
    """Return (place of the input, distance) for all claims of a step."""
    return [(place, d) for place, d in enumerate(step.overlaps) if d is not None]


def is_hosted(folder: str) -> bool:
    return folder == PORTABLE or (Path(__file__).parents[1] / "sdk" / folder).is_dir()


def boards_of(folder: str) -> list[str]:
    return [name for name in EMULATED if folder in board.load(name).build.kernels]


HOSTED_KINDS = [(folder, kind) for folder in FOLDERS if is_hosted(folder) for kind in KINDS]
BOARDS = [(folder, name) for folder in FOLDERS for name in boards_of(folder)]


@pytest.fixture(scope="module")
def hosted(tmp_path_factory: pytest.TempPathFactory) -> dict[str, runner.Variant]:
    """Return by folder what its kernels are compiled with on this machine."""
    return {
        folder: runner.Variant()
        if folder == PORTABLE
        else esp_nn.stand_in(tmp_path_factory.mktemp(folder))  # the one library there is
        for folder in FOLDERS
        if is_hosted(folder)
    }


def cases_of(folder: str, kind: str, rng: np.random.Generator, count: int) -> list[runner.Case]:
    """Return random cases that the folder's kernels take; of an operator that it has none for, no case."""
    found: list[runner.Case] = []
    for tried in range(60 * count):
        item = case(kind, rng)
        step = runner.lower(item.model, folder)
        if step.kernel is None or step.folder == folder:
            found.append(item)
        if len(found) == count or (tried == 3 * count and not found):
            break
    return found


def shifts_for(items: list[runner.Case], folder: str, rng: np.random.Generator) -> list[int]:
    """Return places that are not aligned, of the kernels that take any."""
    steps = [runner.lower(item.model, folder, item.output) for item in items]
    return [int(rng.integers(1 << 32)) if step.alignment == 1 else 0 for step in steps]


def differing(items: list[runner.Case], outputs: list[runner.Array], most: int) -> list[str]:
    """Return a line for each case of which a result differs from the reference by more than `most`."""
    pairs = zip(items, map(runner.reference, items), outputs, strict=True)
    worst = [(item, int(np.abs(right.astype(int) - made.astype(int)).max())) for item, right, made in pairs]
    return [
        f"case {n}, {tflite.parse(item.model).ops[0].kind}: by {by}"
        for n, (item, by) in enumerate(worst)
        if by > most
    ]


@pytest.mark.parametrize(("folder", "kind"), HOSTED_KINDS)
def test_a_kernel_equals_the_reference(
    folder: str, kind: str, hosted: dict[str, runner.Variant], tmp_path: Path
) -> None:
    rng = rng_of(kind)
    count = CASES[kind][0] if folder == PORTABLE and kind in CASES else HOSTED
    items = cases_of(folder, kind, rng, count)
    if not items:
        assert folder != PORTABLE
        return
    if kind in SPLITS:
        items = [
            runner.Case(item.model, item.frames, "", part)
            for item in items
            for part in range(len(tflite.parse(item.model).outputs))
        ]
    shifts = shifts_for(items, folder, rng)
    outputs = runner.run(items, tmp_path, {}, variant=hosted[folder], shifts=shifts)
    assert differing(items, outputs, TOLERANCES.get((folder, kind), 0)) == []


@pytest.mark.parametrize(("folder", "kind"), [(f, k) for f, k in HOSTED_KINDS if k in CASES])
def test_a_kernel_works_at_the_distances_that_its_step_states(
    folder: str, kind: str, hosted: dict[str, runner.Variant], tmp_path: Path
) -> None:
    items, places = at_distances(folder, kind, DISTANT)
    if folder == PORTABLE:
        assert items, "every portable kernel claims something"
    (tmp_path / "apart").mkdir()
    (tmp_path / "over").mkdir()
    apart = runner.run(items, tmp_path / "apart", {}, variant=hosted[folder])
    over = runner.run(items, tmp_path / "over", {}, places, variant=hosted[folder])
    for number, (expected, made) in enumerate(zip(apart, over, strict=True)):
        assert np.array_equal(expected, made), f"case {number}: {runner.lower(items[number].model, folder)}"


def at_distances(folder: str, kind: str, models: int) -> tuple[list[runner.Case], list[list[runner.Layout]]]:
    """Return cases with an input at the distance that the step states, further behind, and further still."""
    rng = rng_of(kind, 1)
    items, places = [], []
    for item in cases_of(folder, kind, rng, models):
        step = runner.lower(item.model, folder)
        assert len(step.overlaps) in (0, len(step.inputs))
        for which, distance in claims(step):
            frames = runner.frames_for(item.model, rng, FRAMES)
            items.append(runner.Case(item.model, [frame for frame in frames for _ in range(3)], ""))
            further = [distance, distance + int(rng.integers(1, 40)), distance + int(rng.integers(40, 400))]
            places.append([layout(step, which, d) for d in further] * FRAMES)
    return items, places


def layout(step: Step, which: int, distance: int) -> runner.Layout:
    """Return the layout in which one input lies at a distance, and the others elsewhere."""
    return tuple(distance if place == which else None for place in range(len(step.inputs)))


@pytest.mark.parametrize(("folder", "name"), BOARDS)
def test_kernels_on_their_own_processor(folder: str, name: str, tmp_path: Path) -> None:
    """Each operator apart, anywhere in memory, and over its input: one image of all of them."""
    items: list[runner.Case] = []
    places: list[list[runner.Layout]] = []
    for kind in KINDS:
        apart = cases_of(folder, kind, rng_of(kind, 2), ON_BOARD)
        steps = [runner.lower(item.model, folder) for item in apart]
        items += apart
        places += [[(None,) * len(s.inputs)] * len(i.frames) for i, s in zip(apart, steps, strict=True)]
        if kind in CASES:
            over, at = at_distances(folder, kind, ON_BOARD)
            items += over
            places += at
    rng = np.random.default_rng(3)
    outputs = runner.run(
        items,
        tmp_path,
        {},
        places,
        variant=runner.Variant(folder, board=name),
        shifts=shifts_for(items, folder, rng),
    )
    assert len(items) > 100 or folder != PORTABLE
    assert differing(items, outputs, 0) == []


def test_copies_of_the_portable_kernels_plan_the_same_arena(
    anchor: Callable[[str], Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What a kernel claims does not depend on the folder that it lies in."""
    templates = tmp_path / "runtime" / "src"
    for folder in (PORTABLE, "copy"):
        (templates / folder).mkdir(parents=True)
        for source in (runner.RUNTIME / "src" / PORTABLE).iterdir():
            (templates / folder / source.name).write_bytes(source.read_bytes())
    monkeypatch.setenv("EDGEKIT_TEMPLATES", str(tmp_path))
    for name, arena_bytes in ARENAS.items():
        graph = tflite.parse(anchor(name).read_bytes())
        plain = generate(graph, contract.of(graph))
        copied = generate(graph, contract.of(graph), folders=("copy", PORTABLE))
        assert {step.folder for step in copied.steps if step.kernel} == {"copy"}
        assert copied.plan == plain.plan
        assert plain.plan.arena_bytes == arena_bytes
        assert copied.files == plain.files


def test_every_kernel_claims_something() -> None:
    rng = np.random.default_rng(5)
    for kind in CASES:
        assert any(claims(runner.lower(KINDS[kind](rng))) for _ in range(20)), kind


def test_views_claim_nothing() -> None:
    rng = np.random.default_rng(6)
    steps = [step for kind in CASES for step in ops.lower(tflite.parse(KINDS[kind](rng)))]
    assert not [step for step in steps if step.kernel is None and step.overlaps]


FIELD = re.compile(r"    (?:const )?\w+ \*?(?:const \*)?(\w+)(?:\[\d\])?;")


def struct_fields() -> dict[str, list[str]]:
    """Return the fields of every struct of parameters, by its name."""
    text = "".join(path.read_text() for path in sorted(runner.RUNTIME.rglob("*.h")))
    return {
        name: FIELD.findall(body)
        for body, name in re.findall(r"typedef struct \{\n(.*?)\} (\w+);", text, re.S)
    }


@pytest.mark.parametrize("folder", FOLDERS)
def test_a_step_has_a_value_for_each_field_of_its_struct(folder: str) -> None:
    """A C compiler takes a forgotten field for 0 without a word."""
    fields = struct_fields()
    for kind in KINDS:
        for item in cases_of(folder, kind, rng_of(kind, 4), 10):
            step = runner.lower(item.model, folder)
            if step.kernel is not None:
                assert list(step.params) == fields[step.params_type], (kind, step.params_type)


def test_a_step_with_a_filter_has_its_geometry() -> None:
    kinds = ("CONV_2D", "DEPTHWISE_CONV_2D", "AVERAGE_POOL_2D", "MAX_POOL_2D", "FULLY_CONNECTED")
    rng = np.random.default_rng(7)
    for kind in kinds:
        for _ in range(20):
            model = KINDS[kind](rng)
            step, graph = runner.lower(model), tflite.parse(model)
            geometry = step.geometry
            assert geometry is not None
            pixels = np.prod(geometry.output_size) * geometry.batches
            assert pixels * geometry.output_channels == graph.tensor(step.output).elements
            assert geometry.reach(0) <= geometry.input_size[0] + geometry.pad_behind[0]
