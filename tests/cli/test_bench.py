"""`edgekit bench` from the command line: tables, JSON, comparison."""

from collections.abc import Callable
from pathlib import Path

from cli.conftest import Done

Cli = Callable[..., Done]


def test_a_board_in_qemu_is_counted_and_compared(
    cli: Cli, model: Path, labelled: Path, tmp_path: Path
) -> None:
    arguments = ("bench", "--board", "riscv_virt", model, "--data", labelled, "--count", 6)
    done = cli(*arguments, "--json")
    assert done.code == 0, done.err
    found = done.json
    assert found["method"] == "plugin"
    assert found["instructions_per_invoke"] == sum(step["instructions"] for step in found["per_op"])
    assert (found["frames"], found["board"], found["changes"]) == (6, "riscv_virt", [])
    assert 0 <= found["accuracy"] <= 1
    for key in ("arena_bytes", "stack_bytes", "engine_bytes", "model_bytes", "flash_bytes", "ram_bytes"):
        assert found[key] > 0
    assert found["compiler"].startswith("riscv64")
    assert found["qemu"]

    before = tmp_path / "before.json"
    before.write_text(done.out)
    same = cli(*arguments, "--compare", before, "--max-regression", 0)
    assert same.code == 0, same.err
    assert "instructions_per_invoke" in same.out
    assert "1.0000" in same.out
    text = f"{found['instructions_per_invoke']:,} instructions per run (exact, by the plugin)"
    assert text in same.out
    assert "milli" not in same.out

    lower = found["instructions_per_invoke"] * 9 // 10
    before.write_text(
        done.out.replace(
            f'"instructions_per_invoke": {found["instructions_per_invoke"]}',
            f'"instructions_per_invoke": {lower}',
        )
    )
    worse = cli(*arguments, "--compare", before, "--max-regression", 1, "--json")
    assert worse.code == 14
    assert worse.json["error"]["id"] == "regression"
    assert cli(*arguments, "--compare", before).code == 0


def test_the_host_has_times_of_its_own_and_no_instructions(cli: Cli, model: Path) -> None:
    done = cli("bench", "--board", "host", model, "--count", 3, "--json")
    assert done.code == 0, done.err
    found = done.json
    assert found["instructions_per_invoke"] is None
    assert found["method"] == "device clock"
    assert found["wall_us"]["p50"] >= 0
    assert "by the clock of this 'host' alone" in cli("bench", "--board", "host", model, "--count", 3).out


def test_a_board_that_nothing_here_runs_has_its_sizes(cli: Cli, model: Path) -> None:
    done = cli("bench", "--board", "arc_em9d", model, "--json")
    assert done.code == 0, done.err
    found = done.json
    assert (found["method"], found["instructions_per_invoke"], found["stack_bytes"]) == (
        "not run",
        None,
        None,
    )
    assert found["engine_bytes"] > 0
    assert "not run" in cli("bench", "--board", "arc_em9d", model).out


def test_what_cannot_be_compared_is_said_before_anything_runs(cli: Cli, model: Path, tmp_path: Path) -> None:
    assert cli("bench", model, "--max-regression", 1).code == 2
    missing = cli("bench", model, "--compare", tmp_path / "none.json")
    assert missing.code == 3
    assert "none.json" in missing.err
