"""Figures are compared one by one, and a rise beyond the limit fails."""

import json
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

import pytest

from edgekit.bench import compare
from edgekit.bench.result import Bench, Method
from edgekit.errors import DataError, RegressionError

BENCH = Bench(
    board="mps2_an386",
    cpu="Cortex-M4",
    model="net",
    model_sha256="1" * 64,
    model_digest="2" * 64,
    contract_digest="3" * 64,
    frames=1,
    frames_sha256="4" * 64,
    method=Method.PLUGIN,
    resolution=1.0,
    instructions_per_invoke=1000,
    instructions_lowest=1000,
    instructions_highest=1000,
    timer_instructions=1010,
    per_op=(),
    wall_us=None,
    macs=500,
    arena_bytes=200,
    stack_bytes=400,
    engine_bytes=10_000,
    model_bytes=5_000,
    flash_bytes=15_000,
    ram_bytes=3_000,
    sections=(),
    accuracy=None,
    outputs_sha256="5" * 64,
    compiler="gcc 12",
    cflags=("-O3",),
    qemu="7.2.22",
    edgekit="0.1.0",
    notes=(),
)


def saved(folder: Path, **other: Any) -> Path:
    path = folder / "before.json"
    path.write_text(json.dumps(asdict(BENCH) | other))
    return path


def test_equal_figures_are_equal(tmp_path: Path) -> None:
    changes, differing = compare.compare(BENCH, compare.load(saved(tmp_path)))
    assert [change.figure for change in changes] == list(compare.FIGURES)
    assert {change.ratio for change in changes} == {1.0}
    assert differing == ()
    compare.check(changes, 0)


@pytest.mark.parametrize(("now", "fails"), [(1009, False), (1010, False), (1011, True), (900, False)])
def test_a_rise_beyond_the_limit_fails(tmp_path: Path, now: int, fails: bool) -> None:
    changed = replace(BENCH, instructions_per_invoke=now)
    changes, _ = compare.compare(changed, compare.load(saved(tmp_path)))
    assert changes[0].ratio == now / 1000
    if not fails:
        compare.check(changes, 1)
        return
    with pytest.raises(
        RegressionError, match=r"instructions_per_invoke 1,000 -> 1,011 \(\+1.10 %\)"
    ) as caught:
        compare.check(changes, 1)
    assert caught.value.details == {"instructions_per_invoke": [1000, 1011]}
    assert caught.value.exit_code == 14


def test_every_figure_that_is_worse_is_named(tmp_path: Path) -> None:
    changed = replace(BENCH, arena_bytes=300, stack_bytes=401, engine_bytes=9_000)
    changes, _ = compare.compare(changed, compare.load(saved(tmp_path)))
    with pytest.raises(RegressionError, match="arena_bytes") as caught:
        compare.check(changes, 1)
    assert set(caught.value.details) == {"arena_bytes"}


def test_from_nothing_to_something_is_worse(tmp_path: Path) -> None:
    changes, _ = compare.compare(BENCH, compare.load(saved(tmp_path, stack_bytes=0)))
    with pytest.raises(RegressionError, match="stack_bytes"):
        compare.check(changes, 1000)


def test_what_else_is_not_the_same_is_said(tmp_path: Path) -> None:
    earlier = compare.load(
        saved(tmp_path, board="riscv_virt", compiler="gcc 11", instructions_per_invoke=None)
    )
    changes, differing = compare.compare(BENCH, earlier)
    assert "instructions_per_invoke" not in {change.figure for change in changes}
    assert differing == (
        "board differs: 'riscv_virt' before, 'mps2_an386' now",
        "compiler differs: 'gcc 11' before, 'gcc 12' now",
    )


@pytest.mark.parametrize(
    "text",
    [
        "",
        "[]",
        "nonsense",
        '{"board": "x"}',
        "[" * 100_000,
        json.dumps({"board": "x", "model_digest": "y", "arena_bytes": True}),
        json.dumps({"board": "x", "model_digest": "y", "arena_bytes": -1}),
        json.dumps({"board": "x", "model_digest": "y", "stack_bytes": "4"}),
        json.dumps({"board": "x", "model_digest": "y", "stack_bytes": 1.5}),
    ],
)
def test_files_that_are_no_figures_are_refused(text: str, tmp_path: Path) -> None:
    path = tmp_path / "x.json"
    path.write_text(text)
    with pytest.raises(DataError, match=r"x\.json"):
        compare.load(path)


def test_a_file_that_is_not_there_is_named(tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"none\.json"):
        compare.load(tmp_path / "none.json")
