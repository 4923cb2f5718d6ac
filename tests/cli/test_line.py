"""The whole line on the host board, from flags alone and from edgekit.toml alone."""

import hashlib
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from edgekit import contract, data
from edgekit.graph import tflite
from edgekit.oracle import Oracle


def expected(model: Path, frames: Path) -> np.ndarray:
    agreed = contract.of(tflite.read(model))
    return Oracle(model.read_bytes()).run(data.quantise(agreed, np.load(frames)))


def test_each_command_works_from_flags_alone(
    cli: Callable, model: Path, labelled: Path, tmp_path: Path
) -> None:
    firmware = tmp_path / "fw"
    made = cli("generate", model, "--board", "host", "-o", firmware, "--json").json
    assert made["ok"]
    assert made["steps"] == 7
    assert (firmware / "model" / "model.c").is_file()
    assert cli("build", firmware, "--json").json["size_bytes"] > 0
    flashed = cli("flash", "--board", "host", "--model", model, firmware, "--json").json
    assert flashed["hello"]["board"] == "host"
    assert flashed["hello"]["model_digest"] == made["model_digest"]
    done = cli("monitor", "--board", "host", "--model", model, "--source", labelled, "--json")
    kinds = [line["type"] for line in done.lines]
    assert kinds == ["hello"] + ["prediction"] * 10 + ["summary"]
    summary = done.lines[-1]
    assert set(done.lines[1]) == {
        "type",
        "seq",
        "index",
        "label",
        "truth",
        "scores",
        "preprocess",
        "invoke",
        "link_ms",
        "retransmissions",
    }
    assert set(summary) == {
        "schema",
        "type",
        "ok",
        "error",
        "n",
        "unit",
        "accuracy",
        "labelled",
        "correct",
        "invoke",
        "preprocess",
        "link",
        "frames_per_second",
        "retransmissions",
        "resets",
        "reconnections",
        "confusion",
        "board",
        "warnings",
    }
    assert set(summary["link"]) == {"unit", "min", "p50", "p95", "max"}
    assert summary["n"] == summary["labelled"] == 10
    assert summary["unit"] == "microseconds"
    assert set(summary["invoke"]) == {"min", "p50", "p95", "max"}
    right = sum(line["label"] == line["truth"] for line in done.lines[1:-1])
    assert summary["accuracy"] == pytest.approx(right / 10)


def test_bare_commands_work_in_a_folder_with_a_project_file(
    cli: Callable, model: Path, labelled: Path
) -> None:
    assert cli("init", "--board", "host").code == 0
    text = Path("edgekit.toml").read_text("utf-8").replace('# source = "test"', 'source = "test.npz"')
    Path("edgekit.toml").write_text(text, "utf-8")
    for command in ("generate", "build", "flash"):
        done = cli(command)
        assert done.code == 0, done.err
    done = cli("monitor", "--json")
    assert done.code == 0, done.err
    assert done.lines[-1]["n"] == 10


def test_flash_alone_generates_and_builds(cli: Callable, model: Path) -> None:
    assert cli("flash", "--model", model).code == 0
    assert cli("flash", "--model", model, "--no-build").code == 0


def test_classify_writes_the_oracles_scores(cli: Callable, model: Path, frames: Path, tmp_path: Path) -> None:
    target = tmp_path / "y.npy"
    done = cli(
        "classify", "--board", "host", "--model", model, "--input", frames, "--output", target, "--json"
    )
    assert done.code == 0, done.err
    assert done.json["n"] == 10
    assert done.json["board"] == "host"
    assert set(done.json["link"]) == {"unit", "min", "p50", "p95", "max"}
    assert (done.json["via"], done.json["resets"], done.json["reconnections"]) == ("serial", 0, 0)
    assert done.json["unit"] == "microseconds"
    assert done.json["model_sha256"] == hashlib.sha256(model.read_bytes()).hexdigest()
    assert done.json["retransmissions"] == 0
    assert done.json["compiler"]
    scores = np.load(target)
    assert scores.dtype == np.int8
    np.testing.assert_array_equal(scores, expected(model, frames))


def test_classify_takes_int8_tensors_as_they_are(
    cli: Callable, model: Path, frames: Path, tmp_path: Path
) -> None:
    tensors = (np.load(frames).astype(np.int16) - 128).astype(np.int8)
    np.save(tmp_path / "t.npy", tensors)
    target = tmp_path / "y.npy"
    done = cli("classify", "--model", model, "--input", tmp_path / "t.npy", "--output", target)
    assert done.code == 0, done.err
    np.testing.assert_array_equal(np.load(target), Oracle(model.read_bytes()).run(tensors))


def test_a_plain_monitor_prints_a_line_a_frame_and_a_confusion_table(
    cli: Callable, model: Path, labelled: Path
) -> None:
    cli("flash", "--model", model)
    done = cli("monitor", "--model", model, "--source", labelled, "--confusion", "--count", "4")
    assert done.code == 0, done.err
    assert done.out.count("invoke ") >= 4
    assert "confusion (rows: truth" in done.out
    assert "accuracy" in done.out
    assert "4 frames in" in done.out


def test_inspect_shows_work_and_memory(cli: Callable, model: Path) -> None:
    found = cli("inspect", model, "--json").json
    assert {"arena_bytes", "weight_bytes", "macs", "ops"} <= set(found)
    assert found["ops"]["CONV_2D"] == 2
    assert "host" in {fit["board"] for fit in found["boards"]}
    shown = cli("inspect", model, "--board", "host").out
    assert "<- peak" in shown
    assert "fits" in shown


def test_boards_and_doctor(cli: Callable) -> None:
    assert any(board["id"] == "host" for board in cli("boards", "--json").json["boards"])
    assert "rx_window_bytes" in cli("boards", "host").out
    checked = cli("doctor", "--json").json
    assert {"Python", "extra 'convert'", "a compiler that works"} <= {c["name"] for c in checked["checks"]}


def test_prove_prints_a_certificate(cli: Callable, model: Path, labelled: Path, tmp_path: Path) -> None:
    target = tmp_path / "certificate.json"
    done = cli("prove", "--model", model, "--data", labelled, "-o", target, "--json")
    assert done.code == 0, done.err
    certificate = done.json["certificate"]
    assert certificate["frames"] == certificate["rows_equal"] == 10
    assert certificate["model_sha256"] == hashlib.sha256(model.read_bytes()).hexdigest()
    assert "BUILTIN_REF" in certificate["oracle"]
    assert certificate["compiler"]
    assert target.is_file()
    assert cli("prove", "--model", model, "--random", "25").code == 0


def test_flags_override_the_contract(cli: Callable, model: Path) -> None:
    plain = cli("generate", model, "-o", "a", "--json").json
    other = cli("generate", model, "-o", "b", "--mean", "0.5,0.5,0.5", "--json").json
    assert plain["model_digest"] == other["model_digest"]
    assert plain["contract_digest"] != other["contract_digest"]
    same = cli("generate", model, "-o", "c", "--labels", "cat,dog,bird", "--json").json
    assert same["contract_digest"] == plain["contract_digest"]
