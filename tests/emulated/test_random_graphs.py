"""A slice of what `python -m fuzz.graphs` runs: random graphs on every executed board, in one image each."""

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from emulated.conftest import EXECUTED
from fuzz import graph_boards, graphs
from fuzz.graph_boards import Case, Difference
from tflite_builder import Node, Value, build_graph

from edgekit import board

SEEDS = range(1, 13)
Compare = Callable[[list[Case], str], list[Difference]]


@pytest.fixture(scope="module")
def cases() -> list[Case]:
    made = [graph_boards.case(seed) for seed in SEEDS]
    found = [case for case in made if isinstance(case, Case)]
    assert len(found) > 8
    return found


@pytest.fixture(scope="module")
def compare(tmp_path_factory: pytest.TempPathFactory) -> Compare:
    """Return a function that runs cases on a board with -O3; the next image takes over what it can."""
    folder = tmp_path_factory.mktemp("graphs")

    def run(cases: list[Case], name: str) -> list[Difference]:
        project = folder / name
        project.mkdir(exist_ok=True)
        return graph_boards.compare(cases, board.load(name), "3", project)

    return run


@pytest.mark.parametrize("name", EXECUTED)
def test_every_step_of_random_graphs_equals_the_reference(
    name: str, cases: list[Case], compare: Compare
) -> None:
    assert compare(cases, name) == []


@pytest.mark.parametrize("name", ["mps2_an386", "mps2_an500"])
def test_a_concatenation_of_overlapping_runs(name: str, compare: Compare) -> None:
    """A memmove that called memcpy, which could store before it had loaded, got 23 of 297 outputs wrong."""
    one = {"scales": [0.0065], "zero_points": [-128]}
    values = [
        Value((1, 11, 3, 3), scales=[1 / 255], zero_points=[-128]),
        Value((1, 11, 3, 3), **one),
        Value((1, 33, 3, 3), **one),
        Value((2,), "int32", data=np.array([1, 297])),
        Value((1, 297), **one),
    ]
    nodes = [
        Node("RELU_N1_TO_1", [0], [1], {}, 1),
        Node("CONCATENATION", [1, 1, 1], [2], {"axis": 1, "fused_activation_function": "NONE"}),
        Node("RESHAPE", [2, 3], [4]),
    ]
    case = graph_boards.of_model(0, build_graph(values, nodes, [0], [4]))
    assert isinstance(case, Case)
    assert compare([case], name) == []


def test_a_difference_and_a_crash_are_found_and_what_follows_still_runs(
    cases: list[Case], compare: Compare
) -> None:
    first, second, third = cases[:3]
    rows = list(first.expected)
    rows[2] = bytes([rows[2][0] ^ 1]) + rows[2][1:]
    files = dict(second.model.files)
    files["model.c"] = files["model.c"].replace(
        b"_run(uint8_t *arena)\n{\n", b"_run(uint8_t *arena)\n{\n    __builtin_trap();\n"
    )
    broken = [
        replace(first, expected=tuple(rows)),
        replace(second, model=replace(second.model, files=files)),
        third,
    ]
    wrong, crashed = compare(broken, "mps2_an386")
    kind = first.model.steps[0].kind
    assert wrong == Difference(first.seed, 1, f"frame 2, step 0 {kind}")
    assert (crashed.seed, crashed.rows) == (second.seed, graph_boards.FRAMES)
    assert "fault: HardFault" in crashed.what


def test_the_record_is_taken_up_where_it_stopped(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    record = tmp_path / "record.json"
    arguments = [
        "--board",
        "riscv_virt",
        "--opt",
        "O2",
        "--models",
        "2",
        "--jobs",
        "1",
        "--json",
        str(record),
    ]
    assert graphs.main(arguments) == 0
    said = capsys.readouterr().out
    assert "| `riscv_virt` | `-O2` | 2 | 12 | 0 | 0 |" in said
    before = record.read_bytes()
    monkeypatch.setattr(graph_boards, "compare", None)
    assert graphs.main(arguments) == 0
    assert capsys.readouterr().out == said
    record.write_bytes(
        before.replace(b'"differences": []', b'"differences": [{"seed": 1, "rows": 3, "what": "x"}]', 1)
    )
    assert graphs.main(arguments) == 1
    assert "--board riscv_virt --opt O2 --seed 1 --models 1" in capsys.readouterr().out
