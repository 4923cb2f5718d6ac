"""The commands on boards that run in QEMU: over the serial line, past it, and on one that cannot be run."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from edgekit.oracle import Oracle

FRAMES = np.random.default_rng(11).integers(0, 256, (40, 8, 8, 3), dtype=np.uint8)


@pytest.mark.parametrize(
    ("arguments", "count", "via"),
    [
        ((), 40, "files"),
        ((), 8, "serial"),
        (("--via", "serial"), 40, "serial"),
        (("--via", "files"), 2, "files"),
    ],
)
def test_classify_takes_the_way_that_suits(
    cli: Callable, model: Path, arguments: tuple[str, ...], count: int, via: str
) -> None:
    np.save("x.npy", FRAMES[:count])
    board = ("--board", "riscv_virt", "--model", model)
    done = cli("classify", *board, *arguments, "--input", "x.npy", "--output", "y.npy", "--json")
    assert done.code == 0, done.out
    assert (done.json["via"], done.json["unit"], done.json["n"]) == (via, "instructions", count)
    assert done.json["invoke"]["min"] > 1000
    expected = Oracle(model.read_bytes()).run((FRAMES[:count].astype(np.int16) - 128).astype(np.int8))
    assert np.array_equal(np.load("y.npy"), expected)


@pytest.mark.parametrize(
    "where", [("--board", "host"), ("--board", "riscv_virt", "--port", "socket://[::1]:9")]
)
def test_files_are_for_boards_that_edgekit_runs(cli: Callable, model: Path, where: tuple[str, ...]) -> None:
    np.save("x.npy", FRAMES[:2])
    files = ("--via", "files", "--model", model)
    assert cli("classify", *where, *files, "--input", "x.npy", "--output", "y.npy").code == 2
    assert cli("prove", *where, *files, "--random", 2).code == 2


@pytest.mark.parametrize("count", [3, 60])
def test_prove_compares_every_row(cli: Callable, model: Path, count: int) -> None:
    done = cli("prove", "--board", "mps3_an547", "--model", model, "--random", count, "--json")
    assert done.code == 0, done.out
    certificate = done.json["certificate"]
    assert (certificate["board"], certificate["rows_equal"]) == ("mps3_an547", count)


def test_flash_then_monitor(cli: Callable, model: Path) -> None:
    np.savez("data.npz", images=FRAMES[:5])
    board = ("--board", "mps2_an500", "--model", model)
    assert cli("flash", *board).code == 0
    done = cli("monitor", *board, "--source", "data.npz", "--json")
    assert done.code == 0, done.out
    assert (done.json["n"], done.json["unit"], done.json["retransmissions"]) == (5, "instructions", 0)


def test_a_board_that_is_not_run(cli: Callable, model: Path) -> None:
    board = ("--board", "arc_em9d", "--model", model)
    for command in (("flash",), ("prove", "--random", 2), ("monitor", "--source", "x"), ("emulate",)):
        done = cli(command[0], *board, *command[1:])
        assert done.code in (2, 3), done.err
    assert "compiled and linked only" in cli("flash", *board).err
    assert cli("generate", model, "--board", "arc_em9d", "-o", "out").code == 0
    done = cli("build", "out", "--board", "arc_em9d", "--json")
    assert done.code == 0, done.out
    regions = {region["region"]: region["used"] for region in done.json["regions"]}
    assert set(regions) == {"iccm1", "system0_weights", "system0", "dccm"}
    assert all(regions.values())
    assert " of " in cli("build", "out", "--board", "arc_em9d").out


def test_boards_says_where_each_runs_and_what_it_needs(cli: Callable) -> None:
    runs = {board["id"]: board["runs_on"] for board in cli("boards", "--json").json["boards"]}
    assert runs["host"] == "this machine"
    assert runs["arc_em9d"] == "not run"
    assert runs["xtensa_kc705"] == "QEMU"
    needs = cli("boards", "xtensa_kc705", "--json").json["needs"]
    assert [need["name"] for need in needs if need["needed"]] == [
        "a compiler that works",
        "qemu-system-xtensa",
    ]
    assert all(need["ok"] for need in needs)


def test_boards_says_how_to_get_what_is_missing(
    cli: Callable, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    shown = cli("boards", "riscv_virt").out
    assert "apt-get install gcc-riscv64-unknown-elf" in shown
    assert "apt-get install qemu-system-misc" in shown
    assert cli("doctor", "--board", "riscv_virt", "--json").json["ready"] is False
